//! The kinds of errors.

use reqwest::StatusCode;

/// The kinds of [`Error`](crate::Error).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client is misconfigured; nothing was sent.
    Configuration,
    /// An argument is wrong; nothing was sent.
    InvalidRequest,
    /// The server was not reached, or the connection broke.
    Connection,
    /// The timeout of an attempt or the deadline of the call passed.
    Timeout,
    /// 401: credentials are missing or wrong.
    Unauthorized,
    /// 403: the credentials do not allow this.
    Forbidden,
    /// 404: there is no such object.
    NotFound,
    /// 404 or 405 of a route: this server, older or newer than this client, does not have the
    /// operation. (A wrong API URL looks the same.)
    Unsupported,
    /// 409: the object exists already, or its state does not allow this. The client also reports this
    /// itself, for example when a run that should be resumed is not paused.
    Conflict,
    /// 410: the object no longer exists, such as an expired lease.
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
    /// A success whose body is not what a Prefect server sends, such as a login page.
    UnexpectedBody,
    /// A success whose JSON does not match the type of the reply.
    Decode,
    /// A flow run that had to succeed has ended in another state than COMPLETED.
    RunFailed,
    /// The server has another major version than the one that this client is made for.
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
