//! Repeating what the server says that it did not do.

use std::time::Duration;

use reqwest::Method;

use crate::error::Error;

/// One request and five repetitions, as Prefect's own client.
const ATTEMPTS: u32 = 6;

const FIRST_DELAY: Duration = Duration::from_millis(100);

/// What a server may ask for at most; beyond it the error is the caller's to handle.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// How long to wait before the attempt after `attempt` (counted from 1), if there is to be one.
///
/// Only 429 and 503 are repeated: the server answers so *instead* of working on the request (on
/// SQLite, 503 is "database is locked"), so that nothing is done twice. A 503 that is not the
/// server's own may be a gateway's that lost the reply: it is repeated only for a reading request.
pub(crate) fn delay_after(attempt: u32, error: &Error) -> Option<Duration> {
    let refused = match error.status().map(|status| status.as_u16()) {
        Some(429) => true,
        Some(503) => error.is_the_servers_own() || error.method() == Some(&Method::GET),
        _ => false,
    };
    if !refused || attempt >= ATTEMPTS {
        return None;
    }
    let backoff = FIRST_DELAY * 2_u32.pow(attempt - 1);
    let delay = error.retry_after().unwrap_or(backoff);
    (delay <= LONGEST_DELAY).then_some(delay)
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::{HeaderMap, RETRY_AFTER};

    use super::*;
    use crate::error::ErrorKind;

    fn delay(attempt: u32, status: u16, retry_after: Option<&str>, body: &str) -> Option<f64> {
        let headers =
            retry_after.map(|value| (RETRY_AFTER, value.parse().expect("a header value")));
        let status = StatusCode::from_u16(status).expect("a status");
        let error = Error::new(ErrorKind::Status, "");
        let error = error.replied(status, HeaderMap::from_iter(headers), body);
        delay_after(attempt, &error).map(|delay| delay.as_secs_f64())
    }

    const PREFECTS: &str = r#"{"exception_message": "Service Unavailable"}"#;

    #[test]
    fn what_the_server_refused_is_repeated_five_times() {
        let delays: Vec<_> = (1..=6).map(|n| delay(n, 503, None, PREFECTS)).collect();
        assert_eq!(
            delays,
            [Some(0.1), Some(0.2), Some(0.4), Some(0.8), Some(1.6), None]
        );
    }

    #[test]
    fn the_server_says_how_long_to_wait_within_reason() {
        assert_eq!(delay(1, 429, Some("2.5"), ""), Some(2.5));
        assert_eq!(delay(1, 429, Some("86400"), ""), None);
    }

    #[test]
    fn what_may_have_happened_is_not_repeated() {
        assert_eq!(delay(1, 500, None, "{}"), None);
        assert_eq!(delay(1, 423, Some("1"), "{}"), None);
        for gateway in ["upstream reset", r#"{"message": "Service Unavailable"}"#] {
            assert_eq!(delay(1, 503, None, gateway), None, "{gateway}");
        }
    }
}
