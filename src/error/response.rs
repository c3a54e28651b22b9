//! Errors from the server's replies: their status, headers and body.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::body::ErrorBody;
use super::sent_at::sent_at;
use super::{Error, ErrorKind};

/// The header that is `true` in the replies of a server under maintenance.
const MAINTENANCE_HEADER: &str = "prefect-maintenance";

const NO_SUCH_OPERATION: &str =
    "this server does not have the operation: it has another version, or the API URL is wrong";

impl Error {
    /// The error of a response that is not a success.
    pub(crate) fn from_response(status: StatusCode, headers: HeaderMap, body: &[u8]) -> Self {
        let ErrorBody { message, issues } = ErrorBody::read(body);
        let message = message.unwrap_or_else(|| {
            let reason = match body.first() {
                None => "the server gave no reason",
                Some(b'{' | b'[') => "the server's reason has an unknown form",
                Some(_) => "the reply is not a Prefect server's: a proxy may have answered",
            };
            reason.to_owned()
        });
        let error = Self::new(ErrorKind::of(status), message);
        let mut error = error.with_response(status, headers, body);
        error.0.issues = issues;
        // Every route of Prefect names the object that it does not find.
        let not_routed = status == StatusCode::NOT_FOUND && !error.is_about_object();
        if not_routed || status == StatusCode::METHOD_NOT_ALLOWED {
            error.0.kind = ErrorKind::Unsupported;
            error = error.context(NO_SUCH_OPERATION);
        }
        error
    }

    /// How long the server asks to wait (`Retry-After`, as seconds or as a date).
    ///
    /// Any other value is ignored; one in the past counts as zero.
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.0.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = value.parse::<f64>() {
            return match seconds {
                seconds if seconds <= 0.0 => Some(Duration::ZERO),
                seconds => Duration::try_from_secs_f64(seconds).ok(),
            };
        }
        let until = chrono::DateTime::parse_from_rfc2822(value).ok()?.to_utc();
        let wait = until - sent_at(&self.0.headers).unwrap_or_else(chrono::Utc::now);
        Some(wait.to_std().unwrap_or(Duration::ZERO))
    }

    /// Whether the server is under maintenance, and will be back.
    pub(crate) fn is_maintenance(&self) -> bool {
        self.0
            .headers
            .get(MAINTENANCE_HEADER)
            .is_some_and(|value| value == "true")
    }

    /// Whether the body has the form that Prefect's own exception handler sends.
    pub(crate) fn is_from_prefect(&self) -> bool {
        self.body_has("exception_message").is_some()
    }

    /// Whether a 404 is about an object, and not about a route.
    pub(crate) fn is_about_object(&self) -> bool {
        let detail = self.body_has("detail");
        let detail = detail.as_ref().and_then(Value::as_str);
        self.is_from_prefect() || detail.is_some_and(|detail| detail != "Not Found")
    }

    fn body_has(&self, member: &str) -> Option<Value> {
        let mut body: Value = serde_json::from_slice(&self.0.body).ok()?;
        body.get_mut(member).map(Value::take)
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::DATE;

    use super::*;

    fn with_retry_after(value: &str) -> Option<Duration> {
        let value = value.parse().expect("a header value");
        let headers = HeaderMap::from_iter([(RETRY_AFTER, value)]);
        Error::new(ErrorKind::Locked, "full")
            .with_response(StatusCode::LOCKED, headers, [])
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

    /// Ours may be ahead of it, or behind.
    #[test]
    fn retry_after_as_a_date_is_by_the_servers_clock() {
        let date = |value: &str| value.parse().expect("a header value");
        let headers = HeaderMap::from_iter([
            (DATE, date("Wed, 21 Oct 2015 07:28:00 GMT")),
            (RETRY_AFTER, date("Wed, 21 Oct 2015 07:28:30 GMT")),
        ]);
        let error = Error::new(ErrorKind::RateLimited, "later");
        let error = error.with_response(StatusCode::TOO_MANY_REQUESTS, headers, []);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
    }

    #[test]
    fn retry_after_ignores_junk() {
        for junk in ["", "soon", "nan", "inf", "1e400"] {
            assert_eq!(with_retry_after(junk), None, "{junk}");
        }
    }
}
