//! Whether a schema is one, by the meta-schema of draft 2020-12.

use super::tree::Tree;

const TYPES: [&str; 7] = [
    "array", "boolean", "integer", "null", "number", "object", "string",
];

/// A schema that is none.
pub(super) struct BadSchema {
    /// What jsonschema says of it, as far as the fake knows.
    pub why: Option<String>,
}

/// Checks that this is a schema.
pub(super) fn check(schema: &Tree) -> Result<(), BadSchema> {
    let entries = match schema {
        Tree::Bool(_) => return Ok(()),
        Tree::Object(entries) => entries,
        _ => return Err(bad()),
    };
    for (key, value) in entries {
        let is_good = match key.as_str() {
            "type" => {
                if !is_type(value) {
                    let why = format!("{value} is not valid under any of the given schemas");
                    return Err(BadSchema { why: Some(why) });
                }
                true
            }
            "properties" | "$defs" | "definitions" | "patternProperties" | "dependentSchemas" => {
                let entries = value.entries().ok_or_else(bad)?;
                entries.iter().try_for_each(|(_, schema)| check(schema))?;
                true
            }
            "items"
            | "additionalProperties"
            | "not"
            | "if"
            | "then"
            | "else"
            | "contains"
            | "propertyNames"
            | "unevaluatedItems"
            | "unevaluatedProperties" => {
                check(value)?;
                true
            }
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
                let items = value.items().filter(|items| !items.is_empty());
                items.ok_or_else(bad)?.iter().try_for_each(check)?;
                true
            }
            "required" => is_names(value),
            "dependentRequired" => value
                .entries()
                .is_some_and(|entries| entries.iter().all(|(_, names)| is_names(names))),
            "enum" | "examples" => value.items().is_some(),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                value.number().is_some()
            }
            "multipleOf" => value.number().is_some_and(|number| number > 0.0),
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties"
            | "maxProperties" | "minContains" | "maxContains" => {
                value.is_integer() && value.number().is_some_and(|number| number >= 0.0)
            }
            "uniqueItems" | "deprecated" | "readOnly" | "writeOnly" => {
                matches!(value, Tree::Bool(_))
            }
            "pattern" | "format" | "title" | "description" | "$ref" | "$comment" | "$id"
            | "$schema" | "$anchor" | "$dynamicRef" | "$dynamicAnchor" | "contentEncoding"
            | "contentMediaType" => value.text().is_some(),
            _ => true,
        };
        if !is_good {
            return Err(bad());
        }
    }
    Ok(())
}

fn bad() -> BadSchema {
    BadSchema { why: None }
}

fn is_type(value: &Tree) -> bool {
    let is_one = |value: &Tree| value.text().is_some_and(|name| TYPES.contains(&name));
    match value {
        Tree::List(items) => !items.is_empty() && items.iter().all(is_one) && is_unique(items),
        value => is_one(value),
    }
}

fn is_names(value: &Tree) -> bool {
    value
        .items()
        .is_some_and(|items| items.iter().all(|item| item.text().is_some()) && is_unique(items))
}

/// Whether no two of the values are the same.
pub(super) fn is_unique(items: &[Tree]) -> bool {
    let mut pairs = items
        .iter()
        .enumerate()
        .flat_map(|(i, one)| items[..i].iter().map(move |two| (one, two)));
    !pairs.any(|(one, two)| one.equals(two))
}
