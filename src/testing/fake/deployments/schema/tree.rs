//! `Tree`: a JSON value as Python holds it: keys in their order, numbers as they were written.

use std::fmt::{self, Write as _};

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::types::Json;

/// A JSON value as Python holds it.
#[derive(Clone, Debug)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    /// The text of the number: 1.0 is no 1, and integers have any size.
    Number(String),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    pub(crate) fn parse(json: &Json) -> Self {
        let text = json.as_str();
        match text.as_bytes().first() {
            Some(b'{') => {
                let Entries(entries) = json.parse().unwrap_or_default();
                let mut object = Self::Object(Vec::new());
                for (key, value) in entries {
                    object.set(&key, Self::parse(&value));
                }
                object
            }
            Some(b'[') => {
                let items: Vec<Json> = json.parse().unwrap_or_default();
                Self::List(items.iter().map(Self::parse).collect())
            }
            Some(b'"') => Self::Text(json.parse().unwrap_or_default()),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'n') | None => Self::Null,
            Some(_) => Self::Number(text.to_owned()),
        }
    }

    pub(crate) fn to_json(&self) -> Json {
        Json::from_text(self.json_text()).unwrap_or_default()
    }

    fn json_text(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(text) => text.clone(),
            Self::Text(text) => json_string(text),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::json_text).collect();
                format!("[{}]", items.join(","))
            }
            Self::Object(entries) => {
                let entry = |(key, value): &(String, Tree)| {
                    format!("{}:{}", json_string(key), value.json_text())
                };
                let entries: Vec<_> = entries.iter().map(entry).collect();
                format!("{{{}}}", entries.join(","))
            }
        }
    }

    pub(crate) fn entries(&self) -> Option<&[(String, Tree)]> {
        match self {
            Self::Object(entries) => Some(entries),
            _ => None,
        }
    }

    pub(super) fn entries_mut(&mut self) -> Option<&mut Vec<(String, Tree)>> {
        match self {
            Self::Object(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn items(&self) -> Option<&[Tree]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Tree> {
        let mut entries = self.entries()?.iter();
        entries
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// Sets a key, at its place if it is there.
    pub(crate) fn set(&mut self, key: &str, value: Tree) {
        let Some(entries) = self.entries_mut() else {
            return;
        };
        match entries.iter_mut().find(|(name, _)| name == key) {
            Some((_, held)) => *held = value,
            None => entries.push((key.to_owned(), value)),
        }
    }

    pub(super) fn remove(&mut self, key: &str) -> Option<Tree> {
        let entries = self.entries_mut()?;
        let position = entries.iter().position(|(name, _)| name == key)?;
        Some(entries.remove(position).1)
    }

    /// Whether Python takes the value for true.
    pub(crate) fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Number(_) => self.number() != Some(0.0),
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Object(entries) => !entries.is_empty(),
        }
    }

    /// The number, rounded to a float.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Whether JSON Schema takes the value for an integer.
    pub(super) fn is_integer(&self) -> bool {
        match self {
            Self::Number(text) if is_float(text) => {
                text.parse().is_ok_and(|float: f64| float.fract() == 0.0)
            }
            Self::Number(_) => true,
            _ => false,
        }
    }

    /// Whether JSON Schema takes two values for the same one.
    pub(super) fn equals(&self, other: &Tree) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(two)) => one == two,
            (Self::Number(one), Self::Number(two)) => {
                one == two || self.number() == other.number() && (is_float(one) || is_float(two))
            }
            (Self::Text(one), Self::Text(two)) => one == two,
            (Self::List(one), Self::List(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(a, b)| a.equals(b))
            }
            (Self::Object(one), Self::Object(two)) => {
                let is_held = |(key, value): &(String, Tree)| {
                    other.get(key).is_some_and(|held| held.equals(value))
                };
                one.len() == two.len() && one.iter().all(is_held)
            }
            _ => false,
        }
    }
}

/// As Python writes it in messages (`repr`).
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("None"),
            Self::Bool(true) => f.write_str("True"),
            Self::Bool(false) => f.write_str("False"),
            Self::Number(text) if is_float(text) => match text.parse() {
                Ok(float) => write_float(f, float),
                Err(_) => f.write_str(text),
            },
            Self::Number(text) => f.write_str(if text == "-0" { "0" } else { text }),
            Self::Text(text) => write_text(f, text),
            Self::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Object(entries) => {
                f.write_str("{")?;
                for (i, (key, value)) in entries.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    write_text(f, key)?;
                    write!(f, ": {value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

/// A text as Python writes it in messages.
pub(crate) struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_text(f, self.0)
    }
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn is_float(text: &str) -> bool {
    text.contains(['.', 'e', 'E'])
}

/// Python writes an exponent of at least two digits with its sign, from 1e16 on and below 1e-4.
fn write_float(f: &mut fmt::Formatter<'_>, float: f64) -> fmt::Result {
    let size = float.abs();
    if size.is_infinite() {
        return f.write_str(if float > 0.0 { "inf" } else { "-inf" });
    }
    if size == 0.0 || (1e-4..1e16).contains(&size) {
        return write!(f, "{float:?}");
    }
    let text = format!("{float:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    write!(f, "{digits}e{sign}{exponent:0>2}")
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let quote = match text.contains('\'') && !text.contains('"') {
        true => '"',
        false => '\'',
    };
    f.write_char(quote)?;
    for c in text.chars() {
        match c {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c == quote => write!(f, "\\{c}")?,
            c if c.is_control() => write!(f, "\\x{:02x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char(quote)
}

/// The entries of an object, in their order.
#[derive(Default)]
struct Entries(Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor)
    }
}
