//! Cron expressions, recurrence rules and time zones in requests.

use chrono::{DateTime, NaiveDateTime, Utc};

use super::invalid_schedule::invalid;
use crate::resources::deployments::upcoming::{CronDates, PlainRule, zone};
use crate::testing::fake::reply::Refusal;

pub(super) fn check_cron(text: &str) -> Result<(), Refusal> {
    let is_unsupported = |field: &str| matches!(field, "r" | "R" | "h" | "H");
    let is_wrong = CronDates::after(text, false, NaiveDateTime::default()).is_err();
    match is_wrong || text.split_whitespace().any(is_unsupported) {
        true => Err(invalid(&format!(
            "Value error, Invalid cron string: \"{text}\""
        ))),
        false => Ok(()),
    }
}

/// The period of a rule that fires each so many seconds or minutes without an end.
pub(super) fn short_period(text: &str) -> Result<Option<i64>, Refusal> {
    let rule = PlainRule::read(text);
    let rule = rule.map_err(|why| {
        if why == "there is no FREQ" {
            return Refusal::message(500, "Internal Server Error");
        }
        Refusal::unsupported(format!("the recurrence rule {text:?} ({why})"))
    })?;
    Ok(rule.short_period())
}

pub(super) fn check_zone(name: Option<&str>) -> Result<(), Refusal> {
    match name {
        Some(name) if zone(name).is_none() => Err(invalid(&format!(
            "Value error, Invalid timezone: \"{name}\" (specify in IANA tzdata format, for example, America/New_York)"
        ))),
        _ => Ok(()),
    }
}

pub(super) fn clock(now: DateTime<Utc>, name: Option<&str>) -> Result<NaiveDateTime, Refusal> {
    let zone = zone(name.unwrap_or("UTC"));
    let zone = zone.ok_or_else(|| Refusal::unsupported("this time zone"))?;
    Ok(now.with_timezone(&zone).naive_local())
}
