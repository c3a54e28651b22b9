//! Cron expressions, recurrence rules and time zones are not understood without the feature `schedules`.

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::testing::fake::reply::Refusal;

const WITHOUT: &str =
    "cron expressions, recurrence rules and time zones without the feature `schedules`";

pub(super) fn check_cron(_: &str) -> Result<(), Refusal> {
    Err(Refusal::unsupported(WITHOUT))
}

pub(super) fn short_period(_: &str) -> Result<Option<i64>, Refusal> {
    Err(Refusal::unsupported(WITHOUT))
}

pub(super) fn check_zone(name: Option<&str>) -> Result<(), Refusal> {
    match name {
        None | Some("UTC") => Ok(()),
        Some(_) => Err(Refusal::unsupported(WITHOUT)),
    }
}

pub(super) fn clock(now: DateTime<Utc>, _: Option<&str>) -> Result<NaiveDateTime, Refusal> {
    Ok(now.naive_utc())
}
