//! Shared code of the macros of generated types: keys, tags, and choosing a union's member.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Datelike as _, FixedOffset, Utc};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::{Field, Json, Number, Scalar, Seconds};

/// The constant tag that identifies a union's member; it is sent unless the value was read without it.
///
/// Servers accept members without a tag (`{}` is the action `do-nothing`), and a value that was
/// read is sent back unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    present: bool,
}

impl Tag {
    /// A tag that is sent.
    pub const SENT: Self = Self { present: true };

    /// A tag that is left out.
    pub const ABSENT: Self = Self { present: false };

    /// Whether the tag is sent.
    pub const fn is_sent(self) -> bool {
        self.present
    }
}

impl Default for Tag {
    fn default() -> Self {
        Self::SENT
    }
}

/// A text that is not one of an enum's values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {name}")]
pub struct UnknownValue {
    pub(super) name: &'static str,
    pub(super) text: String,
}

/// Text that is borrowed from the input where it holds no escapes.
pub(super) struct Text<'de>(pub Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text)))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// An integer that may have been written as a float: Prefect's own client sends `30.0` for 30.
pub(super) struct Integer(pub i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IntegerVisitor;

        impl Visitor<'_> for IntegerVisitor {
            type Value = Integer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer")
            }

            fn visit_i64<E: Error>(self, integer: i64) -> Result<Integer, E> {
                Ok(Integer(integer))
            }

            fn visit_u64<E: Error>(self, integer: u64) -> Result<Integer, E> {
                let signed = i64::try_from(integer).map(Integer);
                signed.map_err(|_| E::invalid_value(Unexpected::Unsigned(integer), &self))
            }

            fn visit_f64<E: Error>(self, float: f64) -> Result<Integer, E> {
                // Beyond 2^53 a float may stand for several integers.
                match float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0 {
                    true => Ok(Integer(float as i64)),
                    false => Err(E::invalid_value(Unexpected::Float(float), &self)),
                }
            }
        }

        deserializer.deserialize_i64(IntegerVisitor)
    }
}

/// A date-time in a form that servers can read.
///
/// Python supports the years 1 to 9999. A time may be in that range with an offset, but not in UTC; it
/// is then written with an offset.
pub(super) struct Time<'a>(pub &'a DateTime<Utc>);

impl Serialize for Time<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const ALMOST_A_DAY: i32 = 86_399;
        let offset = match self.0.year() {
            ..1 => ALMOST_A_DAY,
            1..=9999 => return self.0.serialize(serializer),
            10_000.. => -ALMOST_A_DAY,
        };
        // RFC 3339 offsets are minutes.
        let offset = FixedOffset::east_opt(offset / 60 * 60);
        let shifted = offset.map(|offset| self.0.with_timezone(&offset));
        match shifted.filter(|time| (1..=9999).contains(&time.year())) {
            Some(time) => time.serialize(serializer),
            None => Err(serde::ser::Error::custom(format!(
                "{} is not in the years 1 to 9999",
                self.0
            ))),
        }
    }
}

/// The text under `key`, if `json` is an object that has text there.
pub(super) fn tag_of(json: &Json, key: &str) -> Option<String> {
    json.get(key)?.parse().ok()
}

/// Whether a field is sent, and shown in debug output.
pub(super) trait Presence {
    fn is_present(&self) -> bool;
}

impl<T> Presence for Field<T> {
    fn is_present(&self) -> bool {
        !self.is_unset()
    }
}

impl<T> Presence for Option<T> {
    fn is_present(&self) -> bool {
        self.is_some()
    }
}

impl Presence for Tag {
    fn is_present(&self) -> bool {
        self.is_sent()
    }
}

/// A possible member of a union without tags: the one that leaves the least undeclared is chosen.
pub(crate) trait Member {
    /// How many keys and values the type does not declare.
    fn undeclared(&self) -> usize {
        0
    }
}

macro_rules! declares_all {
    ($($ty:ty),*) => { $(impl Member for $ty {})* };
}

declares_all!(
    String,
    bool,
    i64,
    Uuid,
    DateTime<Utc>,
    Number,
    Seconds,
    Scalar,
    Json
);

impl<T: Member> Member for Vec<T> {
    fn undeclared(&self) -> usize {
        self.iter().map(Member::undeclared).sum()
    }
}

impl<T: Member> Member for BTreeMap<String, T> {
    fn undeclared(&self) -> usize {
        self.values().map(Member::undeclared).sum()
    }
}

/// Replaces a secret in debug output.
pub(super) struct Redacted;

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
