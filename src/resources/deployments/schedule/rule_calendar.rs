//! Which days of a year fit a recurrence rule, as dateutil sees them.

use chrono::{Datelike, NaiveDate};

use super::rule_part::{Frequency, Ints, Rule};

/// The last year of a date in Python.
pub(super) const LAST_YEAR: i64 = 9999;

/// The days of a rule: those that it names, or else those of its start.
pub(super) struct Days<'a> {
    rule: &'a Rule,
    months: Ints,
    month_days: Ints,
    /// Every such weekday.
    weekdays: Vec<i64>,
    /// The weekdays of which only one in a month or year fits, and which one.
    nth: Vec<(i64, i64)>,
}

/// A year, and which of its days fit the parts that depend on the year. A list that is empty fits all days.
#[derive(Default)]
pub(super) struct Year {
    year: i64,
    month: i64,
    /// The number of its first day, counted from the beginning of the calendar.
    pub first: i64,
    /// How many days it has.
    pub length: i64,
    next_length: i64,
    weeks: Vec<bool>,
    nth: Vec<bool>,
    easter: Vec<bool>,
}

impl<'a> Days<'a> {
    pub(super) fn new(rule: &'a Rule, first: NaiveDate) -> Self {
        let none = rule.weeks.is_none()
            && rule.year_days.is_none()
            && rule.month_days.is_none()
            && rule.weekdays.is_none()
            && rule.easter.is_none();
        let (mut months, mut month_days) = (rule.months.clone(), rule.month_days.clone());
        let mut weekdays = rule.weekdays.clone().unwrap_or_default();
        if none {
            match rule.freq {
                Frequency::Yearly => {
                    months = months.or(Some(vec![first.month().into()]));
                    month_days = Some(vec![first.day().into()]);
                }
                Frequency::Monthly => month_days = Some(vec![first.day().into()]),
                Frequency::Weekly => {
                    weekdays = vec![(first.weekday().num_days_from_monday().into(), 0)];
                }
                _ => {}
            }
        }
        let month_days = month_days
            .map(|days| days.into_iter().filter(|day| *day != 0).collect::<Vec<_>>())
            .filter(|days| !days.is_empty());
        let each = |(_, nth): &(i64, i64)| *nth == 0 || rule.freq > Frequency::Monthly;
        Self {
            rule,
            months,
            month_days,
            weekdays: weekdays
                .iter()
                .filter(|day| each(day))
                .map(|day| day.0)
                .collect(),
            nth: weekdays.into_iter().filter(|day| !each(day)).collect(),
        }
    }

    /// Whether the day with this number in the year fits.
    pub(super) fn fit(&self, year: &Year, i: i64) -> bool {
        let Some(date) = date_of(year.first + i) else {
            return false;
        };
        let has = |set: &Ints, values: [i64; 2]| {
            set.as_ref()
                .is_none_or(|set| values.iter().any(|value| set.contains(value)))
        };
        let (month, day) = (i64::from(date.month()), i64::from(date.day()));
        let year_day = if i < year.length {
            [i + 1, i - year.length]
        } else {
            [i + 1 - year.length, i - year.length - year.next_length]
        };
        let mask =
            |mask: &Vec<bool>| mask.is_empty() || mask.get(i as usize).copied().unwrap_or(false);
        has(&self.months, [month; 2])
            && mask(&year.weeks)
            && mask(&year.nth)
            && mask(&year.easter)
            && (self.weekdays.is_empty()
                || self
                    .weekdays
                    .contains(&date.weekday().num_days_from_monday().into()))
            && has(
                &self.month_days,
                [day, day - i64::from(date.num_days_in_month()) - 1],
            )
            && has(&self.rule.year_days, year_day)
    }
}

impl Year {
    /// The number, in the year, of the first day of a month, which is counted from 0.
    pub(super) fn month_start(&self, month: i64) -> i64 {
        first_of(self.year + month / 12, month % 12) - self.first
    }

    /// Computes the days of a year and month, which is counted from 0, as far as they have changed.
    pub(super) fn rebuild(&mut self, days: &Days, year: i64, month: i64) -> Result<(), String> {
        let is_new = year != self.year;
        if is_new {
            self.year = year;
            self.first = first_of(year, 0);
            self.length = first_of(year + 1, 0) - self.first;
            self.next_length = first_of(year + 2, 0) - first_of(year + 1, 0);
            if let Some(weeks) = &days.rule.weeks {
                self.set_weeks(weeks, days.rule.week_start);
            }
            if let Some(offsets) = &days.rule.easter {
                self.set_easter(offsets)?;
            }
        }
        if !days.nth.is_empty() && (is_new || month != self.month) {
            self.set_nth(days, month)?;
        }
        self.month = month;
        Ok(())
    }

    /// The weekday of the first day.
    fn first_weekday(&self) -> i64 {
        (self.first - 1) % 7
    }

    fn set_weeks(&mut self, weeks: &[i64], week_start: i64) {
        let (start, length) = (self.first_weekday(), self.length);
        let first_start = (7 - start + week_start) % 7;
        let is_late = first_start >= 4;
        let week_one = if is_late { 0 } else { first_start };
        let covered = match is_late {
            true => length + (start - week_start).rem_euclid(7),
            false => length - week_one,
        };
        let number = covered / 7 + covered % 7 / 4;
        let mut fit = vec![false; length as usize + 7];
        let mut mark = |first: i64| {
            for day in first..first + 7 {
                fit[day as usize] = true;
                if (start + day + 1) % 7 == week_start {
                    break;
                }
            }
        };
        let shift = match week_one == first_start {
            true => 0,
            false => 7 - first_start,
        };
        for week in weeks {
            let week = match *week {
                back @ ..0 => back.saturating_add(number + 1),
                week => week,
            };
            if week == 1 {
                mark(week_one);
            } else if (2..=number).contains(&week) {
                mark(week_one + (week - 1) * 7 - shift);
            }
        }
        // The first week of the next year may begin in this one, and the last of the year before end in it.
        let next = week_one + number * 7 - shift;
        if weeks.contains(&1) && next < length {
            mark(next);
        }
        if week_one != 0 {
            let last = match weeks.contains(&-1) {
                true => -1,
                false => self.last_week_before(week_one, week_start),
            };
            if weeks.contains(&last) {
                fit[..week_one as usize].fill(true);
            }
        }
        self.weeks = fit;
    }

    /// The number of the last week of the year before, as dateutil computes it.
    fn last_week_before(&self, week_one: i64, week_start: i64) -> i64 {
        let before = first_of(self.year - 1, 0);
        let weekday = (before - 1).rem_euclid(7);
        let covered = match (7 - weekday + week_start) % 7 >= 4 {
            true => self.first - before + (weekday - week_start).rem_euclid(7),
            false => self.length - week_one,
        };
        52 + covered % 7 / 4
    }

    fn set_easter(&mut self, offsets: &[i64]) -> Result<(), String> {
        let size = self.length + 7;
        let sunday = easter(self.year) - 1 + self.month_start(2);
        self.easter = vec![false; size as usize];
        for offset in offsets {
            let day = sunday.saturating_add(*offset);
            let day = if day < 0 { day + size } else { day };
            let fits = usize::try_from(day).ok();
            let fits = fits.and_then(|day| self.easter.get_mut(day));
            *fits.ok_or("BYEASTER is out of range")? = true;
        }
        Ok(())
    }

    fn set_nth(&mut self, days: &Days, month: i64) -> Result<(), String> {
        let start = self.first_weekday();
        let is_yearly = days.rule.freq == Frequency::Yearly;
        let months: Vec<i64> = match (is_yearly, &days.months) {
            (true, Some(months)) => months.clone(),
            (true, None) => vec![0],
            (false, _) => vec![month + 1],
        };
        // dateutil looks days up in a list of this length, whose end it also reaches by negative numbers.
        let size = 385 - start;
        self.nth = vec![false; self.length as usize];
        for month in months {
            // Python counts months from -12 to -2 from the end, one too many.
            let month = match month {
                -12..=-2 => month + 13,
                month => month,
            };
            let (from, last) = match month {
                0 if days.months.is_none() || !is_yearly => (0, self.length - 1),
                1..=12 => (self.month_start(month - 1), self.month_start(month) - 1),
                _ => return Err("BYMONTH is out of range".to_owned()),
            };
            for (weekday, nth) in &days.nth {
                let near = match *nth {
                    back @ ..0 => back
                        .saturating_add(1)
                        .saturating_mul(7)
                        .saturating_add(last),
                    nth => (nth - 1).saturating_mul(7).saturating_add(from),
                };
                if near >= size || near < -size {
                    return Err("BYDAY is out of range".to_owned());
                }
                let index = if near < 0 { near + size } else { near };
                let found = (start + index) % 7;
                let day = match *nth < 0 {
                    true => near - (found - weekday).rem_euclid(7),
                    false => near + (7 - found + weekday) % 7,
                };
                if (from..=last).contains(&day) {
                    self.nth[day as usize] = true;
                }
            }
        }
        Ok(())
    }
}

/// The day with this number, up to the last year that dateutil knows.
pub(super) fn date_of(day: i64) -> Option<NaiveDate> {
    let date = NaiveDate::from_num_days_from_ce_opt(i32::try_from(day).ok()?);
    date.filter(|date| (1..=LAST_YEAR).contains(&i64::from(date.year())))
}

/// The number of the first day of a month, which is counted from 0.
fn first_of(year: i64, month: i64) -> i64 {
    let year = i32::try_from(year).unwrap_or(i32::MAX);
    let month = u32::try_from(month + 1).unwrap_or(1);
    let date = NaiveDate::from_ymd_opt(year, month, 1);
    date.map_or(0, |date| date.num_days_from_ce().into())
}

/// The day of Easter Sunday, counted from 1 March as day 1.
fn easter(year: i64) -> i64 {
    let (g, c) = (year % 19, year / 100);
    let h = (c - c / 4 - (8 * c + 13) / 25 + 19 * g + 15) % 30;
    let i = h - (h / 28) * (1 - (h / 28) * (29 / (h + 1)) * ((21 - g) / 11));
    let j = (year + year / 4 + i + 2 - c + c / 4) % 7;
    let p = i - j;
    let (day, month) = (1 + (p + 27 + (p + 6) / 40) % 31, 3 + (p + 26) / 30);
    day + if month == 4 { 31 } else { 0 }
}
