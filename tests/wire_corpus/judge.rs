//! The judgement of one value, and of what is around it: path and query.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use crate::compare::{Document, Place};
use crate::table::{Encoded, RoundTrip};

/// The problem of a value, if it does not survive, or survives only as something unknown.
pub fn value(
    round_trip: RoundTrip,
    place: &Place<'_>,
    sent: &str,
    is_of_this_version: bool,
) -> Option<String> {
    let encoded =
        match round_trip(sent).and_then(|encoded| known(encoded, place, is_of_this_version)) {
            Ok(encoded) => encoded,
            Err(problem) => return Some(problem),
        };
    let mut undeclared = BTreeMap::new();
    place.count_undeclared(sent, &mut undeclared);
    for (key, count) in encoded.undeclared_keys() {
        if count > undeclared.get(&key).copied().unwrap_or_default() {
            return Some(format!("the type lacks the declared field `{key}`"));
        }
    }
    place.difference(sent, &encoded.json)
}

/// No declared value may be unknown. Other versions may have values of their own.
fn known(encoded: Encoded, place: &Place<'_>, is_of_this_version: bool) -> Result<Encoded, String> {
    if is_of_this_version {
        return encoded.known();
    }
    match encoded
        .unknown_values()
        .iter()
        .find(|value| place.declares_value(value))
    {
        Some(value) => Err(format!(
            "the declared value {value:?} is unknown to its type"
        )),
        None => Ok(encoded),
    }
}

/// The problem of a path or a query string that the document does not describe.
pub fn target(
    document: &Document,
    method: &str,
    template: &str,
    path: &str,
    query: &str,
) -> Option<String> {
    if !crate::table::matches(template, path) {
        return Some(format!("the path {path} is not one of {template}"));
    }
    let parameters = document.parameters(method, template);
    let of = |place: &str, name: &str| {
        parameters
            .iter()
            .find(|parameter| parameter["in"] == place && parameter["name"] == name)
            .map(|parameter| &parameter["schema"])
    };
    for (name, value) in template.split('/').zip(path.split('/')) {
        let Some(name) = name
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
        else {
            continue;
        };
        let value = decoded(value);
        match of("path", name) {
            Some(schema) if !fits(document, schema, &value) => {
                return Some(format!("the path parameter `{name}` cannot be {value:?}"));
            }
            Some(_) => {}
            None => return Some(format!("the path parameter `{name}` is not declared")),
        }
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let spaced = |text: &str| decoded(&text.replace('+', " "));
        let (name, value) = (spaced(name), spaced(value));
        match of("query", &name) {
            Some(schema) if !fits(document, schema, &value) => {
                return Some(format!("the query parameter `{name}` cannot be {value:?}"));
            }
            Some(_) => {}
            None => return Some(format!("the query parameter `{name}` is not declared")),
        }
    }
    None
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

/// Whether a text may be the value of a parameter.
fn fits(document: &Document, schema: &Value, text: &str) -> bool {
    if let Some(members) = schema["anyOf"].as_array() {
        return members.iter().any(|member| fits(document, member, text));
    }
    if let Some(target) = schema["$ref"].as_str() {
        return document
            .target(target)
            .is_some_and(|schema| fits(document, schema, text));
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().any(|value| value == text);
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("string"), Some("uuid")) => Uuid::try_parse(text).is_ok(),
        (Some("string"), Some("date-time")) => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        (Some("integer"), _) => text.parse::<i64>().is_ok(),
        (Some("boolean"), _) => {
            let words = [
                "true", "false", "1", "0", "yes", "no", "on", "off", "t", "f", "y", "n",
            ];
            words.contains(&text.to_lowercase().as_str())
        }
        (Some("null"), _) => false,
        _ => true,
    }
}
