//! `Number`: a JSON number that keeps its form, integer or float.

use std::cmp::Ordering;
use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number that may have a fraction.
///
/// Whether it was written as an integer is kept: `60` is not sent back as `60.0`. Integers have up
/// to 64 bits; larger ones are read as floats.
///
/// ```
/// use prefect_sdk::types::Number;
///
/// assert_eq!(Number::from(60).as_f64(), 60.0);
/// assert_eq!(Number::from(0.5).to_string(), "0.5");
/// ```
#[derive(Clone, Copy)]
pub struct Number(Repr);

#[derive(Clone, Copy)]
enum Repr {
    Integer(i64),
    Unsigned(u64),
    Float(f64),
}

impl Number {
    /// The value; integers beyond 2^53 are rounded.
    pub const fn as_f64(self) -> f64 {
        match self.0 {
            Repr::Integer(integer) => integer as f64,
            Repr::Unsigned(integer) => integer as f64,
            Repr::Float(float) => float,
        }
    }
}

/// Compares by value, as floats: 60 and 60.0 are equal.
impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.as_f64() == other.as_f64()
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.as_f64().partial_cmp(&other.as_f64())
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

impl From<u64> for Number {
    fn from(integer: u64) -> Self {
        i64::try_from(integer).map_or(Self(Repr::Unsigned(integer)), Self::from)
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

/// A number that is no integer of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{0} is no integer of 64 bits")]
pub struct NotAnInteger(f64);

/// Fails if it has a fraction, or is too large.
impl TryFrom<Number> for i64 {
    type Error = NotAnInteger;

    fn try_from(number: Number) -> Result<Self, NotAnInteger> {
        match number.0 {
            Repr::Integer(integer) => Ok(integer),
            Repr::Float(float) if float.fract() == 0.0 && float.abs() < i64::MAX as f64 => {
                Ok(float as i64)
            }
            Repr::Float(_) | Repr::Unsigned(_) => Err(NotAnInteger(number.as_f64())),
        }
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
            Repr::Unsigned(integer) => integer.fmt(f),
            Repr::Float(float) => float.fmt(f),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Refuses NaN and infinity: serde_json would write null, which clears a field.
impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Repr::Integer(integer) => serializer.serialize_i64(integer),
            Repr::Unsigned(integer) => serializer.serialize_u64(integer),
            Repr::Float(float) if float.is_finite() => serializer.serialize_f64(float),
            Repr::Float(float) => Err(serde::ser::Error::custom(format!(
                "JSON has no number {float}"
            ))),
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
                Ok(integer.into())
            }

            fn visit_f64<E: Error>(self, float: f64) -> Result<Number, E> {
                Ok(float.into())
            }
        }

        // Not `deserialize_any`: with serde_json's `arbitrary_precision`, which any crate of a program
        // may enable, that passes floats as maps.
        deserializer.deserialize_f64(NumberVisitor)
    }
}
