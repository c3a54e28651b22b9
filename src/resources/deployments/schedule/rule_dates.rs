//! The dates of a recurrence rule, as dateutil computes them, as far as is needed to see whether it ever fires.

use chrono::Datelike as _;

use super::rule_calendar::{Days, LAST_YEAR, Year, date_of};
use super::rule_date::SECONDS_A_DAY;
use super::rule_part::{Frequency, NO_TIME, Rule, TIMES, gcd};

/// The error of a rule without a date from now on.
pub(super) const NEVER: &str = "it never fires";

/// How many periods without a date show that there is none: the calendar repeats after 400 years, which are so many years,
/// months, weeks or days.
const CYCLE: [i64; 4] = [400, 4_800, 20_871, 146_097];

/// Easter Sunday repeats less often.
const EASTER_CYCLES: i64 = 5;

/// How many dates the server may compute before it reaches the present: it takes some 10 µs for each.
const MAX_PAST_DATES: i64 = 1_000_000;

/// How many dates a period may have, which the server computes at once: each second of a day and some more.
const MAX_DATES_A_PERIOD: usize = 100_000;

const TOO_MANY_DATES: &str =
    "the server would compute too many dates: it needs a later DTSTART, or fewer dates";

/// How many times of day are looked at; a rule that takes longer counts as one that fires.
const MAX_STEPS: u32 = 5_000_000;

/// Collects the dates from now on.
struct Collector {
    start: i64,
    now: i64,
    until: i64,
    /// How many dates the rule has left (COUNT).
    left: i64,
    most: usize,
    found: Vec<i64>,
    /// How many dates came before.
    past: i64,
    /// Whether the period that is looked at has a date.
    has_date: bool,
}

impl Collector {
    /// Adds a date; returns whether to go on.
    fn add(&mut self, at: i64) -> bool {
        if at > self.until {
            return false;
        }
        if at < self.start {
            return true;
        }
        if self.left <= 0 {
            return false;
        }
        self.left -= 1;
        self.has_date = true;
        match at < self.now {
            true => self.past += 1,
            false => self.found.push(at),
        }
        self.found.len() < self.most
    }
}

impl Rule {
    /// Returns the dates from `now` on, in the order of their times, but not more than `most`.
    ///
    /// Fails as dateutil fails, and for a rule by which the server would search until the year 9999, or too long.
    /// `is_alone` is a rule without a start of its own, for which the server begins near the present.
    pub(super) fn dates(
        &self,
        start: i64,
        now: i64,
        most: usize,
        is_alone: bool,
    ) -> Result<Vec<i64>, String> {
        let collector = Collector {
            start,
            now,
            until: self.until.flatten().map_or(i64::MAX, |until| until.at),
            left: self.count.unwrap_or(i64::MAX),
            most,
            found: Vec::new(),
            past: 0,
            has_date: false,
        };
        let times = self.times_of_a_period(start);
        match self.freq < Frequency::Hourly {
            true => self.by_days(collector, &times),
            false => self.by_times(collector, &times, is_alone),
        }
    }

    /// The seconds, within a day or a shorter period, at which the rule fires: those that it names, or that of its start.
    fn times_of_a_period(&self, start: i64) -> Vec<i64> {
        let mut times = vec![0];
        for (set, (level, limit, unit)) in self.times.iter().zip(TIMES) {
            if level <= self.freq {
                continue;
            }
            let own = start.rem_euclid(SECONDS_A_DAY) / unit % limit;
            let mut values = set.clone().unwrap_or_else(|| vec![own]);
            values.sort_unstable();
            values.dedup();
            let added = |time: &i64| values.iter().map(|value| time + value * unit).collect();
            times = times
                .iter()
                .flat_map(|time| -> Vec<i64> { added(time) })
                .collect();
        }
        times
    }

    /// How many periods without a date are looked at.
    fn cycle(&self) -> i64 {
        let period = (self.freq as usize).min(CYCLE.len() - 1);
        CYCLE[period] * self.easter.as_ref().map_or(1, |_| EASTER_CYCLES)
    }

    /// The dates of a rule whose periods are days or longer.
    fn by_days(&self, mut collector: Collector, times: &[i64]) -> Result<Vec<i64>, String> {
        let Some(first) = date_of(collector.start / SECONDS_A_DAY) else {
            return Ok(Vec::new());
        };
        let (days, mut year) = (Days::new(self, first), Year::default());
        let (mut y, mut month) = (i64::from(first.year()), i64::from(first.month0()));
        let mut day = i64::from(first.num_days_from_ce());
        let mut empty = 0;
        while empty <= self.cycle() {
            let (from, to) = match self.freq {
                Frequency::Yearly | Frequency::Monthly if y > LAST_YEAR => break,
                Frequency::Yearly => {
                    year.rebuild(&days, y, month)?;
                    (0, year.length)
                }
                Frequency::Monthly => {
                    year.rebuild(&days, y, month)?;
                    (year.month_start(month), year.month_start(month + 1))
                }
                _ => {
                    let Some(date) = date_of(day) else { break };
                    year.rebuild(&days, date.year().into(), date.month0().into())?;
                    let length = match self.freq {
                        Frequency::Weekly => 7 - self.day_of_week(day),
                        _ => 1,
                    };
                    (day - year.first, day - year.first + length)
                }
            };
            let fit = (from..to).filter(|day| days.fit(&year, *day));
            let fit: Vec<_> = fit.map(|day| year.first + day).collect();
            let at = |i: usize| fit[i / times.len()] * SECONDS_A_DAY + times[i % times.len()];
            let dates = fit.len() * times.len();
            if dates > MAX_DATES_A_PERIOD || collector.past > MAX_PAST_DATES {
                return Err(TOO_MANY_DATES.to_owned());
            }
            let mut places = self.places(dates).into_iter();
            if !places.all(|i| collector.add(at(i))) {
                return Ok(collector.found);
            }
            match self.freq {
                Frequency::Yearly => y = y.saturating_add(self.interval),
                Frequency::Monthly => {
                    let months = (y * 12 + month).saturating_add(self.interval);
                    (y, month) = (months / 12, months % 12);
                }
                Frequency::Weekly => {
                    let week = day - self.day_of_week(day);
                    day = week.saturating_add(self.interval.saturating_mul(7));
                }
                _ => day = day.saturating_add(self.interval),
            }
            empty = match std::mem::take(&mut collector.has_date) {
                true => 0,
                false => empty + 1,
            };
        }
        // The server would look at each day until the year 9999.
        match self.freq == Frequency::Daily && collector.found.is_empty() {
            true => Err(NEVER.to_owned()),
            false => Ok(collector.found),
        }
    }

    /// How many days of its week come before this one.
    fn day_of_week(&self, day: i64) -> i64 {
        (day - 1 - self.week_start).rem_euclid(7)
    }

    /// The dates of a rule whose periods are hours, minutes or seconds.
    fn by_times(
        &self,
        mut collector: Collector,
        times: &[i64],
        is_alone: bool,
    ) -> Result<Vec<i64>, String> {
        let (_, _, unit) = TIMES[self.freq as usize - Frequency::Hourly as usize];
        let step = self.interval.saturating_mul(unit);
        let base = collector.start - collector.start % unit;
        let cycle = gcd(step, SECONDS_A_DAY);
        let mut reached = 0..SECONDS_A_DAY / cycle;
        if !reached.any(|i| self.is_time((base + i * cycle) % SECONDS_A_DAY)) {
            return Err(NO_TIME.to_owned());
        }
        if times.iter().any(|time| !(0..unit).contains(time)) {
            return Err("a time of day is out of range".to_owned());
        }
        let places = self.places(times.len());
        let a_day = self.dates_a_day(step);
        let Some(first) = date_of(collector.start / SECONDS_A_DAY) else {
            return Ok(Vec::new());
        };
        let (days, mut year) = (Days::new(self, first), Year::default());
        // The first time of the rule that is not before this one.
        let from = |at: i64| {
            let ahead = (at - base).max(0);
            let steps = ahead / step + i64::from(ahead % step != 0);
            steps.saturating_mul(step).saturating_add(base)
        };
        let (mut steps, mut past, mut empty) = (0, 0, 0);
        let mut day = i64::from(first.num_days_from_ce());
        while let Some(date) = date_of(day)
            && empty <= self.cycle()
        {
            year.rebuild(&days, date.year().into(), date.month0().into())?;
            let fits = days.fit(&year, day - year.first) && !places.is_empty();
            let end = (day + 1) * SECONDS_A_DAY;
            let is_past = end <= collector.now;
            past += if fits && is_past { a_day } else { 0 };
            if past > MAX_PAST_DATES && (!is_alone || self.count.is_some()) {
                return Err(TOO_MANY_DATES.to_owned());
            }
            // What is past matters only to a rule that counts.
            let mut at = from(day * SECONDS_A_DAY);
            while at < end && fits && (self.count.is_some() || !is_past) {
                steps += 1;
                if steps > MAX_STEPS {
                    return Ok(vec![collector.now]);
                }
                if self.is_time(at) && !places.iter().all(|i| collector.add(at + times[*i])) {
                    return Ok(collector.found);
                }
                at = at.saturating_add(step);
            }
            empty = match std::mem::take(&mut collector.has_date) || is_past {
                true => 0,
                false => empty + 1,
            };
            day = (day + 1).max(from(end) / SECONDS_A_DAY);
        }
        match collector.found.is_empty() {
            true => Err(NEVER.to_owned()),
            false => Ok(collector.found),
        }
    }

    /// Whether the rule allows this time of day, as far as its periods are concerned.
    fn is_time(&self, at: i64) -> bool {
        let parts = self.times.iter().zip(TIMES);
        let mut own = parts.filter(|(_, (level, ..))| *level <= self.freq);
        own.all(|(set, (_, limit, unit))| {
            set.as_ref()
                .is_none_or(|set| set.contains(&(at / unit % limit)))
        })
    }

    /// About how many dates a day has.
    fn dates_a_day(&self, step: i64) -> i64 {
        let parts = self.times.iter().zip(TIMES);
        parts.fold(SECONDS_A_DAY / step, |dates, (set, (level, limit, _))| {
            let values = set.as_ref().map(|set| set.len() as i64);
            match level <= self.freq {
                true => dates * values.unwrap_or(limit) / limit,
                false => dates * values.unwrap_or(1),
            }
        })
    }

    /// The places of the dates of a period, among so many: all, or those of BYSETPOS.
    fn places(&self, all: usize) -> Vec<usize> {
        if self.positions.is_empty() {
            return (0..all).collect();
        }
        let count = i64::try_from(all).unwrap_or(i64::MAX);
        let places = self.positions.iter().map(|at| match at {
            1.. => at - 1,
            _ => count + at,
        });
        let places = places.filter(|at| (0..count).contains(at));
        let mut places: Vec<_> = places.filter_map(|at| usize::try_from(at).ok()).collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}
