//! Checks that the filters of a bulk operation restrict it.

use serde_json::Value;

use crate::error::{Error, Result};

/// Checks that the filters have a condition, or that `all` is set, and not both. An empty list or text is
/// no condition, or one that everything meets; nor is an unknown key, whatever an old server makes of it.
pub(super) fn check(filter: &Value, known: &[&str], all: bool) -> Result<()> {
    let refused = |message: String| Err(Error::invalid_request(message));
    let mut leaves = Vec::new();
    collect(String::new(), filter, &mut leaves);
    for (path, value) in &leaves {
        let empty = match value {
            // Among alternatives, a part without a condition is one that everything meets.
            Value::Null | Value::Object(_) => true,
            Value::Array(items) => {
                items.is_empty() || items.iter().any(|item| matches_everything(path, item))
            }
            item => matches_everything(path, item),
        };
        if empty {
            return refused(format!(
                "`{path}` of the filter is {value}, which is no condition"
            ));
        }
        if !known.contains(&path.as_str()) {
            return refused(format!(
                "there is no condition `{path}`, or the server ignores it"
            ));
        }
    }
    let has = |path: &str| leaves.iter().any(|(other, _)| other == path);
    for part in ["flow_runs.state.type", "flow_runs.state.name"] {
        if has(&format!("{part}.any_")) && has(&format!("{part}.not_any_")) {
            // Servers since 3.1 drop both, until 3.9.1 at the latest, and then everything matches.
            return refused(format!(
                "`{part}` of a filter cannot have both `any_` and `not_any_`"
            ));
        }
    }
    let has_condition = leaves.iter().any(|(path, _)| !is_operator(path));
    // Everything meets a part of the filter that has only an operator: among alternatives, it would
    // override all others.
    let idle = leaves.iter().find(|(path, _)| {
        let part = path
            .strip_suffix("operator")
            .filter(|part| part.ends_with('.'));
        part.is_some_and(|part| {
            !leaves
                .iter()
                .any(|(path, _)| path.starts_with(part) && !is_operator(path))
        })
    });
    match (idle, has_condition, all) {
        (Some((path, _)), ..) => refused(format!("`{path}` of the filter joins no conditions")),
        (None, false, false) => refused(
            "there is no condition, so everything would match: add one, or call `.all()`"
                .to_owned(),
        ),
        (None, true, true) => {
            refused("`.all()` and a condition are both set: use only one of them".to_owned())
        }
        _ => Ok(()),
    }
}

/// Whether a value is an empty text, or only wildcards where the server supports them.
fn matches_everything(path: &str, value: &Value) -> bool {
    let Value::String(text) = value else {
        return false;
    };
    let wildcards = path.ends_with("like_") || path.ends_with("startswith_");
    text.chars().all(|c| wildcards && matches!(c, '%' | '_'))
}

/// Whether parts of a filter are alternatives.
pub(super) fn has_alternatives(filters: &Value) -> bool {
    let mut leaves = Vec::new();
    collect(String::new(), filters, &mut leaves);
    leaves
        .iter()
        .any(|(path, value)| is_operator(path) && *value == "or_")
}

fn is_operator(path: &str) -> bool {
    path.rsplit('.').next() == Some("operator")
}

/// Collects all values of a filter with their paths. An empty object is a value, too.
fn collect<'a>(path: String, value: &'a Value, leaves: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                let dot = if path.is_empty() { "" } else { "." };
                collect(format!("{path}{dot}{key}"), value, leaves);
            }
        }
        Value::Object(_) | Value::Null if path.is_empty() => {}
        value => leaves.push((path, value)),
    }
}
