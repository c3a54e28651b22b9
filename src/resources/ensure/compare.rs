//! Compares an object with what is wanted, as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::plan::Change;
use crate::error::{Error, ErrorKind, Result};
use crate::types::Json;

/// Defaults that a server adds to an object inside a field.
const DEFAULTS: [(&str, &str); 8] = [
    ("enabled", "true"),
    ("force", "false"),
    ("schedule_after", "0.0"),
    ("source", "\"selected\""),
    ("subject", "\"Prefect automated notification\""),
    ("threshold", "1"),
    ("timezone", "\"UTC\""),
    ("within", "0.0"),
];

/// Lists that are sets to the server, which returns them in any order.
const SETS: [&str; 3] = ["after", "expect", "for_each"];

/// Keys below which everything is the user's own.
const ANY_JSON: [&str; 2] = ["job_variables", "parameters"];

/// Up to here a float is exact: 2^53.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// How the value of a field is compared with the one that is wanted.
#[derive(Clone, Copy, PartialEq)]
pub(in crate::resources) enum Matching {
    /// They must be the same.
    Exact,
    /// The same, but null counts as not set: the server would not clear the field.
    ExactUnlessNull,
    /// The object may have more: keys that the server adds.
    AtLeast,
    /// As `AtLeast`, but what it has more must be a default, or empty.
    UpToDefaults,
}

/// The fields that differ.
#[derive(Default)]
pub(in crate::resources) struct Changes(BTreeMap<String, Change>);

impl Changes {
    pub(in crate::resources) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::resources) fn has(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    /// Adds a difference that was found in another way.
    pub(in crate::resources) fn add(&mut self, field: &str, from: Option<Json>, to: Option<Json>) {
        let change = Change {
            field: field.to_owned(),
            from,
            to,
            is_secret: false,
        };
        self.0.insert(field.to_owned(), change);
    }

    /// Keeps the values of a field from being printed.
    pub(in crate::resources) fn hide(&mut self, field: &str) {
        if let Some(change) = self.0.get_mut(field) {
            change.is_secret = true;
        }
    }

    pub(in crate::resources) fn into_list(self) -> Vec<Change> {
        let hidden = |change: Change| match change.is_secret {
            true => Change {
                from: None,
                to: None,
                ..change
            },
            false => change,
        };
        self.0.into_values().map(hidden).collect()
    }

    /// An update of the fields that differ.
    pub(in crate::resources) fn update<U: DeserializeOwned>(&self) -> Result<U> {
        let fields = self.0.iter().filter_map(|(field, change)| {
            let to = change.to.as_ref()?;
            Some((field.as_str(), to))
        });
        convert(&fields.collect::<BTreeMap<_, _>>())
    }
}

/// Compares the fields that are set in what is wanted, but for those whose matching is `None`.
pub(in crate::resources) fn compare(
    wanted: &impl Serialize,
    found: &impl Serialize,
    matching: impl Fn(&str) -> Option<Matching>,
) -> Result<Changes> {
    let wanted: BTreeMap<String, Json> = convert(wanted)?;
    let mut found: BTreeMap<String, Json> = convert(found)?;
    let mut changes = Changes::default();
    for (field, to) in wanted {
        let Some(matching) = matching(&field) else {
            continue;
        };
        if matching == Matching::ExactUnlessNull && to.is_null() {
            continue;
        }
        let from = found.remove(&field);
        let is_same = match &from {
            Some(from) => is_same(from, &to, matching),
            None => to.is_null(),
        };
        if !is_same {
            changes.add(&field, from, Some(to));
        }
    }
    Ok(changes)
}

fn convert<T: DeserializeOwned>(value: &impl Serialize) -> Result<T> {
    let text = serde_json::to_vec(value);
    let converted = text.and_then(|text| serde_json::from_slice(&text));
    converted.map_err(|error| {
        let message = "the object cannot be compared";
        Error::new(ErrorKind::InvalidRequest, message).with_source(error)
    })
}

/// Whether a value is the one that is wanted.
fn is_same(found: &Json, wanted: &Json, matching: Matching) -> bool {
    if found == wanted {
        return true;
    }
    match (found.to_value(), wanted.to_value()) {
        (Ok(found), Ok(wanted)) => is_same_value(&found, &wanted, matching),
        _ => false,
    }
}

fn is_same_value(found: &Value, wanted: &Value, matching: Matching) -> bool {
    match (found, wanted) {
        // 1 and 1.0 are the same. Of larger numbers a float does not have all digits; they have been compared as text.
        (Value::Number(one), Value::Number(two)) => {
            let has_all_digits = one.as_f64().is_some_and(|one| one.abs() < MAX_EXACT);
            has_all_digits && one.as_f64() == two.as_f64()
        }
        (Value::Array(one), Value::Array(two)) => {
            let mut pairs = one.iter().zip(two);
            one.len() == two.len() && pairs.all(|(one, two)| is_same_value(one, two, matching))
        }
        (Value::Object(found), Value::Object(wanted)) => {
            let has = |(key, wanted): (&String, &Value)| match found.get(key) {
                Some(found) => is_same_member(key, found, wanted, matching),
                None => wanted.is_null(),
            };
            let may_have = |(key, value): (&String, &Value)| {
                wanted.contains_key(key)
                    || match matching {
                        Matching::Exact | Matching::ExactUnlessNull => false,
                        Matching::AtLeast => true,
                        Matching::UpToDefaults => is_default(key, value),
                    }
            };
            wanted.iter().all(has) && found.iter().all(may_have)
        }
        (found, wanted) => found == wanted,
    }
}

/// Whether the value of a key is the one that is wanted.
fn is_same_member(key: &str, found: &Value, wanted: &Value, matching: Matching) -> bool {
    let has_defaults = matching == Matching::UpToDefaults;
    match (found, wanted) {
        (Value::Array(one), Value::Array(two)) if has_defaults && SETS.contains(&key) => {
            one.len() == two.len() && one.iter().all(|item| two.contains(item))
        }
        _ if has_defaults && ANY_JSON.contains(&key) => {
            is_same_value(found, wanted, Matching::Exact)
        }
        _ => is_same_value(found, wanted, matching),
    }
}

/// Whether a server adds this on its own account.
fn is_default(key: &str, value: &Value) -> bool {
    let is_empty = match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    is_empty || key == "id" || DEFAULTS.contains(&(key, value.to_string().as_str()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn same(found: Value, wanted: Value, matching: Matching) -> bool {
        is_same(&found.into(), &wanted.into(), matching)
    }

    #[test]
    fn values_are_compared_as_json() {
        assert!(same(
            json!({"a": 1.0, "b": [1]}),
            json!({"b": [1], "a": 1}),
            Matching::Exact
        ));
        assert!(!same(
            json!({"a": 1, "b": 2}),
            json!({"a": 1}),
            Matching::Exact
        ));
        assert!(same(
            json!({"a": 1, "b": 2}),
            json!({"a": 1}),
            Matching::AtLeast
        ));
        assert!(!same(
            json!({"a": 1}),
            json!({"a": 1, "b": 2}),
            Matching::AtLeast
        ));
        let (big, bigger) = ("18446744073709551617", "18446744073709551618");
        let json = |text: &str| Json::from_text(text).expect("JSON");
        assert!(!is_same(&json(big), &json(bigger), Matching::Exact));
    }

    #[test]
    fn a_server_may_add_defaults_but_nothing_else() {
        let wanted = json!({"type": "event", "expect": ["a"]});
        let with_defaults = json!({
            "type": "event", "expect": ["a"], "id": "1", "after": [], "match": {}, "threshold": 1,
            "within": 0.0, "for_each": [],
        });
        assert!(same(with_defaults, wanted.clone(), Matching::UpToDefaults));
        let sets = |first, second| json!({"type": "event", "expect": [first, second]});
        assert!(same(sets("a", "b"), sets("b", "a"), Matching::UpToDefaults));
        let action = |parameters| json!({"type": "run-deployment", "parameters": parameters});
        let (fewer, more) = (json!({"x": 1}), json!({"x": 1, "enabled": true}));
        assert!(!same(action(more), action(fewer), Matching::UpToDefaults));
        let with_more = json!({"type": "event", "expect": ["a"], "after": ["b"]});
        assert!(!same(with_more, wanted, Matching::UpToDefaults));
    }
}
