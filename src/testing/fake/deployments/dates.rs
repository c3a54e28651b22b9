//! The dates of a schedule.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};

#[cfg(feature = "schedules")]
use super::calendar::{dates as by_calendar, local};
use super::interval_step::step;
use crate::testing::fake::reply::Refusal;
use crate::types::{IntervalSchedule, Schedule};

/// How many dates a schedule yields at most.
const MOST: usize = 1000;

/// The dates from one time to another, both included: the first so many of them, but always one if there is one.
pub(super) fn dates(
    schedule: &Schedule,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    count: i64,
) -> Result<Vec<DateTime<FixedOffset>>, Refusal> {
    let count = usize::try_from(count).unwrap_or(0).clamp(1, MOST);
    if let Schedule::Interval(interval) = schedule
        && let Some(step) = exact_step(interval)
    {
        let anchor = interval.anchor_date.unwrap_or(start);
        let ahead = (start - anchor).num_microseconds();
        let step_size = step.num_microseconds();
        let (Some(ahead), Some(size)) = (ahead, step_size.filter(|size| *size > 0)) else {
            return Err(Refusal::unsupported("an interval of ages"));
        };
        let behind = ahead.rem_euclid(size);
        let first = start + TimeDelta::microseconds(if behind == 0 { 0 } else { size - behind });
        let dates = std::iter::successors(Some(first), |date| date.checked_add_signed(step));
        let dates = dates.take_while(|date| *date <= end).take(count);
        let zone = interval.timezone.as_deref();
        return dates.map(|date| local(date, zone)).collect();
    }
    by_calendar(schedule, start, end, count)
}

#[cfg(not(feature = "schedules"))]
fn by_calendar(
    _: &Schedule,
    _: DateTime<Utc>,
    _: DateTime<Utc>,
    _: usize,
) -> Result<Vec<DateTime<FixedOffset>>, Refusal> {
    Err(Refusal::unsupported(
        "the dates of this schedule without the feature `schedules`",
    ))
}

/// The time between dates, if it is always the same: below a day, and where no clock is ever changed.
fn exact_step(interval: &IntervalSchedule) -> Option<TimeDelta> {
    let step = step(interval)?;
    let is_utc = interval
        .timezone
        .as_deref()
        .is_none_or(|zone| zone == "UTC");
    (is_utc || step < TimeDelta::days(1)).then_some(step)
}

#[cfg(not(feature = "schedules"))]
fn local(date: DateTime<Utc>, zone: Option<&str>) -> Result<DateTime<FixedOffset>, Refusal> {
    match zone {
        None | Some("UTC") => Ok(date.fixed_offset()),
        Some(_) => Err(Refusal::unsupported(
            "a time zone without the feature `schedules`",
        )),
    }
}
