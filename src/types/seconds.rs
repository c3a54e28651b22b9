//! `Seconds`: every duration of the API.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::Number;

/// A duration, as the number of seconds on the wire. It may be negative (a lateness).
///
/// Servers send seconds everywhere except in their settings, where ISO 8601 text (`PT1H`) is read,
/// too. The SDK always sends seconds: an ISO duration in a trigger causes a server error.
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
                f.write_str("a number of seconds or an ISO 8601 duration")
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
                let seconds = parse_iso(text).map(Seconds::from);
                seconds.ok_or_else(|| E::custom(format!("not an ISO 8601 duration: {text:?}")))
            }
        }

        deserializer.deserialize_any(SecondsVisitor)
    }
}

/// Parses ISO 8601 as pydantic writes it: `-P1DT2H3M4.5S`. Months and years are refused, because they
/// have no fixed length.
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
    let date = parse_units(date, &[('W', 604_800.0), ('D', 86_400.0)])?;
    let time = parse_units(time, &[('H', 3_600.0), ('M', 60.0), ('S', 1.0)])?;
    Some(sign * (date + time))
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
    use super::parse_iso;

    #[test]
    fn iso_durations_are_read_as_seconds() {
        for (text, seconds) in [
            ("PT1H", 3600.0),
            ("P100D", 8_640_000.0),
            ("PT0S", 0.0),
            ("P1DT2H3M4.5S", 93_784.5),
            ("-PT5M", -300.0),
            ("P1W", 604_800.0),
        ] {
            assert_eq!(parse_iso(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "", "P", "PT", "1H", "P1M", "PT1D", "PT-1S", "PT1S2M", "PTinfS",
        ] {
            assert_eq!(parse_iso(text), None, "{text}");
        }
    }
}
