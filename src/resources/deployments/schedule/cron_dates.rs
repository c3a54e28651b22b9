//! The dates of a cron expression, as croniter looks for them.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

use super::cron::{Cron, DAY, Field, HOUR, MINUTE, MONTH, SECOND, WEEKDAY, YEAR};

/// How many years croniter looks ahead.
const MAX_YEARS: i32 = 50;

/// How far ahead the server plans runs, by default.
const MAX_PLANNED_DAYS: i64 = 100;

impl Cron {
    /// Whether the server ever plans a run: it fails unless there are three more dates, or one that is further away than it
    /// plans. `is_both` means that days and weekdays must both match.
    pub(super) fn fires(&self, now: NaiveDateTime, is_both: bool) -> bool {
        let second = self
            .next(now, is_both)
            .and_then(|first| self.next(first, is_both));
        second.is_some_and(|second| {
            second > now + TimeDelta::days(MAX_PLANNED_DAYS) || self.next(second, is_both).is_some()
        })
    }

    /// The next date after this one.
    pub(super) fn next(&self, after: NaiveDateTime, is_both: bool) -> Option<NaiveDateTime> {
        if is_both || self.fields[DAY].any || self.fields[WEEKDAY].any {
            return self.search(after, true, true);
        }
        // croniter gives up if either has no date. (`#` and `L` hold for both.)
        let by_days = self.search(after, true, false)?;
        Some(by_days.min(self.search(after, false, true)?))
    }

    /// Moves on to the next value of the first field that does not fit, until all do.
    fn search(
        &self,
        after: NaiveDateTime,
        by_day: bool,
        by_weekday: bool,
    ) -> Option<NaiveDateTime> {
        let mut at = match self.fields.len() {
            5 => (after + TimeDelta::minutes(1)).with_second(0)?,
            _ => after + TimeDelta::seconds(1),
        };
        let last_year = at.year() + MAX_YEARS;
        while at.year() <= last_year {
            if let Some(year) = self.years_to(at)? {
                at = midnight(NaiveDate::from_ymd_opt(year, 1, 1)?);
                continue;
            }
            let months = self.way(MONTH, at.month(), 12);
            if months != 0 {
                at = midnight(at.date().with_day(1)? + Months::new(months));
                continue;
            }
            let days = if by_day { self.days_to(at) } else { 0 };
            let days = match days {
                0 if !self.nth.is_empty() => self.days_to_nth(at),
                0 if by_weekday => self.way(WEEKDAY, at.weekday().num_days_from_sunday(), 7),
                days => days,
            };
            if days != 0 {
                at = midnight(at.date() + Days::new(days.into()));
                continue;
            }
            let hours = self.way(HOUR, at.hour(), 24);
            if hours != 0 {
                at = at.with_minute(0)?.with_second(0)? + TimeDelta::hours(hours.into());
                continue;
            }
            let minutes = self.way(MINUTE, at.minute(), 60);
            if minutes != 0 {
                at = at.with_second(0)? + TimeDelta::minutes(minutes.into());
                continue;
            }
            let seconds = self.way(SECOND, at.second(), 60);
            if seconds != 0 {
                at += TimeDelta::seconds(seconds.into());
                continue;
            }
            return Some(at);
        }
        None
    }

    /// How far it is to the next value of a field, maybe in the next round.
    fn way(&self, place: usize, now: u32, round: u32) -> u32 {
        match self.fields.get(place) {
            Some(Field {
                any: false, values, ..
            }) => next_of(values, now).unwrap_or_else(|| first_of(values) + round) - now,
            _ => 0,
        }
    }

    /// The next year that fits, unless it is this one; `None` if there is none.
    fn years_to(&self, at: NaiveDateTime) -> Option<Option<i32>> {
        let Some(Field {
            any: false, values, ..
        }) = self.fields.get(YEAR)
        else {
            return Some(None);
        };
        let now = u32::try_from(at.year()).ok()?;
        let year = i32::try_from(next_of(values, now)?).ok()?;
        Some((year != at.year()).then_some(year))
    }

    /// How many days it is to one that fits. (croniter adds this month's length even if the next one is longer.)
    fn days_to(&self, at: NaiveDateTime) -> u32 {
        let (field, length) = (&self.fields[DAY], u32::from(at.date().num_days_in_month()));
        if field.any || field.last && at.day() == length {
            return 0;
        }
        let next = next_of(&field.values, at.day()).or(field.last.then_some(length));
        next.unwrap_or_else(|| first_of(&field.values) + length) - at.day()
    }

    /// How many days it is to one of the weekdays of which only one in a month fits, or to the next month.
    fn days_to_nth(&self, at: NaiveDateTime) -> u32 {
        let length = u32::from(at.date().num_days_in_month());
        let today = at.weekday().num_days_from_sunday();
        let fits = |day: &u32| {
            let weekday = u64::from((today + day - at.day()) % 7);
            let number = u64::from((day - 1) / 7 + 1);
            let is_last = day + 7 > length;
            let mut nth = self.nth.iter().filter(|(fitting, _)| *fitting == weekday);
            nth.any(|(_, nth)| nth.map_or(is_last, |nth| nth == number))
        };
        let next = (at.day()..=length).find(fits);
        next.unwrap_or(length + 1) - at.day()
    }
}

/// The first of the values that is not below this one.
fn next_of(values: &[u64], now: u32) -> Option<u32> {
    let next = values.iter().find(|value| **value >= u64::from(now))?;
    u32::try_from(*next).ok()
}

fn first_of(values: &[u64]) -> u32 {
    let first = values.first().copied().unwrap_or_default();
    u32::try_from(first).unwrap_or_default()
}

fn midnight(date: NaiveDate) -> NaiveDateTime {
    date.and_time(NaiveTime::MIN)
}
