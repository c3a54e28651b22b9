//! `Scalar`: the value of a label.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::Number;

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

// By hand: serde's `untagged` buffers each value, which took a quarter of decoding a page of runs.
impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;

        impl Visitor<'_> for ScalarVisitor {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a boolean, a number or text")
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Scalar, E> {
                Ok(flag.into())
            }

            fn visit_i64<E: Error>(self, integer: i64) -> Result<Scalar, E> {
                Ok(integer.into())
            }

            fn visit_u64<E: Error>(self, integer: u64) -> Result<Scalar, E> {
                Ok(i64::try_from(integer).map_or_else(|_| (integer as f64).into(), Scalar::from))
            }

            fn visit_f64<E: Error>(self, float: f64) -> Result<Scalar, E> {
                Ok(float.into())
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(text.into())
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Scalar, E> {
                Ok(text.into())
            }
        }

        deserializer.deserialize_any(ScalarVisitor)
    }
}
