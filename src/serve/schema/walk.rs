//! A walk through a schema and its parts.

use serde_json::{Value, json};

use super::object::Object;

/// Calls `change` for a schema and each of its parts, the inner ones first. A part that is `true` or `false` becomes an
/// object, because a form fails for it.
pub(super) fn walk(schema: &mut Value, change: &mut dyn FnMut(&mut Object)) {
    if let Value::Bool(anything) = *schema {
        *schema = match anything {
            true => json!({}),
            false => json!({ "not": {} }),
        };
    }
    if let Value::Object(schema) = schema {
        walk_parts(schema, change);
        change(schema);
    }
}

/// Calls `change` for the parts of a schema, but not for itself.
pub(super) fn walk_parts(schema: &mut Object, change: &mut dyn FnMut(&mut Object)) {
    for (keyword, value) in schema {
        match (keyword.as_str(), value) {
            ("properties" | "patternProperties" | "dependentSchemas", Value::Object(parts)) => {
                parts.values_mut().for_each(|part| walk(part, change));
            }
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(parts)) => {
                parts.iter_mut().for_each(|part| walk(part, change));
            }
            ("items", part) => walk(part, change),
            // Here `true` and `false` are left, as Pydantic writes them, too.
            (
                "additionalProperties"
                | "unevaluatedProperties"
                | "propertyNames"
                | "contains"
                | "not"
                | "if"
                | "then"
                | "else",
                part @ Value::Object(_),
            ) => walk(part, change),
            _ => {}
        }
    }
}
