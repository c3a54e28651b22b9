//! The one error of the SDK.

mod body;
mod call;
mod kind;

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use url::Url;

pub use body::ValidationIssue;
pub(crate) use call::Call;
pub use kind::ErrorKind;

/// Set to `true` in the replies of a server that will be back.
const MAINTENANCE: &str = "prefect-maintenance";

/// The operations that take slots of global limits.
const TAKING: &str = "bulk_increment_active_slots";
const TAKING_WITH_LEASE: &str = "bulk_increment_active_slots_with_lease";

/// What every fallible function of the SDK returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
///
/// `Display` is one line: the operation, the status, and what the server said. The request is not
/// repeated in it, but for what the server's own message quotes (as a parameter that does not fit). (Only of a local server that does not start, the end of its log follows.) [`Error::kind`] and the predicates tell failures apart:
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
    source: Option<Box<dyn StdError + Send + Sync>>,
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

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds the reply that the error is about.
    pub(crate) fn replied(
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

    /// Names the call that it is about.
    pub(crate) fn on_behalf_of(mut self, call: &Call) -> Self {
        self.0.operation = Some(call.operation().name());
        self.0.method = Some(call.method().clone());
        self.0.url = Some(call.url().clone());
        self.0.attempts = call.attempts;
        self
    }

    /// What it means for the call.
    pub(crate) fn explained(mut self, meaning: &str) -> Self {
        self.0.message = format!("{meaning}: {}", self.0.message);
        self
    }

    /// The same error, without its source.
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
            source: None,
        }))
    }

    pub(crate) fn set_attempts(&mut self, attempts: u32) {
        self.0.attempts = attempts;
    }

    /// A request of this operation could not even be built.
    pub(crate) fn of(mut self, operation: &'static str) -> Self {
        self.0.operation = Some(operation);
        self
    }

    /// Adds what is known when the call is over: see [`Error::may_have_happened`] and
    /// [`Error::is_retryable`].
    pub(crate) fn judged(mut self, may_have_happened: bool, is_retryable: bool) -> Self {
        self.0.may_have_happened = may_have_happened;
        self.0.is_retryable = is_retryable;
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed, by its name in [`crate::raw`].
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// How often the request was sent; 0 if it was not.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Whether the server may have carried the call out although it failed: a reply was lost, or
    /// says nothing about it (408, 5xx), or could not be read.
    ///
    /// Such a request was not repeated, because doing it twice would do it twice; or it was, and the
    /// repetition failed. When this is false the server has done nothing, or the call only reads.
    pub fn may_have_happened(&self) -> bool {
        self.0.may_have_happened
    }

    /// Whether the same call, made later, may succeed, and cannot do twice what was asked for once.
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

    /// The body of the reply, as it came. A validation error echoes the request in it, secrets
    /// included: it is in no other output.
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }

    /// What the server said, or what is wrong, in one line.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What a 422 says about each field; empty for other errors.
    pub fn issues(&self) -> &[ValidationIssue] {
        &self.0.issues
    }

    /// How long the server asks to wait (`Retry-After`, as seconds or as a date).
    ///
    /// A value that is neither is ignored; one in the past is zero.
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.0.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = value.parse::<f64>() {
            return match seconds {
                seconds if seconds <= 0.0 => Some(Duration::ZERO),
                seconds => Duration::try_from_secs_f64(seconds).ok(),
            };
        }
        let date = chrono::DateTime::parse_from_rfc2822(value).ok()?;
        Some(
            (date.to_utc() - chrono::Utc::now())
                .to_std()
                .unwrap_or(Duration::ZERO),
        )
    }

    /// Whether asking again is in vain, however long one waits. Anything else may be a proxy's, or pass.
    pub(crate) fn is_hopeless(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::Unauthorized
                | ErrorKind::Forbidden
                | ErrorKind::NotFound
                | ErrorKind::Validation
                | ErrorKind::IncompatibleServer
        )
    }

    /// Whether the server is under maintenance, and will be back.
    pub(crate) fn is_maintenance(&self) -> bool {
        self.0
            .headers
            .get(MAINTENANCE)
            .is_some_and(|value| value == "true")
    }

    /// Whether the body is of the form that Prefect's own handler of exceptions gives it.
    pub(crate) fn is_the_servers_own(&self) -> bool {
        self.body_has("exception_message").is_some()
    }

    /// Whether the server says of an object that it is not there, and not of a route.
    pub(crate) fn names_an_object(&self) -> bool {
        let detail = self.body_has("detail");
        let detail = detail.as_ref().and_then(serde_json::Value::as_str);
        self.is_the_servers_own() || detail.is_some_and(|detail| detail != "Not Found")
    }

    fn body_has(&self, member: &str) -> Option<serde_json::Value> {
        let mut body: serde_json::Value = serde_json::from_slice(&self.0.body).ok()?;
        body.get_mut(member).map(serde_json::Value::take)
    }

    /// Whether the client is set up wrongly.
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

    /// Whether the time for the call was over.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    /// Whether this server does not have the operation at all.
    pub fn is_unsupported(&self) -> bool {
        self.0.kind == ErrorKind::Unsupported
    }

    /// Whether this is a 404 of something that is not there.
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

    /// Whether slots were refused in a way that waiting does not end, as when the limit is 0.
    ///
    /// This is a 423 that does not say when to ask again; or the 422 of a global limit that is lower than the
    /// slots asked for, or without the decay that a rate limit needs.
    pub fn is_permanently_locked(&self) -> bool {
        // A 422 of a request that is not well-formed has issues.
        let cannot_be = self.is_validation() && self.0.issues.is_empty();
        match self.0.operation {
            _ if self.is_locked() => !self.0.headers.contains_key(RETRY_AFTER),
            Some(TAKING | TAKING_WITH_LEASE) => cannot_be,
            _ => false,
        }
    }
}

/// `None` for a 404, for the `get_opt` of every resource.
pub(crate) fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = self.0.operation {
            write!(f, "{operation}: ")?;
        }
        if let Some(status) = self.0.status {
            write!(f, "{status}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

/// The body and the headers are left out: they may hold secrets.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("method", &self.0.method)
            .field("url", &self.0.url.as_ref().map(Url::as_str))
            .field("status", &self.0.status)
            .field("attempts", &self.0.attempts)
            .field("may_have_happened", &self.0.may_have_happened)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_retry_after(value: &str) -> Option<Duration> {
        let value = value.parse().expect("a header value");
        let headers = HeaderMap::from_iter([(RETRY_AFTER, value)]);
        Error::new(ErrorKind::Locked, "full")
            .replied(StatusCode::LOCKED, headers, [])
            .retry_after()
    }

    #[test]
    fn retry_after_reads_floats_integers_and_dates() {
        assert_eq!(with_retry_after("10.0"), Some(Duration::from_secs(10)));
        assert_eq!(with_retry_after("2"), Some(Duration::from_secs(2)));
        assert_eq!(with_retry_after("-3"), Some(Duration::ZERO));
        assert_eq!(
            with_retry_after("Wed, 21 Oct 2015 07:28:00 GMT"),
            Some(Duration::ZERO)
        );
        let far = with_retry_after("Fri, 31 Dec 2100 23:59:59 GMT").expect("a date");
        assert!(far > Duration::from_secs(86_400 * 365));
    }

    #[test]
    fn retry_after_ignores_junk() {
        for junk in ["", "soon", "nan", "inf", "1e400"] {
            assert_eq!(with_retry_after(junk), None, "{junk}");
        }
    }
}
