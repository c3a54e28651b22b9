//! `Scalar`: the value of a label.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Json, Number};

/// A boolean, a number or text: what a label may hold.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Scalar {
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(String),
    /// Any other JSON, or a number beyond 64 bits; it is sent back unchanged.
    Unknown(Json),
}

impl Scalar {
    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(flag) => flag.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
            Self::Unknown(json) => json.fmt(f),
        }
    }
}

impl From<bool> for Scalar {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<&str> for Scalar {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Scalar {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

macro_rules! from_numbers {
    ($($number:ty),*) => {
        $(impl From<$number> for Scalar {
            fn from(number: $number) -> Self {
                Self::Number(number.into())
            }
        })*
    };
}

from_numbers!(i32, i64, f64);

// Decoded from the raw text: serde_json's numbers have 64 bits, and a label may hold any integer.
impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        let text = json.as_str();
        let scalar = match text.as_bytes() {
            b"true" => Some(Self::Bool(true)),
            b"false" => Some(Self::Bool(false)),
            [b'"', ..] => Some(Self::Text(json.parse().map_err(D::Error::custom)?)),
            [b'-' | b'0'..=b'9', ..] => number(text).map(Self::Number),
            _ => None,
        };
        Ok(scalar.unwrap_or(Self::Unknown(json)))
    }
}

/// The number, if it fits into 64 bits in the form in which it is written.
fn number(text: &str) -> Option<Number> {
    match text.contains(['.', 'e', 'E']) {
        true => text
            .parse()
            .ok()
            .filter(|float: &f64| float.is_finite())
            .map(Number::from),
        false => text.parse::<i64>().ok().map(Number::from),
    }
}
