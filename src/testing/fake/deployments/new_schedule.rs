//! Schedules as they are requested, and as the server completes them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::interval_step::step;
use super::invalid_schedule::invalid;
use super::schedule_text::{check_cron, check_zone, clock, short_period};
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::row;
use crate::types::{
    CronSchedule, DeploymentSchedule, DeploymentScheduleCreate, IntervalSchedule, Json,
    RRuleSchedule, Schedule, Seconds,
};

/// The most that `max_scheduled_runs` may be (`PREFECT_DEPLOYMENT_SCHEDULE_MAX_SCHEDULED_RUNS`).
const MAX_SCHEDULED_RUNS: i64 = 50;

/// The most characters of a recurrence rule.
const MAX_RULE: usize = 6500;

/// Where the server starts a rule that does not say so.
const RULE_START: NaiveDate = NaiveDate::from_ymd_opt(2020, 1, 1).expect("a date");

/// Refuses what is no number of runs.
pub(super) fn check_most(most: Option<i64>) -> Result<(), Refusal> {
    match most {
        Some(most) if !(1..=MAX_SCHEDULED_RUNS).contains(&most) => Err(invalid(&format!(
            "`max_scheduled_runs` must be less than or equal to {MAX_SCHEDULED_RUNS}."
        ))),
        _ => Ok(()),
    }
}

/// A new schedule of a deployment.
pub(super) fn new_schedule(
    now: DateTime<Utc>,
    deployment: Uuid,
    new: DeploymentScheduleCreate,
) -> Result<DeploymentSchedule, Refusal> {
    if !new.extra.is_empty() {
        return Err(invalid("Extra inputs are not permitted"));
    }
    check_most(*new.max_scheduled_runs)?;
    let mut schedule: DeploymentSchedule = row(json!({
        "id": Uuid::new_v4(), "created": now, "updated": now, "deployment_id": deployment,
        "schedule": {"cron": "* * * * *"}, "active": new.active.unwrap_or(true),
        "max_scheduled_runs": *new.max_scheduled_runs, "parameters": {}, "slug": *new.slug,
    }))?;
    schedule.schedule = complete(now, new.schedule)?;
    if let Some(parameters) = new.parameters {
        check_parameters(&parameters)?;
        schedule.parameters = Some(parameters);
    }
    Ok(schedule)
}

pub(super) fn check_parameters(parameters: &Json) -> Result<(), Refusal> {
    match parameters.as_str().starts_with('{') {
        true => Ok(()),
        false => Err(invalid("Input should be a valid dictionary")),
    }
}

/// A schedule with what the server adds; one that it would refuse is refused.
pub(super) fn complete(now: DateTime<Utc>, schedule: Schedule) -> Result<Schedule, Refusal> {
    Ok(match schedule {
        Schedule::Interval(interval) => Schedule::Interval(complete_interval(now, interval)?),
        Schedule::Cron(cron) => Schedule::Cron(complete_cron(cron)?),
        Schedule::RRule(rule) => Schedule::RRule(complete_rule(now, rule)?),
        _ => return Err(invalid("Field required")),
    })
}

fn complete_interval(
    now: DateTime<Utc>,
    mut interval: IntervalSchedule,
) -> Result<IntervalSchedule, Refusal> {
    let step = step(&interval).ok_or_else(|| invalid("Input should be a valid timedelta"))?;
    let micros = step.num_microseconds().unwrap_or(0);
    if micros <= 0 {
        return Err(invalid("Value error, interval must be positive"));
    }
    if !interval.extra.is_empty() {
        return Err(invalid("Extra inputs are not permitted"));
    }
    interval.interval = Seconds::from(micros as f64 / 1e6);
    interval.anchor_date.get_or_insert(now);
    check_zone(interval.timezone.as_deref())?;
    if interval.timezone.is_none() {
        interval.timezone = "UTC".into();
    }
    let (is_utc, days) = (interval.timezone == "UTC", step.num_days());
    if !is_utc && days > 0 && step != chrono::TimeDelta::days(days) {
        return Err(Refusal::unsupported(
            "an interval of days and a part of a day in a time zone",
        ));
    }
    Ok(interval)
}

fn complete_cron(mut cron: CronSchedule) -> Result<CronSchedule, Refusal> {
    if !cron.extra.is_empty() {
        return Err(invalid("Extra inputs are not permitted"));
    }
    check_cron(&cron.cron)?;
    check_zone(cron.timezone.as_deref().filter(|zone| !zone.is_empty()))?;
    cron.timezone = cron.timezone.into_option().into();
    cron.day_or.get_or_insert(true);
    Ok(cron)
}

fn complete_rule(now: DateTime<Utc>, mut rule: RRuleSchedule) -> Result<RRuleSchedule, Refusal> {
    if !rule.extra.is_empty() {
        return Err(invalid("Extra inputs are not permitted"));
    }
    if rule.rrule.len() > MAX_RULE {
        return Err(invalid("Value error, Invalid RRule string"));
    }
    check_zone(rule.timezone.as_deref())?;
    if rule.timezone.is_unset() {
        rule.timezone = "UTC".into();
    }
    let period = short_period(&rule.rrule)?;
    if !rule.rrule.to_uppercase().contains("DTSTART") {
        let start = start_of(now, period, rule.timezone.as_deref())?;
        let start = start.format("%Y%m%dT%H%M%S");
        rule.rrule = format!("DTSTART:{start}\n{}", rule.rrule);
    }
    Ok(rule)
}

/// Where a rule starts: one that fires often starts near the present, so that the server need not count from 2020 each time.
fn start_of(
    now: DateTime<Utc>,
    period: Option<i64>,
    zone: Option<&str>,
) -> Result<NaiveDateTime, Refusal> {
    let first = RULE_START.and_time(chrono::NaiveTime::MIN);
    let Some(period) = period.filter(|period| *period > 0) else {
        return Ok(first);
    };
    let clock = clock(now, zone)?;
    let ahead = (clock - first).num_seconds().max(0);
    Ok(first + chrono::TimeDelta::seconds(ahead / period * period))
}
