//! The first pass: puts job variables and environment variables in the places of their placeholders.

use std::convert::Infallible;

use super::path::look_up;
use super::placeholder::{self, Kind, Placeholder};
use super::python;
use super::value::{Object, Value};

/// How environment variables are read.
pub(super) type Env<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// A value with its placeholders replaced. Members and items that are placeholders of what is not set are left out; for
/// a value that is one itself, this is `None`.
pub(super) fn apply(value: &Value, values: &Value, env: &Env<'_>) -> Option<Value> {
    match value {
        Value::Object(object) => {
            let object = apply_to_members(object, values, env);
            Some(Value::Object(object))
        }
        Value::List(items) => {
            let items = items.iter().filter_map(|it| apply(it, values, env));
            Some(Value::List(items.collect()))
        }
        Value::Text(text) => apply_to_text(text, values, env),
        value => Some(value.clone()),
    }
}

/// As [`apply`], to each member of an object. Keys have no placeholders.
pub(super) fn apply_to_members(object: &Object, values: &Value, env: &Env<'_>) -> Object {
    let members = object.iter().filter_map(|(key, value)| {
        let value = apply(value, values, env)?;
        Some((key.to_owned(), value))
    });
    members.collect()
}

/// A text that is one placeholder becomes its value, of whatever type; but an environment variable is always a text.
fn apply_to_text(text: &str, values: &Value, env: &Env<'_>) -> Option<Value> {
    if let Some(placeholder) = placeholder::whole(text)
        && let Kind::Value = placeholder.kind()
    {
        let value = look_up(values, placeholder.name)?;
        return Some(value.into_owned());
    }
    let replacement = |it: &Placeholder<'_>| Ok::<_, Infallible>(replacement(it, values, env));
    let Ok(text) = placeholder::replace(text, replacement);
    Some(Value::Text(text))
}

/// The text for a placeholder within a text, which is empty for what is not set.
fn replacement(placeholder: &Placeholder<'_>, values: &Value, env: &Env<'_>) -> Option<String> {
    let text = match placeholder.kind() {
        Kind::Block(_) | Kind::Variable(_) => return None,
        Kind::Environment(name) => env(&name),
        Kind::Value => look_up(values, placeholder.name).map(|value| python::text(&value)),
    };
    Some(text.unwrap_or_default())
}
