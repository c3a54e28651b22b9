//! Drops keywords that do not affect the shape of a value.

use serde_json::Value;

use crate::codegen::document::for_each_schema;
use crate::codegen::problem::Result;

/// Pydantic titles every property; typify would name inline types by title and silently merge
/// those whose titles are equal.
pub fn drop_titles(document: &mut Value) -> Result<usize> {
    drop_keywords(document, &["title"])
}

/// The server applies defaults itself: a client that sent them would un-pause a deployment when only its
/// description was to change.
pub fn drop_defaults(document: &mut Value) -> Result<usize> {
    drop_keywords(document, &["default"])
}

/// The server validates bounds, and they change; hand-written code checks what must be caught early.
pub fn drop_bounds(document: &mut Value) -> Result<usize> {
    drop_keywords(document, BOUNDS)
}

/// The keywords of bounds.
pub const BOUNDS: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "propertyNames",
    // Misspelt upstream: pydantic passes unknown keywords through.
    "min_items",
    "max_items",
];

/// Drops examples, deprecation marks, and Prefect's notes on its settings.
pub fn drop_annotations(document: &mut Value) -> Result<usize> {
    drop_keywords(
        document,
        &[
            "example",
            "examples",
            "deprecated",
            "readOnly",
            "writeOnly",
            "contentMediaType",
            "contentEncoding",
            "discriminator",
            "supported_environment_variables",
            "$schema",
        ],
    )
}

fn drop_keywords(document: &mut Value, keywords: &[&str]) -> Result<usize> {
    let mut hits = 0;
    for_each_schema(document, |_, schema| {
        if let Some(schema) = schema.as_object_mut() {
            let before = schema.len();
            schema.retain(|keyword, _| !keywords.contains(&keyword.as_str()));
            hits += before - schema.len();
        }
        Ok(())
    })?;
    Ok(hits)
}
