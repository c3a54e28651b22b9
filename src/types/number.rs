//! `Number`: a JSON number that stays what it was.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number that may have a fraction.
///
/// Whether it was written as an integer is kept: `60` is not sent back as `60.0`.
///
/// ```
/// use prefect_sdk::types::Number;
///
/// assert_eq!(Number::from(60).as_f64(), 60.0);
/// assert_eq!(Number::from(0.5).to_string(), "0.5");
/// ```
#[derive(Clone, Copy, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Number(Repr);

#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Repr {
    Integer(i64),
    Float(f64),
}

impl Number {
    /// The value; integers beyond 2^53 are rounded.
    pub const fn as_f64(self) -> f64 {
        match self.0 {
            Repr::Integer(integer) => integer as f64,
            Repr::Float(float) => float,
        }
    }
}

impl From<f64> for Number {
    fn from(float: f64) -> Self {
        Self(Repr::Float(float))
    }
}

impl From<i64> for Number {
    fn from(integer: i64) -> Self {
        Self(Repr::Integer(integer))
    }
}

impl From<i32> for Number {
    fn from(integer: i32) -> Self {
        Self::from(i64::from(integer))
    }
}

impl From<Number> for f64 {
    fn from(number: Number) -> Self {
        number.as_f64()
    }
}

impl PartialEq<f64> for Number {
    fn eq(&self, other: &f64) -> bool {
        self.as_f64() == *other
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Repr::Integer(integer) => integer.fmt(f),
            Repr::Float(float) => float.fmt(f),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Repr::Integer(integer) => integer.fmt(f),
            Repr::Float(float) => float.fmt(f),
        }
    }
}

impl Serialize for Repr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Integer(integer) => serializer.serialize_i64(*integer),
            Self::Float(float) => serializer.serialize_f64(*float),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;

        impl Visitor<'_> for NumberVisitor {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_i64<E: Error>(self, integer: i64) -> Result<Number, E> {
                Ok(integer.into())
            }

            fn visit_u64<E: Error>(self, integer: u64) -> Result<Number, E> {
                Ok(i64::try_from(integer).map_or_else(|_| (integer as f64).into(), Number::from))
            }

            fn visit_f64<E: Error>(self, float: f64) -> Result<Number, E> {
                Ok(float.into())
            }
        }

        deserializer.deserialize_any(NumberVisitor)
    }
}
