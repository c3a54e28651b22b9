//! `Backoff`: how long to wait after a number of failures in a row.

use std::time::Duration;

/// Waits that double from `base` to `max`. A wait that the server asks for takes precedence, up to `max`; no
/// wait is shorter than the floor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Backoff {
    base: Duration,
    max: Duration,
    floor: Duration,
    jitter: f64,
}

impl Backoff {
    /// A back-off with a jitter of 0.2 and no floor.
    pub(crate) const fn new(base: Duration, max: Duration) -> Self {
        Self {
            base,
            max,
            floor: Duration::ZERO,
            jitter: 0.2,
        }
    }

    /// The wait after the first failure.
    pub(crate) fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// The longest wait.
    pub(crate) fn max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }

    /// Sets the shortest wait, even if the server asks for a shorter one.
    pub(crate) const fn floor(mut self, floor: Duration) -> Self {
        self.floor = floor;
        self
    }

    /// The fraction by which a wait varies, from 0 to 1. A negative value or NaN counts as 0.
    pub(crate) fn jitter(mut self, part: f64) -> Self {
        self.jitter = if part > 0.0 { part.min(1.0) } else { 0.0 };
        self
    }

    /// The wait after this number of failures in a row.
    pub(crate) fn delay(&self, failures: u32, retry_after: Option<Duration>) -> Duration {
        self.delay_with(failures, retry_after, fastrand::f64())
            .max(self.floor)
    }

    /// The wait without a floor, with `random` from 0 to 1. The jitter shortens or lengthens a wait of our
    /// own, and only lengthens one that the server asks for.
    fn delay_with(&self, failures: u32, retry_after: Option<Duration>, random: f64) -> Duration {
        let (delay, factor) = match retry_after {
            Some(asked) => (asked.min(self.max), self.jitter * random),
            None => {
                let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
                let delay = self.base.saturating_mul(doubled).min(self.max);
                (delay, self.jitter * (2.0 * random - 1.0))
            }
        };
        // `mul_f64` panics when the result exceeds a `Duration`, and a server can ask for such a wait.
        let varied = Duration::try_from_secs_f64(delay.as_secs_f64() * (1.0 + factor));
        varied.unwrap_or(self.max).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(60));

    fn seconds(backoff: &Backoff, failures: u32, asked: Option<f64>, random: f64) -> f64 {
        let asked = asked.map(Duration::from_secs_f64);
        backoff.delay_with(failures, asked, random).as_secs_f64()
    }

    #[test]
    fn waits_double_up_to_the_cap() {
        let backoff = DEFAULT.jitter(0.0);
        let waits: Vec<_> = (1..=7).map(|n| seconds(&backoff, n, None, 0.5)).collect();
        assert_eq!(waits, [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert_eq!(seconds(&backoff, u32::MAX, None, 0.5), 60.0);
    }

    #[test]
    fn jitter_is_on_both_sides_of_our_own_wait_and_only_above_the_servers() {
        assert_eq!(seconds(&DEFAULT, 1, None, 0.0), 1.6);
        assert_eq!(seconds(&DEFAULT, 1, None, 1.0), 2.4);
        assert_eq!(seconds(&DEFAULT, 1, Some(5.0), 0.0), 5.0);
        assert_eq!(seconds(&DEFAULT, 1, Some(5.0), 1.0), 6.0);
        assert_eq!(seconds(&DEFAULT, 1, Some(0.0), 1.0), 0.0);
    }

    #[test]
    fn what_the_server_asks_for_is_capped() {
        assert_eq!(seconds(&DEFAULT, 1, Some(86_400.0), 1.0), 60.0);
    }

    #[test]
    fn no_wait_is_too_long_to_count() {
        let backoff = DEFAULT.max(Duration::MAX);
        let wait = backoff.delay_with(1, Some(Duration::MAX), 1.0);
        assert!(wait >= Duration::from_secs(1 << 60));
    }

    #[test]
    fn senseless_jitter_does_no_harm() {
        for (part, jitter) in [(f64::NAN, 0.0), (-1.0, 0.0), (f64::INFINITY, 1.0)] {
            assert_eq!(DEFAULT.jitter(part).jitter, jitter);
        }
    }

    #[test]
    fn no_wait_is_below_the_floor() {
        let floor = Duration::from_millis(100);
        let backoff = DEFAULT.floor(floor);
        for _ in 0..100 {
            let wait = backoff.delay(1, Some(Duration::ZERO));
            assert_eq!(wait, floor);
        }
    }
}
