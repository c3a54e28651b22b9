//! The dates of schedules that follow a calendar: cron expressions, recurrence rules, and days of a time zone.

use chrono::{
    DateTime, Duration, FixedOffset, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc,
};
use chrono_tz::Tz;

use super::interval_step::step;
use crate::resources::deployments::upcoming::{CronDates, PlainRule, zone};
use crate::testing::fake::reply::Refusal;
use crate::types::{CronSchedule, IntervalSchedule, RRuleSchedule, Schedule};

/// How many days an interval is counted on from its anchor.
const MAX_STEPS: usize = 100_000;

/// The same, for what comes before the anchor.
const MAX_DAYS_BACK: i64 = 100_000;

const PARTS_OF_DAYS: &str = "an interval of days and a part of a day in a time zone";

/// By how much clocks are changed at most.
const MAX_CHANGE: TimeDelta = Duration::hours(3);

type Dates = Result<Vec<DateTime<FixedOffset>>, Refusal>;

pub(super) fn dates(
    schedule: &Schedule,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    count: usize,
) -> Dates {
    match schedule {
        Schedule::Cron(cron) => of_cron(cron, start, end, count),
        Schedule::RRule(rule) => of_rule(rule, start, end, count),
        Schedule::Interval(interval) => of_days(interval, start, end, count),
        _ => Err(Refusal::unsupported("an unknown schedule")),
    }
}

/// A date by the clocks of a zone.
pub(super) fn local(
    date: DateTime<Utc>,
    name: Option<&str>,
) -> Result<DateTime<FixedOffset>, Refusal> {
    Ok(date.with_timezone(&zone_of(name)?).fixed_offset())
}

fn of_cron(cron: &CronSchedule, start: DateTime<Utc>, end: DateTime<Utc>, count: usize) -> Dates {
    let zone = zone_of(cron.timezone.as_deref())?;
    let is_both = cron.day_or == Some(false);
    // A time that the clocks skip fires later: it may be before the start by the clock, and after it in time.
    let changes = zone != Tz::UTC;
    let before = if changes { start - MAX_CHANGE } else { start };
    let clock = before.with_timezone(&zone).naive_local();
    let whole = clock.with_nanosecond(0).unwrap_or(clock);
    let after = match whole == clock {
        true => whole - TimeDelta::seconds(1),
        false => whole,
    };
    let found = CronDates::after(&cron.cron, is_both, after).map_err(|why| wrong(&why))?;
    // What the clocks skip comes later than what follows it.
    let margin = if changes {
        MAX_CHANGE
    } else {
        TimeDelta::zero()
    };
    let (mut dates, mut last) = (Vec::new(), end);
    for clock in found {
        let date = first_at(&zone, clock)?;
        if date > last + margin {
            break;
        }
        if date >= start && date <= end {
            dates.push(date);
        }
        if dates.len() == count {
            last = last.min(date.with_timezone(&Utc));
        }
    }
    Ok(finish(dates, count))
}

fn of_rule(rule: &RRuleSchedule, start: DateTime<Utc>, end: DateTime<Utc>, count: usize) -> Dates {
    // The server takes null for the time zone, and fails when it computes dates.
    let zone = rule.timezone.as_deref();
    let zone = zone.ok_or_else(|| Refusal::message(500, "Internal Server Error"))?;
    let zone = zone_of(Some(zone))?;
    let from = (start - MAX_CHANGE).with_timezone(&zone).naive_local();
    let read = PlainRule::read(&rule.rrule).map_err(|why| wrong(&why))?;
    let mut most = count.saturating_mul(2);
    loop {
        let found = read.dates(from, most).map_err(|why| wrong(&why))?;
        let mut is_all = found.len() < most;
        let mut dates = Vec::new();
        for clock in found {
            let date = first_at(&zone, clock)?;
            is_all |= date > end + MAX_CHANGE;
            if date >= start && date <= end {
                dates.push(date);
            }
        }
        if is_all || dates.len() >= count || most > 1_000_000 {
            return Ok(finish(dates, count));
        }
        most = most.saturating_mul(8);
    }
}

/// Whole days keep their time by the clock. One that the clocks skip is later, and so are all that follow it.
fn of_days(
    interval: &IntervalSchedule,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    count: usize,
) -> Dates {
    let zone = zone_of(interval.timezone.as_deref())?;
    let anchor = interval.anchor_date.unwrap_or(start);
    let step = step(interval).filter(|step| *step == TimeDelta::days(step.num_days()));
    let step = step.ok_or_else(|| Refusal::unsupported(PARTS_OF_DAYS))?;
    let mut dates = Vec::new();
    let mut date = anchor.with_timezone(&zone);
    // What comes before the anchor is counted back from it.
    let anchored = date.naive_local();
    let back = ((anchor - start).num_days() / step.num_days()).max(0) + 1;
    for number in (1..=back.min(MAX_DAYS_BACK)).rev() {
        let days = TimeDelta::days(step.num_days().saturating_mul(number));
        let earlier = anchored
            .checked_sub_signed(days)
            .map(|clock| last_at(&zone, clock));
        if let Some(earlier) = earlier
            .transpose()?
            .filter(|date| (start..=end).contains(date) && anchor > start)
            && dates.len() < count
        {
            dates.push(earlier);
        }
    }
    for _ in 0..MAX_STEPS {
        let now = date.with_timezone(&Utc);
        if now > end || dates.len() >= count {
            return Ok(finish(dates, count));
        }
        if now >= start {
            dates.push(date);
        }
        date = last_at(&zone, date.naive_local() + step)?;
    }
    Err(Refusal::unsupported("an interval whose anchor is ages ago"))
}

/// The last time at which the clocks show this; what they skip is as much later.
fn last_at(zone: &Tz, clock: NaiveDateTime) -> Result<DateTime<Tz>, Refusal> {
    match zone.from_local_datetime(&clock) {
        LocalResult::Single(date) | LocalResult::Ambiguous(_, date) => Ok(date),
        LocalResult::None => first_at(zone, clock),
    }
}

/// The first time at which the clocks show this; what they skip is as much later.
fn first_at(zone: &Tz, clock: NaiveDateTime) -> Result<DateTime<Tz>, Refusal> {
    match zone.from_local_datetime(&clock) {
        LocalResult::Single(date) | LocalResult::Ambiguous(date, _) => Ok(date),
        LocalResult::None => {
            let earlier = zone.from_local_datetime(&(clock - MAX_CHANGE)).earliest();
            let earlier = earlier.ok_or_else(|| Refusal::unsupported("this change of clocks"))?;
            Ok(earlier + MAX_CHANGE)
        }
    }
}

fn finish(mut dates: Vec<DateTime<Tz>>, count: usize) -> Vec<DateTime<FixedOffset>> {
    dates.sort_unstable();
    dates.dedup();
    dates.truncate(count);
    dates.iter().map(DateTime::fixed_offset).collect()
}

fn zone_of(name: Option<&str>) -> Result<Tz, Refusal> {
    let name = name.filter(|name| !name.is_empty()).unwrap_or("UTC");
    zone(name).ok_or_else(|| Refusal::unsupported(format!("the time zone {name}")))
}

fn wrong(why: &str) -> Refusal {
    Refusal::unsupported(format!("the dates of this schedule ({why})"))
}
