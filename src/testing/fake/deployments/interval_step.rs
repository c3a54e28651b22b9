//! The length of an interval.

use chrono::TimeDelta;

use crate::types::IntervalSchedule;

/// The length of an interval in whole microseconds, as Python rounds it; `None` where it is too long for that.
pub(super) fn step(interval: &IntervalSchedule) -> Option<TimeDelta> {
    let micros = interval.interval.as_f64() * 1e6;
    (micros.abs() < 9e18).then(|| TimeDelta::microseconds(micros.round() as i64))
}
