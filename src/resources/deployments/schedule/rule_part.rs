//! One recurrence rule: its parts, and the checks of dateutil.

use super::rule_date::{Date, read_date};

/// The values of a part, if the rule has it.
pub(super) type Ints = Option<Vec<i64>>;

const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Frequency {
    #[default]
    Yearly,
    Monthly,
    Weekly,
    Daily,
    Hourly,
    Minutely,
    Secondly,
}

impl Frequency {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "YEARLY" => Self::Yearly,
            "MONTHLY" => Self::Monthly,
            "WEEKLY" => Self::Weekly,
            "DAILY" => Self::Daily,
            "HOURLY" => Self::Hourly,
            "MINUTELY" => Self::Minutely,
            "SECONDLY" => Self::Secondly,
            _ => return None,
        })
    }
}

/// The frequencies of hours, minutes and seconds, the number of values that each has, and its length in seconds.
pub(super) const TIMES: [(Frequency, i64, i64); 3] = [
    (Frequency::Hourly, 24, 3600),
    (Frequency::Minutely, 60, 60),
    (Frequency::Secondly, 60, 1),
];

/// A rule.
#[derive(Debug, Default)]
pub(super) struct Rule {
    pub freq: Frequency,
    pub interval: i64,
    pub count: Option<i64>,
    pub until: Option<Date>,
    /// Days are counted from Monday as 0.
    pub week_start: i64,
    /// BYSETPOS.
    pub positions: Vec<i64>,
    pub months: Ints,
    pub month_days: Ints,
    pub year_days: Ints,
    pub easter: Ints,
    pub weeks: Ints,
    /// Weekdays, and which one of each; 0 means every one.
    pub weekdays: Option<Vec<(i64, i64)>>,
    /// BYHOUR, BYMINUTE and BYSECOND.
    pub times: [Ints; 3],
}

/// The error of a rule that skips all times it allows.
pub(super) const NO_TIME: &str = "INTERVAL leaves no time of day";

/// Python's `int`: a sign, digits, single `_` between digits, at most 4300 digits.
fn int(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let bad = digits.starts_with('_')
        || digits.ends_with('_')
        || digits.contains("__")
        || digits.is_empty();
    if bad || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
        return None;
    }
    let digits = digits.replace('_', "");
    if digits.len() > 4300 {
        return None;
    }
    let value = digits.bytes().fold(0i64, |n, b| {
        n.saturating_mul(10).saturating_add((b - b'0').into())
    });
    Some(if text.starts_with('-') { -value } else { value })
}

impl Rule {
    /// Parses `FREQ=DAILY;COUNT=3`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut has_frequency = false;
        let mut rule = Self {
            interval: 1,
            ..Self::default()
        };
        for part in text.split(';') {
            rule.part(part)
                .ok_or_else(|| format!("{part:?} is wrong"))?;
            has_frequency |= part.starts_with("FREQ=");
        }
        match has_frequency {
            true => Ok(rule),
            false => Err("there is no FREQ".to_owned()),
        }
    }

    fn part(&mut self, part: &str) -> Option<()> {
        let (name, value) = part.split_once('=')?;
        if value.contains(['=', ':']) {
            return None;
        }
        let ints = || value.split(',').map(int).collect::<Option<Vec<_>>>();
        match name {
            "FREQ" => self.freq = Frequency::parse(value)?,
            "INTERVAL" => self.interval = int(value)?,
            "COUNT" => self.count = Some(int(value)?),
            "UNTIL" => self.until = Some(read_date(value)?),
            "WKST" => self.week_start = weekday_number(value)?,
            "BYSETPOS" => self.positions = ints()?,
            "BYMONTH" => self.months = Some(ints()?),
            "BYMONTHDAY" => self.month_days = Some(ints()?),
            "BYYEARDAY" => self.year_days = Some(ints()?),
            "BYEASTER" => self.easter = Some(ints()?),
            "BYWEEKNO" => self.weeks = Some(ints()?),
            "BYHOUR" => self.times[0] = Some(ints()?),
            "BYMINUTE" => self.times[1] = Some(ints()?),
            "BYSECOND" => self.times[2] = Some(ints()?),
            "BYDAY" | "BYWEEKDAY" => {
                self.weekdays = Some(value.split(',').map(weekday).collect::<Option<_>>()?)
            }
            _ => return None,
        }
        Some(())
    }

    /// Checks what dateutil's `rrule` checks, and the values that fail only when dates are computed.
    pub(super) fn check(self, start: Option<Date>) -> Result<Self, String> {
        if self.interval < 1 {
            return Err("INTERVAL must be positive".into());
        }
        if self.positions.iter().any(|at| *at == 0 || at.abs() > 366) {
            return Err("BYSETPOS is out of range".into());
        }
        if let (Some(Some(until)), None | Some(Some(_))) = (self.until, start) {
            let zone = start.flatten().map_or(Some(false), |start| start.has_zone);
            if until.has_zone.is_some() && zone.is_some() && until.has_zone != zone {
                return Err("UNTIL and DTSTART must both have a time zone, or none".into());
            }
        }
        if self
            .easter
            .iter()
            .flatten()
            .any(|offset| !(-366..=250).contains(offset))
        {
            return Err("BYEASTER is out of range".into());
        }
        for (values, (level, limit, unit)) in self.times.iter().zip(TIMES) {
            let Some(values) = values else { continue };
            let fits = |value: &i64| (0..limit).contains(value);
            if self.freq < level && !values.iter().all(fits) {
                return Err("a time of day is out of range".to_owned());
            }
            let at = start.map_or(Some(0), |start| start.map(|start| start.at / unit % limit));
            if let Some(at) = at.filter(|_| self.freq == level) {
                let divisor = gcd(self.interval, limit);
                let reached = |value: &i64| fits(value) && (value - at) % divisor == 0;
                if !values.iter().any(reached) {
                    return Err(NO_TIME.to_owned());
                }
            }
        }
        Ok(self)
    }
}

/// `MO`, `-1MO`, `MO(-1)`: the weekday, and which one (0: each).
fn weekday(text: &str) -> Option<(i64, i64)> {
    let (name, nth) = match text.split_once('(') {
        // dateutil drops whatever the last character is.
        Some((name, rest)) => {
            let rest = rest.split('(').next()?;
            (name, Some(int(&rest[..rest.len().checked_sub(1)?])?))
        }
        None => {
            let (nth, name) = text.split_at(text.find(|c: char| !"+-0123456789".contains(c))?);
            (
                name,
                if nth.is_empty() {
                    None
                } else {
                    Some(int(nth)?)
                },
            )
        }
    };
    let weekday = weekday_number(name)?;
    if nth == Some(0) {
        return None;
    }
    Some((weekday, nth.unwrap_or(0)))
}

pub(super) fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The number of a weekday, with Monday as 0.
fn weekday_number(name: &str) -> Option<i64> {
    let number = WEEKDAYS.iter().position(|day| *day == name)?;
    i64::try_from(number).ok()
}
