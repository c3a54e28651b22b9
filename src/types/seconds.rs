//! `Seconds`: every duration of the API.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::Number;

/// A duration, as the number of seconds on the wire. It may be negative (a lateness).
///
/// Servers send seconds, and in a few places text, which is read, too: ISO 8601 (`PT1H`; a month counts as 30 days, a year
/// as 365) or a clock's (`1 day, 00:00:30`). The SDK always sends seconds: text in a trigger makes older servers fail.
///
/// ```
/// use std::time::Duration;
/// use prefect_sdk::types::Seconds;
///
/// let hour = Seconds::from(Duration::from_secs(3600));
/// assert_eq!(serde_json::to_string(&hour)?, "3600.0");
/// assert_eq!(serde_json::from_str::<Seconds>(r#""PT1H""#)?, hour);
/// assert_eq!(hour.to_duration(), Some(Duration::from_secs(3600)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Seconds(Number);

impl Seconds {
    /// The number of seconds.
    pub const fn as_f64(self) -> f64 {
        self.0.as_f64()
    }

    /// Converts to a [`Duration`]; `None` if it is negative or too long for one.
    pub fn to_duration(self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.as_f64()).ok()
    }
}

impl From<Duration> for Seconds {
    fn from(duration: Duration) -> Self {
        Self(duration.as_secs_f64().into())
    }
}

/// Fails if it is negative or too long.
impl TryFrom<Seconds> for Duration {
    type Error = std::time::TryFromFloatSecsError;

    fn try_from(seconds: Seconds) -> Result<Self, Self::Error> {
        Self::try_from_secs_f64(seconds.as_f64())
    }
}

macro_rules! from_numbers {
    ($($number:ty),*) => {
        $(impl From<$number> for Seconds {
            fn from(number: $number) -> Self {
                Self(number.into())
            }
        })*
    };
}

from_numbers!(i32, i64, f64);

impl fmt::Debug for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SecondsVisitor;

        impl<'de> Visitor<'de> for SecondsVisitor {
            type Value = Seconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of seconds or a duration as text")
            }

            fn visit_i64<E: Error>(self, seconds: i64) -> Result<Seconds, E> {
                Ok(Seconds(seconds.into()))
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<Seconds, E> {
                Ok(Seconds(seconds.into()))
            }

            fn visit_f64<E: Error>(self, seconds: f64) -> Result<Seconds, E> {
                Ok(Seconds(seconds.into()))
            }

            // `deserialize_any` passes a float in this form if some crate of the program has enabled
            // serde_json's `arbitrary_precision`: a map of one entry, the number as text.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Seconds, A::Error> {
                let entry: Option<(String, String)> = map.next_entry()?;
                let number = entry.and_then(|(_, text)| text.parse::<f64>().ok());
                number
                    .map(Seconds::from)
                    .ok_or_else(|| A::Error::invalid_type(Unexpected::Map, &self))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Seconds, E> {
                let seconds = parse_iso(text).or_else(|| parse_clock(text));
                let seconds = seconds.map(Seconds::from);
                seconds.ok_or_else(|| E::custom(format!("not a duration: {text:?}")))
            }
        }

        deserializer.deserialize_any(SecondsVisitor)
    }
}

/// Parses ISO 8601 as pydantic reads it: `-P1DT2H3M4.5S`.
fn parse_iso(text: &str) -> Option<f64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let (date, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (text.strip_prefix('P')?, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let days = [('Y', 365.0), ('M', 30.0), ('W', 7.0), ('D', 1.0)];
    let date = parse_units(date, &days)? * 86_400.0;
    let time = parse_units(time, &[('H', 3_600.0), ('M', 60.0), ('S', 1.0)])?;
    Some(sign * (date + time))
}

/// Parses hours and minutes, perhaps with seconds, perhaps after days: `-1 day, 23:59:30.5`.
fn parse_clock(text: &str) -> Option<f64> {
    let (days, clock) = match text.split_once(" day") {
        Some((days, rest)) => {
            let rest = rest.strip_prefix('s').unwrap_or(rest);
            let clock = rest.strip_prefix(',').unwrap_or(rest).trim_start();
            (days.parse::<i32>().ok()?, clock)
        }
        None => (0, text),
    };
    let (sign, clock) = match clock.strip_prefix('-') {
        Some(clock) if days == 0 => (-1.0, clock),
        Some(_) => return None,
        None => (1.0, clock),
    };
    let parts: Vec<f64> = clock
        .split(':')
        .map(|part| {
            let is_number = part.starts_with(|c: char| c.is_ascii_digit());
            part.parse().ok().filter(|_| is_number)
        })
        .collect::<Option<_>>()?;
    let time = match parts.as_slice() {
        [hours, minutes] => hours * 3_600.0 + minutes * 60.0,
        [hours, minutes, seconds] => hours * 3_600.0 + minutes * 60.0 + seconds,
        _ => return None,
    };
    Some(f64::from(days) * 86_400.0 + sign * time)
}

/// Parses a sum of numbers, each followed by one of the units, in the order of the units.
fn parse_units(mut text: &str, units: &[(char, f64)]) -> Option<f64> {
    let mut sum = 0.0;
    for (unit, seconds) in units {
        if let Some((number, rest)) = text.split_once(*unit) {
            sum += number
                .parse::<f64>()
                .ok()
                .filter(|n| n.is_finite() && *n >= 0.0)?
                * seconds;
            text = rest;
        }
    }
    text.is_empty().then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::{parse_clock, parse_iso};

    #[test]
    fn iso_durations_are_read_as_seconds() {
        for (text, seconds) in [
            ("PT1H", 3600.0),
            ("P100D", 8_640_000.0),
            ("PT0S", 0.0),
            ("P1DT2H3M4.5S", 93_784.5),
            ("-PT5M", -300.0),
            ("P1W", 604_800.0),
            ("P1M", 2_592_000.0),
            ("P1Y1D", 31_622_400.0),
        ] {
            assert_eq!(parse_iso(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn clocks_are_read_as_seconds() {
        for (text, seconds) in [
            ("00:00:30", 30.0),
            ("00:30", 1800.0),
            ("1 day, 00:00:30", 86_430.0),
            ("2 days 01:00:00.5", 176_400.5),
            ("-1 day, 23:59:30", -30.0),
            ("-00:00:30", -30.0),
        ] {
            assert_eq!(parse_clock(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "P",
            "PT",
            "1H",
            "P1H",
            "PT1D",
            "PT-1S",
            "PT1S2M",
            "PTinfS",
            "30",
            "1:2:3:4",
            ":30",
            "day, 00:30",
            "00:inf",
        ] {
            assert_eq!(
                parse_iso(text).or_else(|| parse_clock(text)),
                None,
                "{text}"
            );
        }
    }
}
