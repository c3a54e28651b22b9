//! `RetryPolicy`: how often and how long a call is tried.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::StatusCode;

use crate::runtime::Backoff;

/// How often a failed request is repeated, and how long to wait before each repetition.
///
/// A request is repeated if it got no reply or only a part of one, or was answered with 408, 429, 502 or
/// 503. A request that may have been executed is repeated only if executing it twice changes nothing
/// more: see [`Error::may_have_happened`](crate::Error::may_have_happened). A refused connection is tried
/// again if the client has reached the server before; otherwise the call fails at once, because the URL is
/// likely to be wrong.
///
/// The wait before the *n*-th repetition is `base_delay` × 2ⁿ⁻¹, at most `max_delay`, varied by the
/// jitter. A wait that the server asks for (`Retry-After`) is used instead, at most `max_delay`, and the
/// jitter only adds to it. While the server is under maintenance (`Prefect-Maintenance: true`), requests
/// are repeated until it is back, once a second at most; only the deadline ends that, and a policy with one
/// attempt repeats nothing. (But an operation that is executed in
/// parts, such as a bulk deletion or the sending of logs, is not repeated if a part may have been executed.)
///
/// The default is that of Prefect's own client, except for `max_delay`: 6 attempts, `base_delay` 2 s,
/// `max_delay` 60 s, jitter 0.2, no deadline.
///
/// ```
/// use std::time::Duration;
/// use prefect_sdk::{Client, RetryPolicy};
///
/// let client = Client::builder()
///     .api_url("http://127.0.0.1:4200/api")
///     .retry(RetryPolicy::default().attempts(3).deadline(Duration::from_secs(30)))
///     .build()?;
///
/// // For one call, or for several:
/// let impatient = client.with_retry(RetryPolicy::none());
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct RetryPolicy {
    attempts: u32,
    backoff: Backoff,
    deadline: Option<Duration>,
    extra_codes: BTreeSet<StatusCode>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 6,
            backoff: Backoff::new(Duration::from_secs(2), Duration::from_secs(60)),
            deadline: None,
            extra_codes: BTreeSet::new(),
        }
    }
}

impl RetryPolicy {
    /// A policy without repetitions.
    pub fn none() -> Self {
        Self::default().attempts(1)
    }

    /// The maximum number of times that a request is sent, including the first; 0 means 1.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// The wait before the first repetition; each further one is twice as long.
    pub fn base_delay(mut self, delay: Duration) -> Self {
        self.backoff = self.backoff.base(delay);
        self
    }

    /// The longest wait, even when the server asks for a longer one.
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.backoff = self.backoff.max(delay);
        self
    }

    /// The fraction by which a wait varies: 0.2 turns 10 s into 8 to 12 s.
    ///
    /// A value that is negative or not a number counts as 0, and one above 1 as 1.
    pub fn jitter(mut self, factor: f64) -> Self {
        self.backoff = self.backoff.jitter(factor);
        self
    }

    /// The time limit of a whole call, including repetitions, waits and the requests before it (for a CSRF
    /// token and the server's version); for a stream, until it begins.
    ///
    /// A wait that would exceed it is not begun: the call fails with the last error.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Statuses after which a request is repeated, in addition to 408, 429, 502 and 503.
    ///
    /// A 4xx means that nothing was executed, so every operation is repeated after it; after another status
    /// an operation is repeated only if executing it twice changes nothing more.
    pub fn extra_codes(mut self, codes: impl IntoIterator<Item = StatusCode>) -> Self {
        self.extra_codes = codes.into_iter().collect();
        self
    }

    /// The same policy with at most this number of attempts.
    pub(crate) fn at_most(self, attempts: u32) -> Self {
        let attempts = attempts.min(self.attempts);
        self.attempts(attempts)
    }

    pub(crate) fn allows(&self, attempts: u32) -> bool {
        attempts < self.attempts
    }

    /// Whether a server under maintenance is asked again: it does not count as a failure, but a policy without
    /// retries has none for it, either.
    pub(crate) fn allows_maintenance(&self) -> bool {
        self.attempts > 1
    }

    /// Whether a request that was answered with this status may be sent again.
    pub(crate) fn repeats(&self, status: StatusCode) -> bool {
        matches!(status.as_u16(), 408 | 429 | 502 | 503) || self.extra_codes.contains(&status)
    }

    /// The time limit of a whole call, if there is one.
    pub(crate) fn deadline_after(&self) -> Option<Duration> {
        self.deadline
    }

    /// The waits between attempts.
    pub(crate) fn backoff(&self) -> &Backoff {
        &self.backoff
    }
}
