//! `Field`: a field that may be unset, null or a value.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A field that may be unset, null or a value.
///
/// In updates the three differ: the server leaves an unset field alone, null clears it, and a value
/// replaces it. (Where the server does not clear a field by null, its setter takes a value only, and its documentation says
/// what empties it.) An unset field is never sent. For reading, a `Field` is an [`Option`]: unset and null
/// are both `None`.
///
/// ```
/// use prefect_sdk::types::{DeploymentUpdate, Field};
///
/// let unset = DeploymentUpdate::new();
/// let null = DeploymentUpdate::new().description(None);
/// let empty = DeploymentUpdate::new().description("");
/// assert_eq!(serde_json::to_string(&unset)?, "{}");
/// assert_eq!(serde_json::to_string(&null)?, r#"{"description":null}"#);
/// assert_eq!(serde_json::to_string(&empty)?, r#"{"description":""}"#);
///
/// let field = Field::from("nightly".to_owned());
/// assert_eq!(field.as_deref(), Some("nightly"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Field<T> {
    value: Option<T>,
    /// Whether the field is null or a value.
    set: bool,
}

impl<T> Field<T> {
    /// A field that is left out.
    pub const UNSET: Self = Self {
        value: None,
        set: false,
    };

    /// A field that is null.
    pub const NULL: Self = Self {
        value: None,
        set: true,
    };

    /// A field with a value.
    pub const fn value(value: T) -> Self {
        Self {
            value: Some(value),
            set: true,
        }
    }

    /// Whether the field is left out.
    pub const fn is_unset(&self) -> bool {
        !self.set
    }

    /// Whether the field is null, and not just left out.
    pub const fn is_null(&self) -> bool {
        self.set && self.value.is_none()
    }

    /// A mutable reference to the value, if there is one.
    pub const fn as_mut(&mut self) -> Option<&mut T> {
        self.value.as_mut()
    }

    /// A mutable reference to the value; a default value is inserted if there is none.
    pub fn get_or_default(&mut self) -> &mut T
    where
        T: Default,
    {
        self.set = true;
        self.value.get_or_insert_default()
    }

    /// Takes the value out, if there is one, and leaves the field unset.
    pub fn take(&mut self) -> Option<T> {
        std::mem::take(self).value
    }

    /// The value, if there is one.
    pub fn into_option(self) -> Option<T> {
        self.value
    }

    /// The field as an `Option`, for `match`.
    pub const fn as_option(&self) -> &Option<T> {
        &self.value
    }

    /// The value, or this one if there is none.
    pub fn unwrap_or(self, default: T) -> T {
        self.value.unwrap_or(default)
    }

    /// The value, or the default of its type if there is none.
    pub fn unwrap_or_default(self) -> T
    where
        T: Default,
    {
        self.value.unwrap_or_default()
    }

    /// Whether there is a value that fulfils a condition.
    pub fn is_some_and(self, condition: impl FnOnce(T) -> bool) -> bool {
        self.value.is_some_and(condition)
    }

    /// What a function makes of the value, if there is one.
    pub fn map<U>(self, function: impl FnOnce(T) -> U) -> Option<U> {
        self.value.map(function)
    }
}

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self::UNSET
    }
}

/// Reading does not distinguish unset from null.
impl<T> Deref for Field<T> {
    type Target = Option<T>;

    fn deref(&self) -> &Option<T> {
        &self.value
    }
}

/// Null and unset are both `None`.
impl<T: PartialEq> PartialEq<Option<T>> for Field<T> {
    fn eq(&self, other: &Option<T>) -> bool {
        self.value == *other
    }
}

impl<T: PartialEq> PartialEq<T> for Field<T> {
    fn eq(&self, other: &T) -> bool {
        self.value.as_ref() == Some(other)
    }
}

impl PartialEq<str> for Field<String> {
    fn eq(&self, other: &str) -> bool {
        self.as_deref() == Some(other)
    }
}

impl PartialEq<&str> for Field<String> {
    fn eq(&self, other: &&str) -> bool {
        self.as_deref() == Some(*other)
    }
}

impl<T> From<T> for Field<T> {
    fn from(value: T) -> Self {
        Self::value(value)
    }
}

/// `None` is null: to leave a field out, do not set it.
impl<T> From<Option<T>> for Field<T> {
    fn from(value: Option<T>) -> Self {
        Self { value, set: true }
    }
}

impl<T> From<Field<T>> for Option<T> {
    fn from(field: Field<T>) -> Self {
        field.value
    }
}

impl From<&str> for Field<String> {
    fn from(text: &str) -> Self {
        Self::value(text.to_owned())
    }
}

impl<const N: usize> From<[&str; N]> for Field<Vec<String>> {
    fn from(items: [&str; N]) -> Self {
        Self::value(items.map(str::to_owned).into())
    }
}

impl From<Vec<&str>> for Field<Vec<String>> {
    fn from(items: Vec<&str>) -> Self {
        Self::value(items.into_iter().map(str::to_owned).collect())
    }
}

impl From<serde_json::Value> for Field<super::Json> {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::NULL,
            value => Self::value(value.into()),
        }
    }
}

macro_rules! from_numbers {
    ($target:ty: $($source:ty),*) => {
        $(impl From<$source> for Field<$target> {
            fn from(number: $source) -> Self {
                Self::value(number.into())
            }
        })*
    };
}

from_numbers!(i64: i32, u32);
from_numbers!(super::Number: i32, i64, f64);
from_numbers!(super::Seconds: i32, i64, f64, std::time::Duration);

impl<T> FromIterator<T> for Field<Vec<T>> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::value(items.into_iter().collect())
    }
}

impl<T: fmt::Debug> fmt::Debug for Field<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.value, self.set) {
            (Some(value), _) => value.fmt(f),
            (None, true) => f.write_str("null"),
            (None, false) => f.write_str("unset"),
        }
    }
}

/// The structs that hold a field skip it if it is unset; on its own, an unset field is written as null.
impl<T: Serialize> Serialize for Field<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::from)
    }
}
