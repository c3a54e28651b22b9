//! The third pass: variables of the server.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use super::placeholder::{self, Kind, Placeholder, placeholders};
use super::python;
use super::value::Value;

/// Collects the names of the variables that a value names.
pub(super) fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(_, it)| collect(it, found)),
        Value::List(items) => items.iter().for_each(|it| collect(it, found)),
        Value::Text(text) => {
            let names = placeholders(text).filter_map(|it| name(&it));
            // No variable has an empty name.
            found.extend(names.filter(|name| !name.is_empty()));
        }
        _ => {}
    }
}

/// Puts variables in the places of their placeholders. What they hold is not read again.
pub(super) fn put(value: Value, values: &BTreeMap<String, Value>) -> Value {
    match value {
        Value::Object(object) => {
            let members = object.into_iter();
            Value::Object(members.map(|(key, it)| (key, put(it, values))).collect())
        }
        Value::List(items) => Value::List(items.into_iter().map(|it| put(it, values)).collect()),
        Value::Text(text) => put_into_text(&text, values),
        value => value,
    }
}

/// A text that is one placeholder becomes the variable's value, of whatever type.
fn put_into_text(text: &str, values: &BTreeMap<String, Value>) -> Value {
    if let Some(name) = placeholder::whole(text).as_ref().and_then(name) {
        let value = values.get(&name).cloned();
        return value.unwrap_or_else(|| Value::Text(String::new()));
    }
    let replacement = |it: &Placeholder<'_>| {
        let text = |name: String| values.get(&name).map(python::text).unwrap_or_default();
        Ok::<_, Infallible>(name(it).map(text))
    };
    let Ok(text) = placeholder::replace(text, replacement);
    Value::Text(text)
}

/// The name of a variable is all that follows the prefix: there are no paths into variables.
fn name(placeholder: &Placeholder<'_>) -> Option<String> {
    match placeholder.kind() {
        Kind::Variable(name) => Some(name),
        _ => None,
    }
}
