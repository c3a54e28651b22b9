//! Values of settings, as text or TOML, and their parsing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::StatusCode;
use toml::Value;

/// A value that was found, but not parsed yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Raw {
    Text(String),
    Toml(Value),
}

/// A parsed value, or what is wrong with it. The message does not repeat the value, which may be a secret.
pub(super) type Parsed<T> = Result<T, &'static str>;

impl Raw {
    /// Whether the value is set but empty.
    pub(super) fn is_blank(&self) -> bool {
        match self {
            Self::Text(text) | Self::Toml(Value::String(text)) => text.trim().is_empty(),
            Self::Toml(_) => false,
        }
    }

    fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Toml(Value::String(text)) => Some(text),
            Self::Toml(_) => None,
        }
    }

    pub(super) fn text(&self) -> Parsed<String> {
        let text = self.as_text().ok_or("is not text")?;
        Ok(text.to_owned())
    }

    /// Parses a boolean as pydantic does.
    pub(super) fn boolean(&self) -> Parsed<bool> {
        if let Self::Toml(Value::Boolean(value)) = self {
            return Ok(*value);
        }
        let text = match self.whole() {
            Some(number) => number.to_string(),
            None => self.text()?.trim().to_ascii_lowercase(),
        };
        match text.as_str() {
            "1" | "on" | "t" | "true" | "y" | "yes" => Ok(true),
            "0" | "off" | "f" | "false" | "n" | "no" => Ok(false),
            _ => Err("is neither true nor false"),
        }
    }

    /// A whole number, which may be written `5.0`.
    fn whole(&self) -> Option<i64> {
        let text = match self {
            Self::Toml(Value::Integer(value)) => return Some(*value),
            Self::Toml(Value::Float(value)) => value.to_string(),
            _ => self.as_text()?.trim().to_owned(),
        };
        let digits =
            text.split_once('.')
                .map_or(text.as_str(), |(digits, fraction)| {
                    match fraction.trim_matches('0').is_empty() {
                        true => digits,
                        false => "",
                    }
                });
        digits.parse().ok()
    }

    pub(super) fn count(&self) -> Parsed<u32> {
        let number = self.whole().and_then(|number| u32::try_from(number).ok());
        number.ok_or("is not a whole number of at least 0")
    }

    /// A number that is not negative.
    pub(super) fn number(&self) -> Parsed<f64> {
        let number = match self {
            Self::Toml(Value::Float(value)) => Some(*value),
            Self::Toml(Value::Integer(value)) => Some(*value as f64),
            _ => self.text()?.trim().parse().ok(),
        };
        let number = number.filter(|number: &f64| number.is_finite() && *number >= 0.0);
        number.ok_or("is not a number of at least 0")
    }

    pub(super) fn seconds(&self) -> Parsed<Duration> {
        let seconds = Duration::try_from_secs_f64(self.number()?);
        let seconds = seconds.map_err(|_| "is too large a number of seconds")?;
        match seconds.is_zero() {
            true => Err("is not a number of seconds above 0"),
            false => Ok(seconds),
        }
    }

    /// Status codes: `429,503`, or in TOML also a number or a list.
    pub(super) fn codes(&self) -> Parsed<BTreeSet<StatusCode>> {
        match self {
            Self::Toml(Value::Array(codes)) => {
                let codes = codes.iter().map(|code| Self::Toml(code.clone()).codes());
                Ok(codes
                    .collect::<Parsed<Vec<_>>>()?
                    .into_iter()
                    .flatten()
                    .collect())
            }
            Self::Toml(Value::Integer(_) | Value::Float(_)) => {
                let code = self.whole().ok_or(CODES)?;
                Ok(BTreeSet::from([code_of(&code.to_string())?]))
            }
            _ => self.text()?.split(',').map(code_of).collect(),
        }
    }

    /// Headers: a JSON object of strings, or in TOML also a table.
    pub(super) fn headers(&self) -> Parsed<BTreeMap<String, String>> {
        const WRONG: &str = "is not a JSON object of strings";
        match self {
            Self::Toml(Value::Table(table)) => {
                let headers = table.iter().map(|(name, value)| {
                    let value = value.as_str().ok_or("is not a table of strings")?;
                    Ok((name.clone(), value.to_owned()))
                });
                headers.collect()
            }
            _ => serde_json::from_str(&self.text().map_err(|_| WRONG)?).map_err(|_| WRONG),
        }
    }
}

fn code_of(text: &str) -> Parsed<StatusCode> {
    let code = text.trim().parse().ok();
    code.filter(|code| (100..=599).contains(code))
        .and_then(|code: u16| StatusCode::from_u16(code).ok())
        .ok_or(CODES)
}

const CODES: &str = "is not a list of status codes between 100 and 599";
