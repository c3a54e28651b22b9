//! Checks the result as the last step: anything that no rule handles fails the build, so that a new
//! upstream version is never generated wrong without notice.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{for_each_schema, operations, ref_name, schemas};
use super::normalise::is_type;
use super::problem::{Problem, Result};

/// The keywords that the generator understands, besides `type` and those with the prefix `x-`.
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
        // Only a type directly at `$.components.schemas.Name` has a name.
        let named = at
            .strip_prefix("$.components.schemas.")
            .is_some_and(|name| !name.contains('.'));
        if is_type(schema) && !named {
            return Err(Problem::new(
                at,
                "an inline type remains that would get an accidental name",
            ));
        }
        Ok(())
    })?;
    check_operations(document)?;
    check_names(document)
}

fn check_keywords(at: &str, schema: &Value) -> Result<()> {
    let Some(map) = schema.as_object() else {
        return Err(Problem::new(at, "a schema must be an object"));
    };
    let unknown = map
        .keys()
        .find(|key| !KNOWN.contains(&key.as_str()) && *key != "type" && !key.starts_with("x-"));
    match unknown {
        Some(keyword) => Err(Problem::new(
            at,
            format!(
                "no rule handles the keyword `{keyword}`; add one in codegen/normalise or an overlay entry"
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
            return Err(Problem::new(at, format!("`type: {kind}` is not supported")));
        }
    } else if !["$ref", "allOf", "anyOf", "x-built-in"]
        .iter()
        .any(|keyword| has(keyword))
    {
        return Err(Problem::new(
            at,
            "the schema has neither a type nor a reference",
        ));
    }
    if let Some(members) = schema.get("allOf").and_then(Value::as_array)
        && (members.len() != 1 || ref_name(&members[0]).is_none())
    {
        return Err(Problem::new(
            at,
            "`allOf` is supported only around one reference",
        ));
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array)
        && (!values.iter().all(Value::is_string)
            || schema.get("type").is_none_or(|t| t != "string"))
    {
        return Err(Problem::new(at, "only enums of text are supported"));
    }
    if has("properties") && has("anyOf") {
        return Err(Problem::new(
            at,
            "an object that is also a union is not supported",
        ));
    }
    Ok(())
}

/// Refuses parameters and bodies that would be arguments of a method and never be sent.
fn check_operations(document: &Value) -> Result<()> {
    for operation in operations(document) {
        let parameters = operation.body.get("parameters").and_then(Value::as_array);
        for parameter in parameters.into_iter().flatten() {
            if parameter["in"] != "path" && parameter["in"] != "query" {
                let message = format!(
                    "the parameter {} is neither in the path nor in the query; drop it by a rule in normalise::parameters or send it in the transport",
                    parameter["name"]
                );
                return Err(Problem::new(operation.at, message));
            }
        }
        let content = operation
            .body
            .pointer("/requestBody/content")
            .and_then(Value::as_object);
        if let Some(mime) = content.and_then(|c| c.keys().find(|mime| *mime != "application/json"))
        {
            let message = format!("a request body of {mime} is not supported, only JSON is");
            return Err(Problem::new(operation.at, message));
        }
    }
    Ok(())
}

/// Names that the generated file uses for something else.
const RESERVED: [&str; 10] = [
    "BTreeMap", "DateTime", "Field", "Option", "Result", "Self", "String", "Tag", "Uuid", "Vec",
];

fn check_names(document: &Value) -> Result<()> {
    let mut taken: BTreeMap<String, &str> = BTreeMap::new();
    for (name, schema) in schemas(document) {
        let at = format!("$.components.schemas.{name}");
        if RESERVED.contains(&name.as_str()) || syn::parse_str::<syn::Ident>(name).is_err() {
            return Err(Problem::new(
                at,
                "this name cannot be a Rust type here; rename the schema in the overlay or by a rule",
            ));
        }
        if schema.get("nullable").is_some() {
            return Err(Problem::new(
                at,
                "a component that may be null is not supported",
            ));
        }
        if let Some(other) = taken.insert(name.to_lowercase(), name) {
            let message = format!("the name differs from `{other}` only in upper and lower case");
            return Err(Problem::new(at, message));
        }
    }
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    for operation in operations(document) {
        let id = operation.id()?.to_owned();
        if let Some(other) = ids.insert(id.clone(), operation.at.clone()) {
            let message = format!("`{id}` is already the name of {other}");
            return Err(Problem::new(operation.at, message));
        }
    }
    Ok(())
}
