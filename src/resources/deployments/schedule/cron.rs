//! Cron expressions: which ones Prefect's server takes, as croniter reads them.

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The lowest and the highest value of minute, hour, day, month, weekday, second and year.
const RANGES: [(u64, u64); 7] = [
    (0, 59),
    (0, 23),
    (1, 31),
    (1, 12),
    (0, 6),
    (0, 59),
    (1970, 2099),
];
const ALIASES: [(&str, &str); 7] = [
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// The places of the fields.
pub(super) const MINUTE: usize = 0;
pub(super) const HOUR: usize = 1;
pub(super) const DAY: usize = 2;
pub(super) const MONTH: usize = 3;
pub(super) const WEEKDAY: usize = 4;
pub(super) const SECOND: usize = 5;
pub(super) const YEAR: usize = 6;

/// How many digits Python reads in a number.
const MAX_DIGITS: usize = 4300;

/// A cron expression.
#[derive(Debug)]
pub(super) struct Cron {
    pub(super) fields: Vec<Field>,
    /// The weekdays of which only one in a month fits (`5#2`), and which one; `None` means the last (`L5`).
    pub(super) nth: Vec<(u64, Option<u64>)>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Field {
    /// Whether every value fits.
    pub any: bool,
    /// Whether the last day of the month fits.
    pub last: bool,
    /// The values that fit, in order.
    pub values: Vec<u64>,
}

/// The place of a field, and how many fields its expression has.
#[derive(Clone, Copy)]
struct Place {
    place: usize,
    count: usize,
}

impl Cron {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let lower = text.to_lowercase();
        let alias = ALIASES.iter().find(|(name, _)| *name == lower);
        let lower = alias.map_or(&*lower, |(_, fields)| fields);
        let texts = lower.split(is_space).filter(|text| !text.is_empty());
        let texts: Vec<_> = texts.collect();
        let count = texts.len();
        if !(5..=7).contains(&count) {
            return Err(format!("it has {count} fields, not 5, 6 or 7"));
        }
        let mut cron = Self {
            fields: Vec::new(),
            nth: Vec::new(),
        };
        for (place, text) in texts.iter().enumerate() {
            let field = Place { place, count }.field(text, &mut cron.nth);
            let field = field.ok_or_else(|| format!("field {} cannot be {text:?}", place + 1))?;
            // All values mean `*`; for days and weekdays only if the other one has a `*` in it.
            let other = match place {
                DAY => texts[WEEKDAY],
                WEEKDAY => texts[DAY],
                _ => "*",
            };
            let (low, high) = RANGES[place];
            let given = field.values.len() + usize::from(field.any) + usize::from(field.last);
            let is_full = given as u64 == high - low + 1;
            let any = field.any || is_full && other.contains('*');
            let becomes_any = any && !field.any;
            if place == WEEKDAY && !cron.nth.is_empty() && !becomes_any && !is_full {
                let is_nth = |day| cron.nth.iter().any(|(nth, _)| nth == day);
                if !field.values.iter().all(is_nth) {
                    return Err("weekdays with and without `#` or `L` cannot be mixed".to_owned());
                }
            }
            cron.fields.push(Field { any, ..field });
        }
        Ok(cron)
    }
}

impl Place {
    /// Parses a field, and adds the weekdays of which only one fits.
    fn field(self, text: &str, nth: &mut Vec<(u64, Option<u64>)>) -> Option<Field> {
        let any = Field {
            any: true,
            ..Field::default()
        };
        if let Some(fits) = text.strip_prefix('r').and_then(|rest| self.random(rest)) {
            return fits.then_some(any);
        }
        if text.contains('?') {
            return (text == "?" && matches!(self.place, DAY | WEEKDAY)).then_some(any);
        }
        let mut field = Field::default();
        for item in text.split(',') {
            let (item, which) = self.nth(item)?;
            if which.is_none() && item == "*" {
                field.any = true;
            } else if item == "l" && self.place == DAY {
                field.last = true;
            } else {
                for value in self.values(item)? {
                    field.values.push(value);
                    if let Some(which) = which {
                        nth.push((value, which));
                    }
                }
            }
        }
        field.values.sort_unstable();
        field.values.dedup();
        Some(field)
    }

    /// Takes `#2` or `L` from a weekday, and returns which one of a month it means, if only one fits.
    fn nth(self, item: &str) -> Option<(&str, Option<Option<u64>>)> {
        if self.place != WEEKDAY {
            return Some((item, None));
        }
        if let Some((days, number)) = item.split_once('#') {
            let mut names = days.splitn(2, '-');
            let is_name = |name: &str| WEEKDAYS.contains(&name);
            if !names.all(is_name) && integer(days).is_none() {
                return None;
            }
            let number = integer(number).filter(|number| (1..=5).contains(number))?;
            return Some((days, Some(Some(number))));
        }
        let last = item.strip_prefix('l').filter(|day| integer(day).is_some());
        Some(last.map_or((item, None), |day| (day, Some(None))))
    }

    /// The values of `5`, `1-5`, `*/15` or `1-5/2`.
    fn values(self, item: &str) -> Option<Vec<u64>> {
        let (low, high) = RANGES[self.place];
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(integer(step)?)),
            None => (item, None),
        };
        let (first, last) = match (range.split_once('-'), step) {
            (Some((first, "l")), _) if self.place == DAY => (self.value(first)?, high),
            (Some((first, last)), _) => (self.value(first)?, self.value(last)?),
            (None, Some(_)) if range == "*" => (low, high),
            (None, Some(_)) => (self.value(range)?, high),
            (None, None) => {
                let value = self.value(range)?;
                return (low..=high).contains(&value).then(|| vec![value]);
            }
        };
        let step = step.unwrap_or(1);
        if step == 0 || first.max(last) > high || first != last && first < low {
            return None;
        }
        // No field has that many values.
        let step = step.min(10_000);
        let stride = step as usize;
        Some(if first == last {
            (low..=high).step_by(stride).collect()
        } else if first < last {
            (first..=last).step_by(stride).collect()
        } else {
            // Round the end, as croniter goes on counting there.
            let mut values: Vec<_> = (first..=high).step_by(stride).collect();
            let end = values.last().copied().unwrap_or(first);
            let left = high - end;
            let skips = end - low + step > high - low + 1 && left < step;
            let skipped = if skips { step - left } else { 0 };
            values.extend((low + skipped..=last).step_by(stride));
            values
        })
    }

    /// A number, or the name of a month or weekday.
    fn value(self, text: &str) -> Option<u64> {
        let names: &[&str] = match self.place {
            MONTH => &MONTHS,
            WEEKDAY => &WEEKDAYS,
            _ => &[],
        };
        let named = || {
            let position = names.iter().position(|name| *name == text)?;
            Some(position as u64 + RANGES[self.place].0)
        };
        integer(text).or_else(named).map(|value| self.alias(value))
    }

    /// With six fields the day 0 is the first, and with five the weekday 7 is Sunday.
    fn alias(self, value: u64) -> u64 {
        match (self.place, self.count, value) {
            (DAY, 6, 0) => 1,
            (WEEKDAY, 5, 7) => 0,
            (_, _, value) => value,
        }
    }

    /// Whether all values that `r(1-5)/2` may stand for fit, from what follows the `r`: the server picks one whenever it
    /// looks. `None` if it is none of these.
    fn random(self, rest: &str) -> Option<bool> {
        let (low, high) = RANGES[self.place];
        let fits = |value: u64| (low..=high).contains(&self.alias(value));
        let (range, step) = match rest.split_once('/') {
            Some((range, step)) => (range, Some(integer(step)?)),
            None => (rest, None),
        };
        let range = match range {
            "" => None,
            range => {
                let (first, last) = range
                    .strip_prefix('(')?
                    .strip_suffix(')')?
                    .split_once('-')?;
                Some((integer(first)?, integer(last)?))
            }
        };
        Some(match (range, step) {
            // Prefect refuses a bare `r`.
            (None, None) | (_, Some(0)) => false,
            (Some((first, last)), _) if first >= last => false,
            (Some((first, last)), step) => {
                let next = first.saturating_add(step.unwrap_or(1) - 1);
                fits(first) && fits(last) && fits(next)
            }
            (None, Some(step)) => fits(low.saturating_add(step - 1)) && fits(high),
        })
    }
}

/// Python's white space.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

/// A number as Python reads it; one that does not fit is larger than any limit.
fn integer(digits: &str) -> Option<u64> {
    let is_number = (1..=MAX_DIGITS).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}
