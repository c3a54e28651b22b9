//! A server that is asked again and again, and is out of reach.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::runtime::Backoff;

/// How long the server may be out of reach before waiting for something ends with an error.
const OUTAGE_TOLERANCE: Duration = Duration::from_secs(120);

/// The longest wait that the server can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Since when the server is out of reach, if it is.
#[derive(Default)]
pub(crate) struct Outage(Option<Instant>);

impl Outage {
    /// Records a failure at this time, and returns whether the server has been out of reach for too long.
    pub(crate) fn is_too_long(&mut self, error: &Error, at: Instant) -> bool {
        // A server that says when to ask again is not out of reach.
        let since = match error.is_overload() {
            true => at,
            false => self.0.unwrap_or(at),
        };
        self.0 = Some(since);
        since.elapsed() > OUTAGE_TOLERANCE
    }

    /// Whether the last request failed.
    pub(crate) fn has_begun(&self) -> bool {
        self.0.is_some()
    }
}

/// The wait that the server asks for, if it asks for any.
pub(crate) fn requested_wait(error: &Error) -> Duration {
    error.retry_after().unwrap_or_default().min(MAX_RETRY_AFTER)
}

/// Repeats a call while the server is out of reach, without a limit: for what nobody else would do.
pub(crate) async fn through_outages<T, F>(
    client: &Client,
    backoff: Backoff,
    call: impl Fn() -> F,
) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut failures = 0;
    loop {
        let error = match call().await {
            Err(error) if !error.is_permanent() && !error.is_invalid_request() => error,
            done => return done,
        };
        failures += 1;
        if failures == 1 {
            tracing::warn!(%error, "the server is out of reach for what must be asked or told; retrying");
        }
        let clock = client.channel().clock();
        clock
            .sleep(backoff.delay(failures, error.retry_after()))
            .await;
    }
}
