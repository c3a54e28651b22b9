//! Scalars: formats, numbers and tuples, and the built-in types that represent them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::codegen::document::{for_each_schema, ref_name, refer_to, schemas_mut};
use crate::codegen::problem::{Problem, Result};

/// Types written by hand in `src/types/`, referenced like component schemas.
const BUILT_IN: [&str; 4] = ["Json", "Number", "Scalar", "Seconds"];

/// Whether a schema allows everything.
pub fn is_any(schema: &Value) -> bool {
    match schema {
        Value::Bool(allowed) => *allowed,
        Value::Object(map) => map
            .keys()
            .all(|key| matches!(key.as_str(), "description" | "nullable") || key.starts_with("x-")),
        _ => false,
    }
}

/// Tuples become arrays of their common type, or of any JSON.
pub fn tuples(document: &mut Value) -> Result<usize> {
    let mut hits = 0;
    for_each_schema(document, |_, schema| {
        let Some(map) = schema.as_object_mut() else {
            return Ok(());
        };
        if let Some(Value::Array(items)) = map.remove("prefixItems") {
            let common = match items.split_first() {
                Some((first, rest)) if rest.iter().all(|item| item == first) => first.clone(),
                _ => json!({}),
            };
            map.insert("items".to_owned(), common);
            hits += 1;
        }
        Ok(())
    })?;
    Ok(hits)
}

/// `uuid` and `date-time` stay; durations become `Seconds`, which the server wants and sends; other
/// formats are dropped, and a password is marked as a secret.
pub fn formats(document: &mut Value) -> Result<usize> {
    let mut hits = 0;
    for_each_schema(document, |at, schema| {
        let Some(format) = schema
            .get("format")
            .and_then(Value::as_str)
            .map(str::to_owned)
        else {
            return Ok(());
        };
        let map = schema.as_object_mut().expect("has a keyword");
        match format.as_str() {
            "uuid" | "date-time" => return Ok(()),
            "duration" | "time-delta" => {
                map.remove("format");
                map.remove("type");
                refer_to(schema, "Seconds");
            }
            "password" => {
                map.remove("format");
                map.insert("x-secret".to_owned(), json!(true));
            }
            "path" | "uri" | "json-string" | "float" | "double" | "int32" | "int64" | "binary" => {
                map.remove("format");
            }
            other => {
                return Err(Problem::new(
                    at,
                    format!(
                        "`format: {other}` is new; decide on its Rust type in scalars::formats"
                    ),
                ));
            }
        }
        hits += 1;
        Ok(())
    })?;
    Ok(hits)
}

/// `type: number` becomes `Number`, which distinguishes `1` from `1.0`.
pub fn numbers(document: &mut Value) -> Result<usize> {
    let mut hits = 0;
    for_each_schema(document, |_, schema| {
        if schema.get("type").is_some_and(|t| t == "number") {
            let map = schema.as_object_mut().expect("has a keyword");
            map.remove("type");
            refer_to(schema, "Number");
            hits += 1;
        }
        Ok(())
    })?;
    Ok(hits)
}

/// Adds the built-in types that the document refers to as component schemas of any shape:
/// progenitor only needs to find them.
pub fn declare_built_in(document: &mut Value) -> Result<()> {
    let mut used = BTreeSet::new();
    for_each_schema(document, |_, schema| {
        used.extend(ref_name(schema).map(str::to_owned));
        Ok(())
    })?;
    for name in BUILT_IN.into_iter().filter(|name| used.contains(*name)) {
        if schemas_mut(document)
            .insert(name.to_owned(), json!({ "x-built-in": true }))
            .is_some()
        {
            return Err(Problem::new(
                format!("$.components.schemas.{name}"),
                "a built-in type has this name; rename the schema by a rule in normalise::names",
            ));
        }
    }
    Ok(())
}
