//! `X-Input` and `X-Output`: one type, split by pydantic for the sake of its JSON Schema.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::names::rename_schemas;
use crate::pipeline::document::{schemas, schemas_mut, without};
use crate::pipeline::problem::Result;

/// Merges each pair whose halves say the same, apart from references to other halves, defaults,
/// prose, and a duration written as ISO text on one side and as seconds on the other: seconds
/// are what the server wants.
///
/// The input half is kept: what may be left out when sending may be missing when reading, too.
pub fn merge_input_and_output(document: &mut Value) -> Result<usize> {
    let names: Vec<String> = schemas(document)
        .keys()
        .filter_map(|name| name.strip_suffix("-Input").map(str::to_owned))
        .filter(|name| schemas(document).contains_key(&format!("{name}-Output")))
        .collect();
    let mut renamed = BTreeMap::new();
    for name in &names {
        let input = &schemas(document)[&format!("{name}-Input")];
        let output = &schemas(document)[&format!("{name}-Output")];
        if meaning(input) == meaning(output) {
            renamed.insert(format!("{name}-Input"), name.clone());
        }
    }
    let merged = renamed.len();
    let all = schemas_mut(document);
    for name in renamed.values() {
        all.remove(&format!("{name}-Output"));
    }
    let outputs = renamed
        .values()
        .map(|name| (format!("{name}-Output"), name.clone()));
    let outputs: BTreeMap<String, String> = outputs.collect();
    renamed.extend(outputs);
    rename_schemas(document, &renamed)?;
    Ok(merged)
}

/// A schema without what may differ between the halves of a pair.
fn meaning(schema: &Value) -> Value {
    unsplit(without(
        schema,
        &[
            "title",
            "default",
            "description",
            "required",
            "examples",
            "x-name",
        ],
    ))
}

/// Names without the half, durations as numbers.
fn unsplit(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            if map
                .get("format")
                .is_some_and(|f| f == "duration" || f == "time-delta")
            {
                return json!({ "type": "number" });
            }
            map.into_iter()
                .map(|(key, value)| (key, unsplit(value)))
                .collect()
        }
        Value::Array(items) => items.into_iter().map(unsplit).collect(),
        Value::String(text) => {
            let half = text
                .strip_suffix("-Input")
                .or_else(|| text.strip_suffix("-Output"));
            json!(half.unwrap_or(&text))
        }
        other => other,
    }
}
