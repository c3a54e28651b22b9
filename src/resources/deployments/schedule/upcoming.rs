//! The dates of schedules from a time on: the fake server of the test kit plans runs by them.

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use chrono_tz::Tz;

use super::cron::{Cron, is_space};
use super::rule_date::{Date, SECONDS_A_DAY, read_date, seconds};
use super::rule_part::{Frequency, Rule};

/// Where a rule without a DTSTART starts.
const DEFAULT_START: NaiveDate = NaiveDate::from_ymd_opt(2020, 1, 1).expect("a date");

/// The dates of a cron expression, without end.
pub(crate) struct CronDates {
    cron: Cron,
    is_both: bool,
    at: NaiveDateTime,
}

impl CronDates {
    /// The dates after this one; `is_both` means that days and weekdays must both match.
    pub(crate) fn after(text: &str, is_both: bool, after: NaiveDateTime) -> Result<Self, String> {
        let cron = Cron::parse(text)?;
        Ok(Self {
            cron,
            is_both,
            at: after,
        })
    }
}

impl Iterator for CronDates {
    type Item = NaiveDateTime;

    fn next(&mut self) -> Option<NaiveDateTime> {
        self.at = self.cron.next(self.at, self.is_both)?;
        Some(self.at)
    }
}

/// The time zone of a name.
pub(crate) fn zone(name: &str) -> Option<Tz> {
    name.parse().ok()
}

/// A recurrence rule with at most a start beside it.
pub(crate) struct PlainRule {
    rule: Rule,
    start: Option<i64>,
}

impl PlainRule {
    /// Reads `DTSTART:…` and one rule; all other forms are an error.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let upper = text.to_ascii_uppercase();
        let lines: Vec<_> = upper
            .split(is_space)
            .filter(|line| !line.is_empty())
            .collect();
        let (start, rule) = match &*lines {
            [rule] => (None, rule),
            [start, rule] => (Some(start), rule),
            _ => return Err("it has several parts".to_owned()),
        };
        let start: Option<Date> = match start {
            None => None,
            Some(line) => {
                let date = line.strip_prefix("DTSTART:").and_then(read_date);
                Some(date.ok_or_else(|| format!("{line:?} is not read here"))?)
            }
        };
        if !text.is_ascii() || start == Some(None) {
            return Err("it has dates that are not read here".to_owned());
        }
        let rule = Rule::parse(rule.strip_prefix("RRULE:").unwrap_or(rule))?;
        let rule = rule.check(start)?;
        if rule.until == Some(None) {
            return Err("it has an UNTIL that is not read here".to_owned());
        }
        let start = start.flatten().map(|start| start.at);
        Ok(Self { rule, start })
    }

    /// After how many seconds the rule fires again, if it does so each so many seconds or minutes without an end by number.
    pub(crate) fn short_period(&self) -> Option<i64> {
        let unit = match self.rule.freq {
            Frequency::Minutely => 60,
            Frequency::Secondly => 1,
            _ => return None,
        };
        let endless = self.rule.count.is_none();
        endless.then(|| self.rule.interval.saturating_mul(unit))
    }

    /// The dates from this one on, but not more than so many.
    pub(crate) fn dates(
        &self,
        from: NaiveDateTime,
        most: usize,
    ) -> Result<Vec<NaiveDateTime>, String> {
        let start = self.start.unwrap_or_else(|| seconds(DEFAULT_START.into()));
        let found = self.rule.dates(start, seconds(from), most, false)?;
        Ok(found.into_iter().filter_map(date).collect())
    }
}

/// The date so many seconds after the year 0.
fn date(at: i64) -> Option<NaiveDateTime> {
    let day = i32::try_from(at.div_euclid(SECONDS_A_DAY)).ok()?;
    let midnight = NaiveDate::from_num_days_from_ce_opt(day)?.and_hms_opt(0, 0, 0)?;
    midnight.checked_add_signed(TimeDelta::seconds(at.rem_euclid(SECONDS_A_DAY)))
}
