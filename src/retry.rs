//! `RetryPolicy`: how often and how long a call is tried.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::StatusCode;

/// How often a failed request is repeated, and how long is waited before.
///
/// Repeated are requests that got no reply or a part of one, and those answered 408, 429, 502 or
/// 503; but a request that may have been carried out is repeated only when doing it twice changes
/// nothing more: see [`Error::may_have_happened`](crate::Error::may_have_happened). A connection
/// that is refused is repeated once the client has reached the server before; the very first one
/// fails at once, for then the URL is likely to be wrong.
///
/// The wait before the *n*-th repetition is `base_delay` × 2ⁿ⁻¹, at most `max_delay`, more or less by
/// the jitter. When the server names a time (`Retry-After`) that is taken instead, at most
/// `max_delay`, and the jitter only adds to it. A server under maintenance
/// (`Prefect-Maintenance: true`) is asked until it is back; only the deadline ends that. (But what is
/// done in parts, as bulk deletions and logs, is not repeated when a part may be done.)
///
/// The default is that of Prefect's own client, but for the cap: 6 attempts, 2 s, 60 s, 0.2, no
/// deadline.
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
/// // For one call, or as many as one likes:
/// let impatient = client.with_retry(RetryPolicy::none());
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct RetryPolicy {
    attempts: u32,
    base_delay: Duration,
    max_delay: Duration,
    jitter: f64,
    deadline: Option<Duration>,
    extra_codes: BTreeSet<StatusCode>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 6,
            base_delay: Duration::from_secs(2),
            max_delay: Duration::from_secs(60),
            jitter: 0.2,
            deadline: None,
            extra_codes: BTreeSet::new(),
        }
    }
}

impl RetryPolicy {
    /// No repetition.
    pub fn none() -> Self {
        Self::default().attempts(1)
    }

    /// How often a request is sent at most, the first time included; 0 means 1.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// The wait before the first repetition; each further one is twice as long.
    pub fn base_delay(mut self, delay: Duration) -> Self {
        self.base_delay = delay;
        self
    }

    /// The longest wait, also when the server asks for a longer one.
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// By how much of itself a wait varies: 0.2 makes 10 s one of 8 to 12 s.
    ///
    /// What is no number, or negative, is 0; more than 1 is 1.
    pub fn jitter(mut self, factor: f64) -> Self {
        self.jitter = if factor > 0.0 { factor.min(1.0) } else { 0.0 };
        self
    }

    /// The time for a whole call: repetitions, waits, and what is asked before (a CSRF token, the
    /// server's version) included; of a stream, up to its beginning.
    ///
    /// A wait that would go beyond it is not begun: the call fails with what it has.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Statuses that are repeated beside 408, 429, 502 and 503.
    ///
    /// A 4xx says that nothing was done, and is repeated for every operation; another one only when
    /// doing it twice changes nothing more.
    pub fn extra_codes(mut self, codes: impl IntoIterator<Item = StatusCode>) -> Self {
        self.extra_codes = codes.into_iter().collect();
        self
    }

    pub(crate) fn allows(&self, attempts: u32) -> bool {
        attempts < self.attempts
    }

    pub(crate) fn repeats(&self, status: StatusCode) -> bool {
        matches!(status.as_u16(), 408 | 429 | 502 | 503) || self.extra_codes.contains(&status)
    }

    /// The deadline, if there is one.
    pub(crate) fn deadline_after(&self) -> Option<Duration> {
        self.deadline
    }

    /// The wait after so many failures, with `random` between 0 and 1.
    pub(crate) fn delay(
        &self,
        failures: u32,
        retry_after: Option<Duration>,
        random: f64,
    ) -> Duration {
        let (delay, factor) = match retry_after {
            Some(asked) => (asked.min(self.max_delay), self.jitter * random),
            None => {
                let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
                let delay = self.base_delay.saturating_mul(doubled).min(self.max_delay);
                (delay, self.jitter * (2.0 * random - 1.0))
            }
        };
        // `mul_f64` panics beyond what a `Duration` holds, which a server can ask for.
        let varied = Duration::try_from_secs_f64(delay.as_secs_f64() * (1.0 + factor));
        varied.unwrap_or(self.max_delay).min(self.max_delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(policy: &RetryPolicy, failures: u32, asked: Option<f64>, random: f64) -> f64 {
        let asked = asked.map(Duration::from_secs_f64);
        policy.delay(failures, asked, random).as_secs_f64()
    }

    #[test]
    fn waits_double_up_to_the_cap() {
        let policy = RetryPolicy::default().jitter(0.0);
        let waits: Vec<_> = (1..=7).map(|n| seconds(&policy, n, None, 0.5)).collect();
        assert_eq!(waits, [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert_eq!(seconds(&policy, u32::MAX, None, 0.5), 60.0);
    }

    #[test]
    fn jitter_is_on_both_sides_of_our_own_wait_and_only_above_the_servers() {
        let policy = RetryPolicy::default();
        assert_eq!(seconds(&policy, 1, None, 0.0), 1.6);
        assert_eq!(seconds(&policy, 1, None, 1.0), 2.4);
        assert_eq!(seconds(&policy, 1, Some(5.0), 0.0), 5.0);
        assert_eq!(seconds(&policy, 1, Some(5.0), 1.0), 6.0);
        assert_eq!(seconds(&policy, 1, Some(0.0), 1.0), 0.0);
    }

    #[test]
    fn what_the_server_asks_for_is_capped() {
        let policy = RetryPolicy::default();
        assert_eq!(seconds(&policy, 1, Some(86_400.0), 1.0), 60.0);
    }

    #[test]
    fn no_wait_is_too_long_to_count() {
        let policy = RetryPolicy::default().max_delay(Duration::MAX);
        assert!(policy.delay(1, Some(Duration::MAX), 1.0) >= Duration::from_secs(1 << 60));
    }

    #[test]
    fn senseless_jitter_does_no_harm() {
        for (factor, jitter) in [(f64::NAN, 0.0), (-1.0, 0.0), (f64::INFINITY, 1.0)] {
            assert_eq!(RetryPolicy::default().jitter(factor).jitter, jitter);
        }
    }
}
