//! The names of inline types, as `openapi/names.yaml` pins them to the places where the types are meant.
//!
//! Without that, a type would be named after the first place that has it, and another place that comes earlier in a newer
//! document would rename it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{
    children_mut, for_each_operation, operation_schemas_mut, schemas, schemas_mut,
};
use super::normalise::{INLINE_AT, is_type};
use super::problem::{Problem, Result};

/// How the pinned names and the document differ.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unmatched {
    /// Names that no pin holds, and the places after which the types are named.
    pub unpinned: BTreeMap<String, String>,
    /// Pins whose place has no inline type.
    pub obsolete: Vec<String>,
}

/// Gives each pinned type its name, and returns the pins whose place has none.
pub fn apply(document: &mut Value, names: &Value) -> Result<Vec<String>> {
    let mut pins = BTreeMap::new();
    for (name, at) in names.as_object().into_iter().flatten() {
        let at = at
            .as_str()
            .ok_or_else(|| Problem::new(format!("names {name}"), "a place is a text"))?;
        if let Some(other) = pins.insert(at.to_owned(), name.clone()) {
            let message = format!("the place has the name `{other}`, too");
            return Err(Problem::new(format!("names {name}"), message));
        }
    }
    for (name, schema) in schemas_mut(document) {
        pin(&format!("$.components.schemas.{name}"), schema, &mut pins);
    }
    for_each_operation(document, |at, _, _, operation| {
        for (at, schema) in operation_schemas_mut(at, operation) {
            pin(&at, schema, &mut pins);
        }
        Ok(())
    })?;
    Ok(pins.into_values().collect())
}

fn pin(at: &str, schema: &mut Value, pins: &mut BTreeMap<String, String>) {
    if is_type(schema)
        && let Some(name) = pins.remove(at)
        && schema.get("x-name").is_none()
    {
        schema["x-name"] = Value::String(name);
    }
    for (at, child) in children_mut(at, schema) {
        pin(&at, child, pins);
    }
}

/// The types that are named after their first place, and these places.
pub fn unpinned(document: &Value) -> BTreeMap<String, String> {
    let places = schemas(document).iter().filter_map(|(name, schema)| {
        let at = schema.get(INLINE_AT)?.as_str()?;
        Some((name.clone(), at.to_owned()))
    });
    places.collect()
}
