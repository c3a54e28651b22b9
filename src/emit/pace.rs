//! How fast events are sent.

use std::time::{Duration, Instant};

/// How many events go at once before it is kept to the rate. A server takes 10,000 into its queue, from all
/// who send.
const AT_ONCE: u32 = 4000;

/// So many events a second, after some that go at once.
pub(super) struct Pace {
    /// The time that an event stands for; `None` if there is no limit.
    each: Option<Duration>,
    /// When the last of them would have been sent, had they been sent one by one.
    evenly: Option<Instant>,
}

impl Pace {
    /// 0 is no limit.
    pub fn new(per_second: u32) -> Self {
        let each = Duration::from_secs(1).checked_div(per_second);
        Self { each, evenly: None }
    }

    /// Counts events, and tells how long to wait before they are sent.
    pub fn count(&mut self, events: usize, now: Instant) -> Duration {
        let Some(each) = self.each else {
            return Duration::ZERO;
        };
        let events = u32::try_from(events).unwrap_or(u32::MAX);
        let begin = self.evenly.map_or(now, |evenly| evenly.max(now));
        let evenly = begin + each.saturating_mul(events);
        self.evenly = Some(evenly);
        let ahead = evenly.saturating_duration_since(now);
        ahead.saturating_sub(each.saturating_mul(AT_ONCE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_go_at_once_and_then_so_many_a_second() {
        let (mut pace, start) = (Pace::new(200), Instant::now());
        for _ in 0..20 {
            assert_eq!(pace.count(200, start), Duration::ZERO);
        }
        assert_eq!(pace.count(200, start), Duration::from_secs(1));
        let later = start + Duration::from_secs(1);
        assert_eq!(pace.count(100, later), Duration::from_millis(500));
        // After a rest, some go at once again, and no more than at first.
        let rested = start + Duration::from_secs(3600);
        assert_eq!(pace.count(4000, rested), Duration::ZERO);
        assert_eq!(pace.count(2, rested), Duration::from_millis(10));
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let (mut pace, now) = (Pace::new(0), Instant::now());
        assert_eq!(pace.count(usize::MAX, now), Duration::ZERO);
    }
}
