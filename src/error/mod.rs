//! `Error`: the only error type of the SDK.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! match client.variables().get_by_name("region").await {
//!     Ok(variable) => println!("{:?}", variable.value),
//!     Err(error) if error.is_not_found() => println!("no such variable"),
//!     Err(error) => println!("{error} (sent {} times)", error.attempts()),
//! }
//! # Ok(())
//! # }
//! ```

mod body;
mod display;
mod kind;
mod response;
mod sent_at;

use std::error::Error as StdError;
use std::sync::Arc;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use url::Url;

pub use body::ValidationIssue;
pub use kind::ErrorKind;
pub(crate) use sent_at::sent_at;

/// The operations that take slots of global limits.
const INCREMENT: &str = "bulk_increment_active_slots";
const INCREMENT_WITH_LEASE: &str = "bulk_increment_active_slots_with_lease";

/// The result of every fallible function of the SDK.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
///
/// `Display` prints one line: the operation, the status, the server's message, and for a 404 what was requested. It does not
/// repeat the request, except where the server's own message quotes it, such as a parameter that is not valid. (If a local server does
/// not start, the end of its log follows.) [`kind`](Self::kind) and the predicates tell failures apart:
///
/// ```no_run
/// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
/// match client.concurrency_limits().get_by_tag("database").await {
///     Ok(limit) => println!("{} slots", limit.concurrency_limit),
///     Err(error) if error.is_not_found() => println!("no limit"),
///     Err(error) => return Err(error),
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Call errors
///
/// Any method that sends a request may return an error of these kinds; its docs name only those that have a meaning
/// of their own.
///
/// | Kind | Cause |
/// |---|---|
/// | [`Connection`](ErrorKind::Connection) | the server cannot be reached, or the connection broke |
/// | [`Timeout`](ErrorKind::Timeout) | an attempt or the whole call took too long |
/// | [`Unauthorized`](ErrorKind::Unauthorized), [`Forbidden`](ErrorKind::Forbidden) | the credentials are missing or wrong, or do not allow the call |
/// | [`Validation`](ErrorKind::Validation) | the server refuses the values of the request |
/// | [`RateLimited`](ErrorKind::RateLimited) | the server asks to send fewer requests |
/// | [`Server`](ErrorKind::Server) | the server failed |
/// | [`Status`](ErrorKind::Status) | the server answered another status that is not a success |
/// | [`Unsupported`](ErrorKind::Unsupported) | the server lacks the operation, because it is older or newer |
/// | [`UnexpectedBody`](ErrorKind::UnexpectedBody), [`Decode`](ErrorKind::Decode) | the reply is not a Prefect server's, or has an unknown form |
/// | [`IncompatibleServer`](ErrorKind::IncompatibleServer) | the server has another major version than the client |
/// | [`InvalidRequest`](ErrorKind::InvalidRequest) | an argument is not valid, or an interceptor failed; nothing was sent |
///
/// Failed attempts are repeated before, as the client's [`RetryPolicy`](crate::RetryPolicy) allows.
/// [`may_have_happened`](Self::may_have_happened) tells whether the server may have executed the call all the same,
/// and [`is_retryable`](Self::is_retryable) whether the same call may succeed later.
pub struct Error(Box<Inner>);

#[derive(Default)]
struct Inner {
    kind: ErrorKind,
    message: String,
    operation: Option<&'static str>,
    attempts: u32,
    may_have_happened: bool,
    is_retryable: bool,
    method: Option<Method>,
    url: Option<Url>,
    status: Option<StatusCode>,
    headers: HeaderMap,
    body: Vec<u8>,
    issues: Vec<ValidationIssue>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            ..Inner::default()
        }))
    }

    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Configuration, message)
    }

    pub(crate) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message)
    }

    /// A hook of the program panicked, and so the SDK's work has ended.
    pub(crate) fn hook_panicked(consequence: &str) -> Self {
        let message = format!("a hook panicked: {consequence}");
        Self::new(ErrorKind::Connection, message)
    }

    /// The client was shut down.
    pub(crate) fn shut_down() -> Self {
        Self::invalid_request("the client was shut down")
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// Adds the problems that the error consists of.
    pub(crate) fn with_issues(mut self, issues: Vec<ValidationIssue>) -> Self {
        self.0.issues = issues;
        self
    }

    /// Adds the response that the error is about.
    pub(crate) fn with_response(
        mut self,
        status: StatusCode,
        headers: HeaderMap,
        body: impl Into<Vec<u8>>,
    ) -> Self {
        self.0.status = Some(status);
        self.0.headers = headers;
        self.0.body = body.into();
        self
    }

    /// Adds the request that the error is about.
    pub(crate) fn with_request(
        mut self,
        operation: &'static str,
        method: Method,
        url: Url,
        attempts: u32,
    ) -> Self {
        self.0.operation = Some(operation);
        self.0.method = Some(method);
        self.0.url = Some(url);
        self.0.attempts = attempts;
        self
    }

    /// Prefixes the message with what the failure means for the call.
    pub(crate) fn context(mut self, meaning: &str) -> Self {
        self.0.message = format!("{meaning}: {}", self.0.message);
        self
    }

    /// Adds a detail to the end of the message.
    pub(crate) fn detail(mut self, detail: &str) -> Self {
        self.0.message = format!("{} ({detail})", self.0.message);
        self
    }

    /// The same error, for another caller.
    pub(crate) fn copy(&self) -> Self {
        let inner = &*self.0;
        Self(Box::new(Inner {
            kind: inner.kind,
            message: inner.message.clone(),
            operation: inner.operation,
            attempts: inner.attempts,
            may_have_happened: inner.may_have_happened,
            is_retryable: inner.is_retryable,
            method: inner.method.clone(),
            url: inner.url.clone(),
            status: inner.status,
            headers: inner.headers.clone(),
            body: inner.body.clone(),
            issues: inner.issues.clone(),
            source: inner.source.clone(),
        }))
    }

    pub(crate) fn set_attempts(&mut self, attempts: u32) {
        self.0.attempts = attempts;
    }

    /// Adds the operation that the error is about.
    pub(crate) fn with_operation(mut self, operation: &'static str) -> Self {
        self.0.operation = Some(operation);
        self
    }

    /// Adds the outcome of the call, once it is over: see [`Error::may_have_happened`] and
    /// [`Error::is_retryable`].
    pub(crate) fn with_outcome(mut self, may_have_happened: bool, is_retryable: bool) -> Self {
        self.0.may_have_happened = may_have_happened;
        self.0.is_retryable = is_retryable;
        self
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed, by its name in [`crate::raw`].
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// How many times the request was sent; 0 if it was not.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Whether the server may have executed the call although it failed: a reply was lost, or leaves this
    /// open (408, 5xx), or could not be read.
    ///
    /// Such a request was not retried, because it might have been executed twice; or it was, and the retry
    /// failed. When this is false, the server has executed nothing, or the call only reads.
    pub fn may_have_happened(&self) -> bool {
        self.0.may_have_happened
    }

    /// Whether the same call may succeed later, and repeating it cannot execute it twice.
    pub fn is_retryable(&self) -> bool {
        self.0.is_retryable
    }

    /// The method of the request.
    pub fn method(&self) -> Option<&Method> {
        self.0.method.as_ref()
    }

    /// The URL of the request. It holds no credentials.
    pub fn url(&self) -> Option<&Url> {
        self.0.url.as_ref()
    }

    /// The status of the reply, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// The headers of the reply; empty if there was none.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The body of the reply, unchanged, up to 8 MiB. That of a validation error echoes the request, secrets included;
    /// no other output contains it.
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }

    /// The message of the server, or a description of the problem, in one line.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The problems that a 422 or a check of parameters reports, one per field; empty for other errors.
    pub fn issues(&self) -> &[ValidationIssue] {
        &self.0.issues
    }

    /// Whether the call would always fail again. Other errors may be transient, or come from a proxy.
    pub(crate) fn is_permanent(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::Unauthorized
                | ErrorKind::Forbidden
                | ErrorKind::NotFound
                | ErrorKind::Validation
                | ErrorKind::IncompatibleServer
        )
    }

    /// Whether the server has refused what was sent: sent again, it would be refused again.
    #[cfg(any(feature = "flows", feature = "logs"))]
    pub(crate) fn is_refusal(&self) -> bool {
        let status = self.0.status.map(|status| status.as_u16());
        let asks_to_wait = matches!(status, Some(408 | 429));
        self.is_permanent() || matches!(status, Some(400..=499)) && !asks_to_wait
    }

    /// Whether the server has failed to do what it was asked for (500).
    pub(crate) fn is_server_error(&self) -> bool {
        self.0.status == Some(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Whether the server is there, and asks for less work, or for some time.
    pub(crate) fn is_overload(&self) -> bool {
        self.0.kind == ErrorKind::RateLimited || self.is_maintenance()
    }

    /// Whether the client is misconfigured.
    pub fn is_configuration(&self) -> bool {
        self.0.kind == ErrorKind::Configuration
    }

    /// Whether an argument was refused before anything was sent.
    pub fn is_invalid_request(&self) -> bool {
        self.0.kind == ErrorKind::InvalidRequest
    }

    /// Whether the server was not reached, or the connection broke.
    pub fn is_connection(&self) -> bool {
        self.0.kind == ErrorKind::Connection
    }

    /// Whether the timeout of an attempt or the deadline of the call passed.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    /// Whether this server does not have the operation at all.
    pub fn is_unsupported(&self) -> bool {
        self.0.kind == ErrorKind::Unsupported
    }

    /// Whether this is a 404 for an object that does not exist.
    pub fn is_not_found(&self) -> bool {
        self.0.kind == ErrorKind::NotFound
    }

    /// Whether this is a 409.
    pub fn is_conflict(&self) -> bool {
        self.0.kind == ErrorKind::Conflict
    }

    /// Whether this is a 422.
    pub fn is_validation(&self) -> bool {
        self.0.kind == ErrorKind::Validation
    }

    /// Whether this is a 423: no slot is free.
    pub fn is_locked(&self) -> bool {
        self.0.kind == ErrorKind::Locked
    }

    /// Whether slots were refused and waiting does not help, for example because the limit is 0.
    ///
    /// This is a 423 without a `Retry-After`; or the 422 of a global limit that is lower than the number of
    /// slots requested, or lacks the decay that a rate limit needs.
    pub fn is_permanently_locked(&self) -> bool {
        // A 422 for a request that is not well-formed has issues.
        let cannot_be = self.is_validation() && self.0.issues.is_empty();
        match self.0.operation {
            _ if self.is_locked() => !self.0.headers.contains_key(RETRY_AFTER),
            Some(INCREMENT | INCREMENT_WITH_LEASE) => cannot_be,
            _ => false,
        }
    }
}

/// Turns a 404 into `None`, for the `get_opt` of every resource.
pub(crate) fn none_if_missing<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
