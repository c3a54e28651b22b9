//! `SendRate`: limits how many events are sent per second.

use std::time::{Duration, Instant};

/// How many events may be sent at once before the rate applies. A server's queue holds 10,000, from all its
/// clients.
const BURST_EVENTS: u32 = 4000;

/// A limit of events per second that allows a burst.
pub(super) struct SendRate {
    /// The time per event; `None` if there is no limit.
    each: Option<Duration>,
    /// When the last of the events so far would have been sent at an even rate.
    even_rate_end: Option<Instant>,
}

impl SendRate {
    /// A limit of this many events per second; 0 means no limit.
    pub(super) fn new(per_second: u32) -> Self {
        let each = Duration::from_secs(1).checked_div(per_second);
        Self {
            each,
            even_rate_end: None,
        }
    }

    /// Counts events, and returns how long to wait before they are sent.
    pub(super) fn count(&mut self, events: usize, now: Instant) -> Duration {
        let Some(each) = self.each else {
            return Duration::ZERO;
        };
        let events = u32::try_from(events).unwrap_or(u32::MAX);
        let begin = self
            .even_rate_end
            .map_or(now, |even_rate_end| even_rate_end.max(now));
        let even_rate_end = begin + each.saturating_mul(events);
        self.even_rate_end = Some(even_rate_end);
        let ahead = even_rate_end.saturating_duration_since(now);
        ahead.saturating_sub(each.saturating_mul(BURST_EVENTS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_go_at_once_and_then_so_many_a_second() {
        let (mut rate, start) = (SendRate::new(200), Instant::now());
        for _ in 0..20 {
            assert_eq!(rate.count(200, start), Duration::ZERO);
        }
        assert_eq!(rate.count(200, start), Duration::from_secs(1));
        let later = start + Duration::from_secs(1);
        assert_eq!(rate.count(100, later), Duration::from_millis(500));
        // After a pause, a burst is allowed again, as large as the first.
        let rested = start + Duration::from_secs(3600);
        assert_eq!(rate.count(4000, rested), Duration::ZERO);
        assert_eq!(rate.count(2, rested), Duration::from_millis(10));
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let (mut rate, now) = (SendRate::new(0), Instant::now());
        assert_eq!(rate.count(usize::MAX, now), Duration::ZERO);
    }
}
