//! Values of settings, as text or TOML, and their parsing: as pydantic parses Prefect's own settings.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::StatusCode;
use toml::Value;

use super::number::{float, integer};

/// The longest timeout, which counts as none: some sums of times overflow with more.
const MAX_TIMEOUT: Duration = Duration::from_secs(10 * 365 * 86_400);

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

    /// A name, or a number.
    pub(super) fn word(&self) -> Parsed<String> {
        match self {
            Self::Toml(Value::Integer(number)) => Ok(number.to_string()),
            _ => self.text(),
        }
    }

    pub(super) fn boolean(&self) -> Parsed<bool> {
        let text = match self {
            Self::Toml(Value::Boolean(value)) => return Ok(*value),
            Self::Toml(value @ (Value::Integer(_) | Value::Float(_))) => {
                whole(value).map_or_else(String::new, |number| number.to_string())
            }
            _ => self.text()?.to_ascii_lowercase(),
        };
        match text.as_str() {
            "1" | "on" | "t" | "true" | "y" | "yes" => Ok(true),
            "0" | "off" | "f" | "false" | "n" | "no" => Ok(false),
            _ => Err("is neither true nor false"),
        }
    }

    /// A number of repetitions; one that is too large counts as the largest.
    pub(super) fn count(&self) -> Parsed<u32> {
        let number = match self {
            Self::Toml(value) => whole(value),
            Self::Text(text) => integer(text),
        };
        let number = number.and_then(|number| u64::try_from(number).ok());
        let number = number.ok_or("is not a whole number of at least 0")?;
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// A number that is not negative; it may be infinite.
    pub(super) fn number(&self) -> Parsed<f64> {
        let number = match self {
            Self::Toml(Value::Float(value)) => Some(*value),
            Self::Toml(Value::Integer(value)) => Some(*value as f64),
            Self::Toml(Value::Boolean(value)) => Some(f64::from(u8::from(*value))),
            _ => float(&self.text()?),
        };
        let number = number.filter(|number: &f64| *number >= 0.0);
        number.ok_or("is not a number of at least 0")
    }

    /// A timeout. (Prefect also reads 0, negative numbers and NaN, with which none of its requests succeeds.)
    pub(super) fn timeout(&self) -> Parsed<Duration> {
        let seconds = Duration::try_from_secs_f64(self.number()?);
        let seconds = seconds.unwrap_or(MAX_TIMEOUT).min(MAX_TIMEOUT);
        match seconds.is_zero() {
            true => Err("is not a number of seconds above 0"),
            false => Ok(seconds),
        }
    }

    /// Status codes: `429,503` or JSON such as `[429, 503]`; or in TOML also a number or a list.
    pub(super) fn codes(&self) -> Parsed<BTreeSet<StatusCode>> {
        match self {
            Self::Text(text) => match serde_json::from_str(text) {
                Ok(json) => codes_of_json(&json),
                Err(_) => listed(text),
            },
            Self::Toml(Value::String(text)) => listed(text),
            Self::Toml(Value::Array(items)) => items
                .iter()
                .map(|item| match item {
                    Value::String(text) => code(integer(text)),
                    Value::Integer(_) | Value::Float(_) => code(whole(item)),
                    _ => Err(CODES),
                })
                .collect(),
            Self::Toml(Value::Table(table)) if table.is_empty() => Ok(BTreeSet::new()),
            Self::Toml(value) => match whole(value) {
                Some(0) => Ok(BTreeSet::new()),
                number => Ok([code(number)?].into()),
            },
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
            _ => {
                let text = self.text().map_err(|_| WRONG)?;
                let json: serde_json::Value = serde_json::from_str(&text).map_err(|_| WRONG)?;
                // Prefect reads an object that is quoted once more, too.
                let json = match json {
                    serde_json::Value::String(quoted) => {
                        serde_json::from_str(&quoted).map_err(|_| WRONG)?
                    }
                    json => json,
                };
                // Of a name that occurs twice, only the last value counts.
                serde_json::from_value(json).map_err(|_| WRONG)
            }
        }
    }
}

/// A whole number in TOML, which may be written `5.0`, and as text.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Boolean(flag) => Some(i64::from(*flag)),
        Value::Float(number) => whole_float(*number),
        Value::String(text) => integer(text),
        _ => None,
    }
}

fn whole_float(number: f64) -> Option<i64> {
    let fits = number.abs() < i64::MAX as f64;
    (number.fract() == 0.0 && fits).then_some(number as i64)
}

fn codes_of_json(json: &serde_json::Value) -> Parsed<BTreeSet<StatusCode>> {
    use serde_json::Value as Json;

    let number = |number: &serde_json::Number| {
        number
            .as_i64()
            .or_else(|| number.as_f64().and_then(whole_float))
    };
    match json {
        Json::Bool(false) => Ok(BTreeSet::new()),
        Json::Object(members) if members.is_empty() => Ok(BTreeSet::new()),
        Json::Number(value) => match number(value) {
            Some(0) => Ok(BTreeSet::new()),
            number => Ok([code(number)?].into()),
        },
        Json::String(text) if text.is_empty() => Ok(BTreeSet::new()),
        Json::String(text) => listed(text),
        Json::Array(items) => items
            .iter()
            .map(|item| match item {
                Json::Number(value) => code(number(value)),
                Json::String(text) => code(integer(text)),
                _ => Err(CODES),
            })
            .collect(),
        _ => Err(CODES),
    }
}

/// Codes that are separated by commas.
fn listed(text: &str) -> Parsed<BTreeSet<StatusCode>> {
    let codes = text.split(',').map(|code| {
        // Python's `strip` also removes these separators.
        let space = |c: char| c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}');
        integer(code.trim_matches(space))
    });
    codes.map(code).collect()
}

fn code(number: Option<i64>) -> Parsed<StatusCode> {
    let code = number.and_then(|code| u16::try_from(code).ok());
    code.filter(|code| (100..=599).contains(code))
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or(CODES)
}

const CODES: &str = "is not a list of status codes between 100 and 599";
