//! The kinds of errors.

use reqwest::StatusCode;

/// The kinds of [`Error`](crate::Error).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client is set up wrongly; nothing was sent.
    Configuration,
    /// An argument is wrong; nothing was sent.
    InvalidRequest,
    /// The server was not reached, or the connection broke.
    Connection,
    /// The time for the call was over.
    Timeout,
    /// 401: credentials are missing or wrong.
    Unauthorized,
    /// 403: the credentials do not allow this.
    Forbidden,
    /// 404: there is no such thing.
    NotFound,
    /// 404 or 405 of a route: this server, older or newer than this client, does not have the
    /// operation. (A wrong API URL looks the same.)
    Unsupported,
    /// 409: it exists already, or its state does not allow this. Also when the client itself sees that,
    /// as of a run that is to resume and is not paused.
    Conflict,
    /// 410: it was there and is gone, as an expired lease.
    Gone,
    /// 422: the server refuses what was sent; see [`Error::issues`](crate::Error::issues).
    Validation,
    /// 423: no slot is free; see [`Error::retry_after`](crate::Error::retry_after).
    Locked,
    /// 429: too many requests; see [`Error::retry_after`](crate::Error::retry_after).
    RateLimited,
    /// 5xx: the server failed.
    Server,
    /// Any other status that is not a success.
    #[default]
    Status,
    /// A success whose body is not what a Prefect server sends, as a login page.
    UnexpectedBody,
    /// A success whose JSON does not fit the type of the reply.
    Decode,
    /// A flow run that was waited for has ended, and not as it should.
    RunFailed,
    /// The server is of another major version than this client is made for.
    IncompatibleServer,
    /// A `LocalServer` (feature `local-server`) cannot be installed, started or stopped.
    LocalServer,
}

impl ErrorKind {
    /// The kind of a failure with this status.
    pub(crate) fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            409 => Self::Conflict,
            410 => Self::Gone,
            422 => Self::Validation,
            423 => Self::Locked,
            429 => Self::RateLimited,
            500..=599 => Self::Server,
            _ => Self::Status,
        }
    }
}
