//! Objects: undeclared keys, constant tags, and objects of any shape.

use serde_json::{Value, json};

use super::scalars::is_any;
use crate::codegen::document::{for_each_schema, refer_to, reference};
use crate::codegen::problem::{Problem, Result};

/// `additionalProperties: false` is the *server's* promise to refuse a key that it does not know.
/// A reader must not refuse: a newer server may send more, and an older one may take more.
pub fn forbidden_extras(document: &mut Value) -> Result<usize> {
    let mut hits = 0;
    for_each_schema(document, |_, schema| {
        if schema.get("additionalProperties") == Some(&json!(false)) {
            let schema = schema.as_object_mut().expect("has a keyword");
            schema.remove("additionalProperties");
            hits += 1;
        }
        Ok(())
    })?;
    Ok(hits)
}

/// `const` as an enum of one value, marked: such a property is a tag, not a type of its own.
///
/// Pydantic never lists tags as required, and senders may leave them out; the type written for a
/// tag sends it unless the value was read without one.
pub fn constants(document: &mut Value) -> Result<usize> {
    let mut hits = 0;
    for_each_schema(document, |at, schema| {
        let Some(map) = schema.as_object_mut() else {
            return Ok(());
        };
        if let Some(value) = map.remove("const") {
            if !value.is_string() {
                return Err(Problem::new(
                    at,
                    "only constants that are text are supported",
                ));
            }
            map.insert("type".to_owned(), json!("string"));
            map.insert("enum".to_owned(), json!([value]));
            map.insert("x-const".to_owned(), json!(true));
            hits += 1;
        }
        Ok(())
    })?;
    Ok(hits)
}

/// `{}` and objects whose keys and values are free become `Json`, which keeps the text unchanged: `1.0`
/// does not become `1`, and 2^70 keeps its digits.
pub fn free_json(document: &mut Value) -> Result<usize> {
    let mut hits = 0;
    for_each_schema(document, |_, schema| {
        let Some(map) = schema.as_object_mut() else {
            return Ok(());
        };
        let array = map.get("type") == Some(&json!("array"));
        if array && map.get("items").is_none_or(is_any) {
            map.insert("items".to_owned(), reference("Json"));
            hits += 1;
        } else if is_any(&Value::Object(map.clone())) || is_free_object(map) {
            // Any JSON may be null anyway; a free *object* keeps its `nullable`.
            let any = !map.contains_key("type");
            map.retain(|key, _| match key.as_str() {
                "nullable" => !any,
                key => key == "description" || key.starts_with("x-"),
            });
            refer_to(schema, "Json");
            hits += 1;
        }
        Ok(())
    })?;
    Ok(hits)
}

fn is_free_object(map: &serde_json::Map<String, Value>) -> bool {
    let free_values = match map.get("additionalProperties") {
        None | Some(Value::Bool(true)) => true,
        Some(values) => is_any(values),
    };
    map.get("type") == Some(&json!("object")) && !map.contains_key("properties") && free_values
}
