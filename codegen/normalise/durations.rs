//! Durations: one schema, however pydantic writes them on either side.

use serde_json::{Value, json};

use crate::codegen::document::for_each_schema;
use crate::codegen::problem::Result;

/// A duration is a number of seconds: replies have numbers, and requests may have numbers, too, or text in ISO 8601.
///
/// Newer documents say both of requests (`anyOf: [number, string (duration)]`), some only that it is text. What the overlay
/// marks with the format of a duration is one, too, whatever else upstream says of it.
pub fn durations(document: &mut Value) -> Result<usize> {
    let mut hits = 0;
    for_each_schema(document, |_, schema| {
        let Some(members) = schema.get("anyOf").and_then(Value::as_array) else {
            return Ok(());
        };
        let is_number = |member: &Value| member["type"] == "number";
        let is_null = |member: &Value| member["type"] == "null";
        let has_text = members.iter().any(is_duration);
        let has_number = members.iter().any(is_number);
        let has_other = members
            .iter()
            .any(|member| !is_duration(member) && !is_number(member) && !is_null(member));
        let is_a_duration = is_duration(schema) || has_text && has_number && !has_other;
        if !is_a_duration {
            return Ok(());
        }
        let no_value = members.iter().find(|member| is_null(member)).cloned();
        let duration = json!({ "type": "number", "format": "time-delta" });
        let map = schema.as_object_mut().expect("has a keyword");
        map.remove("format");
        match no_value {
            Some(no_value) => {
                map.insert("anyOf".to_owned(), json!([duration, no_value]));
            }
            None => {
                map.remove("anyOf");
                map.extend(duration.as_object().cloned().unwrap_or_default());
            }
        }
        hits += 1;
        Ok(())
    })?;
    Ok(hits)
}

/// Whether a schema has the format of a duration.
pub fn is_duration(schema: &Value) -> bool {
    schema
        .get("format")
        .is_some_and(|format| format == "duration" || format == "time-delta")
}
