//! `Schedule`: when a deployment runs, checked before anything is sent.

mod cron;
mod cron_dates;
mod rule;
mod rule_calendar;
mod rule_date;
mod rule_dates;
mod rule_part;
#[cfg(feature = "testing")]
pub(crate) mod upcoming;

use std::time::Duration;

use chrono::{DateTime, Datelike as _, Utc};
use chrono_tz::TZ_VARIANTS;
use cron::Cron;

use crate::error::{Error, Result};
use crate::types::{self, DeploymentScheduleCreate, Json};

const SECONDS_A_YEAR: f64 = 365.2425 * 86_400.0;

/// When a deployment runs: by a cron expression, at an interval, or by a recurrence rule.
///
/// A schedule that the server would refuse, or by which nothing would ever run, is an
/// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) at once, with the reason. All others that the server accepts are
/// accepted; a few unusual forms are left to it.
///
/// ```
/// use std::time::Duration;
/// use chrono::{TimeZone, Utc};
/// use prefect_sdk::{types, deployments::Schedule};
///
/// let nightly = Schedule::cron("0 6 * * mon-fri")?.timezone("Europe/Berlin")?;
/// let nightly = nightly.parameters(serde_json::json!({ "all": true })).slug("night").max_runs(3);
/// let nightly = types::DeploymentScheduleCreate::from(nightly.paused());
///
/// let noon = Utc.with_ymd_and_hms(2026, 1, 1, 12, 0, 0).unwrap();
/// let daily = Schedule::interval(Duration::from_secs(86_400))?.anchor(noon)?;
/// let not_at_christmas = Schedule::rrule("RRULE:FREQ=DAILY\nEXDATE:20261225,20261226")?;
/// let friday_13th = types::Schedule::from(Schedule::cron("0 9 13 * fri")?.day_or(false)?);
/// assert!(Schedule::cron("0 25 * * *").unwrap_err().is_invalid_request());
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a schedule does nothing until it is added to a deployment"]
pub struct Schedule(DeploymentScheduleCreate);

impl Schedule {
    /// Creates a schedule from a cron expression, as Prefect's croniter reads it: minute, hour, day, month,
    /// weekday, and optionally seconds and years; or `@daily` and the like. `L` is the last day of a month.
    ///
    /// # Errors
    ///
    /// When the expression is invalid, or never fires. Prefect does not accept `R` or `H`.
    pub fn cron(expression: &str) -> Result<Self> {
        check_cron(expression, false)?;
        Ok(Self::new(types::CronSchedule::new(expression)))
    }

    /// Creates a schedule from an interval, counted from now unless there is an [`anchor`](Self::anchor).
    ///
    /// # Errors
    ///
    /// When the interval is shorter than half a microsecond, or leads beyond the year 9999.
    pub fn interval(interval: Duration) -> Result<Self> {
        // A Python `timedelta` rounds to microseconds; and the next date must be one of Python's.
        let years_left = f64::from(10_000 - Utc::now().year());
        if !(5e-7..(years_left - 1.0) * SECONDS_A_YEAR).contains(&interval.as_secs_f64()) {
            let why = format!("an interval cannot be {interval:?}");
            return Err(Error::invalid_request(why));
        }
        Ok(Self::new(types::IntervalSchedule::new(interval)))
    }

    /// Creates a schedule from a recurrence rule of RFC 5545, as Prefect's dateutil reads it: at most 6500
    /// characters. Without a `DTSTART` the server counts from midnight of 1 January 2020.
    ///
    /// # Errors
    ///
    /// When the rule is invalid, never fires (as `FREQ=DAILY;COUNT=3`, which is counted from 2020), or would make the
    /// server compute too many dates before the present.
    pub fn rrule(rule: &str) -> Result<Self> {
        check_rule(rule)?;
        Ok(Self::new(types::RRuleSchedule::new(rule)))
    }

    /// Sets the time zone that the schedule follows, by its IANA name. Default: UTC.
    ///
    /// # Errors
    ///
    /// When there is no time zone of that name: `berlin`, `utc` and `+01:00` are not names. (A zone that is
    /// newer than the crate `chrono-tz` can be set in the [`types`].)
    pub fn timezone(mut self, name: &str) -> Result<Self> {
        // Servers know two more zones, and of a cron expression without one that it is UTC.
        let (field, others): (_, &[&str]) = match &mut self.0.schedule {
            types::Schedule::Cron(cron) => (&mut cron.timezone, &["Factory", "localtime", ""]),
            types::Schedule::Interval(interval) => {
                (&mut interval.timezone, &["Factory", "localtime"])
            }
            types::Schedule::RRule(rule) => (&mut rule.timezone, &["Factory"]),
            _ => return Err(Error::invalid_request("the schedule is of an unknown type")),
        };
        if !is_zone(name) && !others.contains(&name) {
            return Err(invalid("time zone", name, "it is not an IANA name"));
        }
        *field = name.into();
        Ok(self)
    }

    /// Sets a time from which the interval counts, forwards and backwards.
    ///
    /// # Errors
    ///
    /// When the schedule is not an interval.
    pub fn anchor(mut self, date: DateTime<Utc>) -> Result<Self> {
        let types::Schedule::Interval(interval) = &mut self.0.schedule else {
            return Err(Error::invalid_request("`anchor` is for an interval only"));
        };
        interval.anchor_date = Some(date);
        Ok(self)
    }

    /// Sets whether a cron expression with both days and weekdays means either (the default) or, with
    /// `false`, only the days that match both.
    ///
    /// # Errors
    ///
    /// When the schedule is not a cron expression, or never fires in this way.
    pub fn day_or(mut self, either: bool) -> Result<Self> {
        let types::Schedule::Cron(cron) = &mut self.0.schedule else {
            return Err(Error::invalid_request("`day_or` is for cron expressions"));
        };
        check_cron(&cron.cron, !either)?;
        cron.day_or = Some(either);
        Ok(self)
    }

    /// Sets the parameters that its runs get instead of the deployment's own: a JSON object.
    pub fn parameters(self, parameters: impl Into<Json>) -> Self {
        Self(self.0.parameters(parameters))
    }

    /// Sets a name that is unique in the deployment.
    pub fn slug(self, slug: impl Into<String>) -> Self {
        Self(self.0.slug(slug.into()))
    }

    /// Sets how many runs are planned ahead at most: from 1 to the server's own limit (50 by default).
    pub fn max_runs(self, runs: u32) -> Self {
        Self(self.0.max_scheduled_runs(runs))
    }

    /// Plans no runs until the schedule is made active.
    pub fn paused(self) -> Self {
        Self(self.0.active(false))
    }

    fn new(schedule: impl Into<types::Schedule>) -> Self {
        Self(DeploymentScheduleCreate::new(schedule))
    }
}

impl From<Schedule> for DeploymentScheduleCreate {
    fn from(schedule: Schedule) -> Self {
        schedule.0
    }
}

/// Keeps only the times: without parameters, slug, number of runs and pause.
impl From<Schedule> for types::Schedule {
    fn from(schedule: Schedule) -> Self {
        schedule.0.schedule
    }
}

fn invalid(what: &str, text: &str, why: &str) -> Error {
    Error::invalid_request(format!("the {what} {text:?} is invalid: {why}"))
}

/// The error of a schedule that the server takes, but by which nothing ever runs.
const NEVER: &str =
    "it never fires, and the server would plan no run of the other schedules either";

fn check_cron(text: &str, is_both: bool) -> Result<()> {
    let wrong = |why: &str| invalid("cron expression", text, why);
    // Python reads digits of other scripts, too.
    if text.chars().any(|c| !c.is_ascii() && c.is_numeric()) {
        return Ok(());
    }
    let cron = Cron::parse(text).map_err(|why| wrong(&why))?;
    match cron.fires(Utc::now().naive_utc(), is_both) {
        true => Ok(()),
        false => Err(wrong(NEVER)),
    }
}

/// Whether there is a time zone of this name.
fn is_zone(name: &str) -> bool {
    TZ_VARIANTS.iter().any(|zone| zone.name() == name)
}

fn check_rule(text: &str) -> Result<()> {
    // Python reads digits and white space of other scripts, too.
    if !text.is_ascii() {
        return Ok(());
    }
    rule::check(text, Utc::now().naive_utc(), is_zone)
        .map_err(|why| invalid("recurrence rule", text, &why))
}

#[cfg(test)]
mod tests;
