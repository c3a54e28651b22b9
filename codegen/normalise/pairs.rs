//! `X-Input` and `X-Output`: one type, split by pydantic for the sake of its JSON Schema.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::annotations::BOUNDS;
use super::durations::is_duration;
use super::names::rename_schemas;
use crate::codegen::document::{SCHEMA_PREFIX, schemas, schemas_mut, without};
use crate::codegen::problem::Result;

/// Merges each pair whose halves are equal apart from references to halves of other such pairs, defaults, bounds,
/// prose, and a duration written as ISO text on one side and as seconds on the other: the server wants
/// seconds.
///
/// A property is required if both halves require it.
pub fn merge_input_and_output(document: &mut Value) -> Result<usize> {
    let all = schemas(document);
    let pairs = all
        .keys()
        .filter_map(|name| name.strip_suffix("-Input").map(str::to_owned));
    let mut pairs: BTreeSet<String> = pairs
        .filter(|name| all.contains_key(&output(name)))
        .collect();
    // A pair that refers to a pair with a difference differs, too: repeat until no more drop out.
    loop {
        let same = |name: &String| {
            let halves = [&all[&input(name)], &all[&output(name)]];
            let [input, output] = halves.map(|half| meaning(half, &pairs));
            input == output
        };
        let kept: BTreeSet<String> = pairs.iter().filter(|name| same(name)).cloned().collect();
        if kept.len() == pairs.len() {
            break;
        }
        pairs = kept;
    }
    let mut renamed = BTreeMap::new();
    for name in &pairs {
        let all = schemas_mut(document);
        let output_half = all.remove(&output(name)).unwrap_or_default();
        if let Some(required) = all[&input(name)]["required"].as_array_mut() {
            let both = output_half["required"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            required.retain(|key| both.contains(key));
        }
        renamed.insert(input(name), name.clone());
        renamed.insert(output(name), name.clone());
    }
    rename_schemas(document, &renamed)?;
    Ok(pairs.len())
}

fn input(name: &str) -> String {
    format!("{name}-Input")
}

fn output(name: &str) -> String {
    format!("{name}-Output")
}

/// A schema without what may differ between the halves of a pair.
fn meaning(schema: &Value, pairs: &BTreeSet<String>) -> Value {
    const IGNORED: [&str; 6] = [
        "title",
        "default",
        "description",
        "required",
        "examples",
        "x-name",
    ];
    let schema = without(&without(schema, &IGNORED), BOUNDS);
    unsplit(schema, pairs)
}

/// Removes the half from references to these pairs, and writes durations as numbers.
fn unsplit(value: Value, pairs: &BTreeSet<String>) -> Value {
    match value {
        value if is_duration(&value) => json!({ "type": "number" }),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, unsplit(value, pairs)))
            .collect(),
        Value::Array(items) => items.into_iter().map(|item| unsplit(item, pairs)).collect(),
        Value::String(text) => {
            let target = text.strip_prefix(SCHEMA_PREFIX).unwrap_or_default();
            let half = target
                .strip_suffix("-Input")
                .or_else(|| target.strip_suffix("-Output"));
            match half.filter(|name| pairs.contains(*name)) {
                Some(name) => json!(format!("{SCHEMA_PREFIX}{name}")),
                None => json!(text),
            }
        }
        other => other,
    }
}
