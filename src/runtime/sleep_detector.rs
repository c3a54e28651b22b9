//! `SleepDetector`: notices that the machine has slept.

use std::time::{Duration, Instant, SystemTime};

/// How much further the time of day may go than the time that is measured.
const TOLERANCE: Duration = Duration::from_secs(5);

/// Compares the time of day with the time that is measured, which stands still while the machine sleeps. A time of day
/// that was set forward looks the same.
pub(crate) struct SleepDetector {
    measured: Instant,
    of_day: SystemTime,
}

impl SleepDetector {
    pub(crate) fn new() -> Self {
        Self {
            measured: Instant::now(),
            of_day: SystemTime::now(),
        }
    }

    /// Whether the machine may have slept since the last call.
    pub(crate) fn has_slept(&mut self) -> bool {
        let before = std::mem::replace(self, Self::new());
        // A time of day that was set back is no sleep.
        let of_day = self.of_day.duration_since(before.of_day);
        let measured = self.measured.duration_since(before.measured);
        of_day.is_ok_and(|of_day| of_day > measured + TOLERANCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_time_of_day_that_runs_ahead_is_a_sleep() {
        let hour = Duration::from_secs(3600);
        let mut detector = SleepDetector::new();
        assert!(!detector.has_slept());
        detector.of_day -= hour;
        assert!(detector.has_slept());
        assert!(!detector.has_slept(), "it is told once");
        detector.of_day += hour;
        assert!(!detector.has_slept());
    }
}
