//! `Json`: any JSON, kept as text.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use super::finite;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, Value, to_raw_value};

/// Any JSON, kept as text and parsed on demand.
///
/// Flow-run parameters, job variables, block data and similar values pass through unchanged: `1.0`
/// does not become `1`, 2^70 keeps all its digits, and every float its last bit. (A
/// [`serde_json::Value`] keeps none of this without `arbitrary_precision`, a feature that changes
/// every crate of the program.) It is also the fastest way: a value that is not used is not parsed.
///
/// ```
/// use prefect_sdk::types::Json;
/// use serde_json::json;
///
/// let parameters = Json::from(json!({ "name": "etl", "rows": 3 }));
/// assert_eq!(parameters.get("rows").unwrap().parse::<u32>()?, 3);
///
/// let big: Json = serde_json::from_str(r#"{"n": 1180591620717411303424, "x": 1.0}"#)?;
/// assert_eq!(big.get("n").unwrap().as_str(), "1180591620717411303424");
/// assert_eq!(big.get("x").unwrap().as_str(), "1.0");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(Box<RawValue>);

impl Json {
    /// The JSON of any value that serde can serialise.
    ///
    /// # Errors
    ///
    /// When the value cannot be written as JSON: a map whose keys are not text, for example, or a number that is infinite or
    /// NaN (which serde_json alone would write as null).
    pub fn new(value: &(impl Serialize + ?Sized)) -> serde_json::Result<Self> {
        finite::check(value)?;
        to_raw_value(value).map(Self)
    }

    /// The JSON `null`.
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    /// Checks that a text is JSON, and keeps it.
    ///
    /// # Errors
    ///
    /// When the text is not JSON.
    pub fn from_text(text: impl Into<String>) -> serde_json::Result<Self> {
        RawValue::from_string(text.into()).map(Self)
    }

    /// The JSON text, as it was sent.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Parses into any type.
    ///
    /// # Errors
    ///
    /// When the JSON is not of that type.
    pub fn parse<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        // From bytes, like every reply, so that each type is compiled for one reader only.
        serde_json::from_slice(self.as_str().as_bytes())
    }

    /// The value under a key, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<Json> {
        self.parse::<BTreeMap<String, Json>>().ok()?.remove(key)
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        self.as_str() == "null"
    }

    /// What kind of JSON this is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self.as_str().as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b'"') => "a text",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            _ => "a number",
        }
    }

    /// Converts to a [`serde_json::Value`], in which numbers beyond 64 bits are rounded.
    ///
    /// # Errors
    ///
    /// When a number is beyond what a float can hold, such as `1e999`.
    pub fn to_value(&self) -> serde_json::Result<Value> {
        self.parse()
    }
}

/// As [`Json::to_value`].
impl TryFrom<&Json> for Value {
    type Error = serde_json::Error;

    fn try_from(json: &Json) -> serde_json::Result<Self> {
        json.to_value()
    }
}

/// As [`Json::to_value`].
impl TryFrom<Json> for Value {
    type Error = serde_json::Error;

    fn try_from(json: Json) -> serde_json::Result<Self> {
        json.to_value()
    }
}

impl Default for Json {
    fn default() -> Self {
        Self::null()
    }
}

/// Compares as JSON: white space, the order of keys and escapes in text do not matter; numbers are
/// equal when they are written the same way.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        let (one, two) = (self.as_str(), other.as_str());
        one == two
            || match (one.as_bytes().first(), two.as_bytes().first()) {
                (Some(b'{'), Some(b'{')) => same::<BTreeMap<Cow<'_, str>, Json>>(one, two),
                (Some(b'['), Some(b'[')) => same::<Vec<Json>>(one, two),
                (Some(b'"'), Some(b'"')) => same::<String>(one, two),
                _ => false,
            }
    }
}

fn same<'a, T: Deserialize<'a> + PartialEq>(one: &'a str, two: &'a str) -> bool {
    match (
        serde_json::from_str::<T>(one),
        serde_json::from_str::<T>(two),
    ) {
        (Ok(one), Ok(two)) => one == two,
        _ => false,
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        // A `Value` has text keys and finite numbers: it can always be written as JSON.
        Self::new(&value).unwrap_or_default()
    }
}

/// `None` is `null`.
impl From<Option<Value>> for Json {
    fn from(value: Option<Value>) -> Self {
        value.map_or_else(Self::null, Self::from)
    }
}

macro_rules! from_serializable {
    ($($source:ty),*) => {
        $(impl From<$source> for Json {
            fn from(value: $source) -> Self {
                Self::from(Value::from(value))
            }
        })*
    };
}

from_serializable!(bool, i32, i64, u32, u64, f64, &str, String);
