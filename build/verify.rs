//! The last step checks the result: what no rule knows fails the build, so that a new upstream
//! version cannot slip through wrong.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{for_each_schema, operations, ref_name, schemas};
use super::normalise::{is_type, pascal_case};
use super::problem::{Problem, Result};

/// Keywords that the generator understands, and whose absence elsewhere is no loss.
const KNOWN: [&str; 11] = [
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "description",
    "enum",
    "format",
    "items",
    "nullable",
    "properties",
    "required",
];

/// Checks a normalised document.
pub fn verify(document: &Value) -> Result<()> {
    for_each_schema(&mut document.clone(), |at, schema| {
        check_keywords(at, schema)?;
        check_shape(at, schema)?;
        if let Some(target) = schema.get("$ref") {
            let known = ref_name(schema).is_some_and(|name| schemas(document).contains_key(name));
            if !known {
                return Err(Problem::new(at, format!("{target} refers to nothing")));
            }
        }
        // `$.components.schemas.Name` has no further step: only there a type has a name.
        let named = at
            .strip_prefix("$.components.schemas.")
            .is_some_and(|name| !name.contains('.'));
        if is_type(schema) && !named {
            return Err(Problem::new(
                at,
                "an inline type is left that would be named by accident",
            ));
        }
        Ok(())
    })?;
    check_names(document)
}

fn check_keywords(at: &str, schema: &Value) -> Result<()> {
    let Some(map) = schema.as_object() else {
        return Err(Problem::new(at, "a schema is an object"));
    };
    let unknown = map
        .keys()
        .find(|key| !KNOWN.contains(&key.as_str()) && *key != "type" && !key.starts_with("x-"));
    match unknown {
        Some(keyword) => Err(Problem::new(
            at,
            format!(
                "no rule knows the keyword `{keyword}`; add one in build/normalise or an overlay entry"
            ),
        )),
        None => Ok(()),
    }
}

fn check_shape(at: &str, schema: &Value) -> Result<()> {
    let has = |keyword: &str| schema.get(keyword).is_some();
    if let Some(kind) = schema.get("type") {
        let known = ["string", "integer", "boolean", "array", "object"];
        if !kind.as_str().is_some_and(|kind| known.contains(&kind)) {
            return Err(Problem::new(
                at,
                format!("`type: {kind}` is not understood"),
            ));
        }
    } else if !["$ref", "allOf", "anyOf", "x-built-in"]
        .iter()
        .any(|keyword| has(keyword))
    {
        return Err(Problem::new(
            at,
            "the schema says neither its type nor what it refers to",
        ));
    }
    if let Some(members) = schema.get("allOf").and_then(Value::as_array)
        && (members.len() != 1 || ref_name(&members[0]).is_none())
    {
        return Err(Problem::new(
            at,
            "`allOf` is understood only around one reference",
        ));
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array)
        && (!values.iter().all(Value::is_string)
            || schema.get("type").is_none_or(|t| t != "string"))
    {
        return Err(Problem::new(at, "only enums of text are understood"));
    }
    if has("properties") && has("anyOf") {
        return Err(Problem::new(
            at,
            "an object that is a union at the same time is not understood",
        ));
    }
    Ok(())
}

fn check_names(document: &Value) -> Result<()> {
    let mut taken: BTreeMap<String, &str> = BTreeMap::new();
    for name in schemas(document).keys() {
        if !name.starts_with(|c: char| c.is_ascii_uppercase())
            || !name.chars().all(|c| c.is_ascii_alphanumeric())
        {
            return Err(Problem::new(
                format!("$.components.schemas.{name}"),
                "Rust cannot spell this name; rename the schema by a rule in normalise::names",
            ));
        }
        if let Some(other) = taken.insert(pascal_case(name).to_lowercase(), name) {
            return Err(Problem::new(
                format!("$.components.schemas.{name}"),
                format!("the name differs from `{other}` in capitals only"),
            ));
        }
    }
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    for operation in operations(document) {
        let id = operation.id()?.to_owned();
        if let Some(other) = ids.insert(id.clone(), operation.at.clone()) {
            return Err(Problem::new(
                operation.at,
                format!("`{id}` is the name of {other} already"),
            ));
        }
    }
    Ok(())
}
