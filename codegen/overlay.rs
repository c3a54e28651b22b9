//! Applies an OpenAPI Overlay (1.0): corrections of the document that no general rule can make.
//!
//! Only the part of JSONPath that the overlay needs is supported: `$`, `.name`, `['name']`, `[0]` and the
//! wildcard `*`.
//!
//! A target inside the component schema `X` is also one in `X-Input` and `X-Output`, into which a newer document may split
//! it.
//!
//! There are three extensions: `x-rename: name` renames the property that is the target, also in the list of
//! required properties; `x-if-missing: key` updates only targets that lack the key; `x-older: true` marks a target that only documents older than the vendored one have.

use serde_json::Value;

use super::problem::{Problem, Result};

/// The result of one action.
#[derive(Debug, PartialEq, Eq)]
pub struct Applied {
    /// The action's target.
    pub target: String,
    /// How many places it matched; 0 means that it is obsolete.
    pub hits: usize,
    /// Whether it is for older documents only.
    pub older: bool,
}

/// Applies every action of `overlay` in order.
pub fn apply(document: &mut Value, overlay: &Value) -> Result<Vec<Applied>> {
    let actions = overlay
        .get("actions")
        .and_then(Value::as_array)
        .ok_or_else(|| Problem::new("overlay $", "an overlay needs a list of `actions`"))?;
    let mut applied = Vec::new();
    for (i, action) in actions.iter().enumerate() {
        let at = format!("overlay $.actions[{i}]");
        let text = |key: &str| action.get(key).and_then(Value::as_str);
        let target =
            text("target").ok_or_else(|| Problem::new(&at, "an action needs a `target`"))?;
        if text("description").is_none_or(|reason| reason.trim().is_empty()) {
            return Err(Problem::new(
                at,
                "an action must state its reason in `description`",
            ));
        }
        let steps = parse_path(target).map_err(|says| Problem::new(&at, says))?;
        let flag = |key: &str| action.get(key).and_then(Value::as_bool) == Some(true);
        let hits = match (flag("remove"), action.get("update"), text("x-rename")) {
            (true, None, None) => remove_at(document, &steps),
            (false, Some(update), None) => {
                update_at(document, &steps, update, text("x-if-missing"))
            }
            (false, None, Some(name)) => rename_at(document, &steps, name),
            _ => {
                let says = "an action needs exactly one of `update`, `remove: true` and `x-rename`";
                return Err(Problem::new(at, says));
            }
        };
        let older = flag("x-older");
        applied.push(Applied {
            target: target.to_owned(),
            hits,
            older,
        });
    }
    Ok(applied)
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
    Any,
}

fn parse_path(path: &str) -> Result<Vec<Step>, String> {
    let unsupported =
        || format!("`{path}` is not in the supported JSONPath: $ .name ['name'] [0] .* [*]");
    let mut rest = path.strip_prefix('$').ok_or_else(unsupported)?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, tail) = if let Some(quoted) = rest.strip_prefix("['") {
            let (name, tail) = quoted.split_once("']").ok_or_else(unsupported)?;
            (Step::Name(name.to_owned()), tail)
        } else if let Some(bracket) = rest.strip_prefix('[') {
            let (index, tail) = bracket.split_once(']').ok_or_else(unsupported)?;
            let step = match index {
                "*" => Step::Any,
                index => Step::Index(index.parse().map_err(|_| unsupported())?),
            };
            (step, tail)
        } else {
            let dotted = rest.strip_prefix('.').ok_or_else(unsupported)?;
            let end = dotted.find(['.', '[']).unwrap_or(dotted.len());
            let (name, tail) = dotted.split_at(end);
            match name {
                "" => return Err(unsupported()),
                "*" => (Step::Any, tail),
                name => (Step::Name(name.to_owned()), tail),
            }
        };
        steps.push(step);
        rest = tail;
    }
    Ok(steps)
}

/// Updates the targets; with a key, only those that lack it.
fn update_at(value: &mut Value, steps: &[Step], update: &Value, missing: Option<&str>) -> usize {
    at_each(value, steps, &|target| {
        let applies = missing.is_none_or(|key| target.get(key).is_none());
        if applies {
            merge(target, update);
        }
        usize::from(applies)
    })
}

fn remove_at(value: &mut Value, steps: &[Step]) -> usize {
    let [parents @ .., last] = steps else {
        return 0;
    };
    at_each(value, parents, &|parent| match (parent, last) {
        (Value::Object(map), Step::Name(name)) => usize::from(map.remove(name).is_some()),
        (Value::Object(map), Step::Any) => std::mem::take(map).len(),
        (Value::Array(list), Step::Index(i)) if *i < list.len() => {
            list.remove(*i);
            1
        }
        (Value::Array(list), Step::Any) => std::mem::take(list).len(),
        _ => 0,
    })
}

/// The target is `…properties.old`; the schema around it may list `old` as required.
fn rename_at(value: &mut Value, steps: &[Step], new: &str) -> usize {
    let [schema @ .., properties, Step::Name(old)] = steps else {
        return 0;
    };
    let rename = |schema: &mut Value| {
        let found = select(schema, properties)
            .into_iter()
            .next()
            .and_then(Value::as_object_mut);
        let Some(property) = found.and_then(|properties| properties.remove(old)) else {
            return 0;
        };
        schema["properties"][new] = property;
        for key in schema["required"].as_array_mut().into_iter().flatten() {
            if key == old {
                *key = new.into();
            }
        }
        1
    };
    at_each(value, schema, &rename)
}

fn at_each(value: &mut Value, steps: &[Step], change: &dyn Fn(&mut Value) -> usize) -> usize {
    match steps {
        [] => change(value),
        [
            Step::Name(components),
            Step::Name(schemas),
            Step::Name(name),
            rest @ ..,
        ] if components == "components" && schemas == "schemas" => {
            let Some(Value::Object(schemas)) = value.pointer_mut("/components/schemas") else {
                return 0;
            };
            let halves = [
                name.clone(),
                format!("{name}-Input"),
                format!("{name}-Output"),
            ];
            let mut hits = 0;
            for schema in halves {
                if let Some(schema) = schemas.get_mut(&schema) {
                    hits += at_each(schema, rest, change);
                }
            }
            hits
        }
        [step, rest @ ..] => select(value, step)
            .into_iter()
            .map(|child| at_each(child, rest, change))
            .sum(),
    }
}

fn select<'a>(value: &'a mut Value, step: &Step) -> Vec<&'a mut Value> {
    match (value, step) {
        (Value::Object(map), Step::Name(name)) => map.get_mut(name).into_iter().collect(),
        (Value::Object(map), Step::Any) => map.values_mut().collect(),
        (Value::Array(list), Step::Index(i)) => list.get_mut(*i).into_iter().collect(),
        (Value::Array(list), Step::Any) => list.iter_mut().collect(),
        _ => Vec::new(),
    }
}

/// Merges as the Overlay specification requires: objects merge, arrays append, all else is replaced.
fn merge(value: &mut Value, update: &Value) {
    match (value, update) {
        (Value::Object(map), Value::Object(update)) => {
            for (key, update) in update {
                merge(map.entry(key.clone()).or_insert(Value::Null), update);
            }
        }
        (Value::Array(list), Value::Array(update)) => list.extend(update.iter().cloned()),
        (value, update) => *value = update.clone(),
    }
}
