//! Conversions between two types of one object, which upstream declares twice.

use serde_json::Value;

use super::Context;
use super::object::{Field, fields};
use crate::codegen::document::schemas;
use crate::codegen::problem::{Problem, Result};

/// The keyword of a schema that names the other schema of the same object.
pub const TWIN: &str = "x-twin";

/// Writes the conversions between a type and its twin, if it has one, each way.
pub fn write(context: &Context<'_>, schema: &Value) -> Result<String> {
    let Some(name) = schema.get(TWIN).and_then(Value::as_str) else {
        return Ok(String::new());
    };
    let Some(other) = schemas(context.document).get(name) else {
        let message = format!("`{TWIN}` names the schema {name}, which does not exist");
        return Err(Problem::new(context.at, message));
    };
    let at = format!("$.components.schemas.{name}");
    let twin = Context {
        document: context.document,
        usage: context.usage,
        cycles: context.cycles,
        at: &at,
        name,
    };
    let (own, others) = (fields(context, schema)?, fields(&twin, other)?);
    Ok(conversion(context, &own, &twin, &others)? + &conversion(&twin, &others, context, &own)?)
}

/// A call of `twin!`: what has the same type in both is moved, and what only one has goes through `extra`.
fn conversion(
    context: &Context<'_>,
    own: &[Field<'_>],
    from: &Context<'_>,
    others: &[Field<'_>],
) -> Result<String> {
    let in_both = |field: &Field<'_>, fields: &[Field<'_>]| {
        let is_bare = |field: &Field<'_>| matches!(field.kind, "required" | "constant");
        fields.iter().any(|other| {
            other.key == field.key && other.ty == field.ty && is_bare(other) == is_bare(field)
        })
    };
    let mut out = format!("twin! {{ {} from {} {{\n", context.name, from.name);
    for field in own {
        let (key, ident) = (field.key, &field.ident);
        match (in_both(field, others), field.kind) {
            (true, _) => out.push_str(&format!("    both {key:?} {ident},\n")),
            (false, "required" | "required_nullable" | "constant") => {
                let message = format!(
                    "`{key}` is required, but {} lacks it: remove `{TWIN}` from openapi/overlay.yaml",
                    from.name
                );
                return Err(Problem::new(context.at, message));
            }
            (false, _) => out.push_str(&format!("    new {key:?} {ident},\n")),
        }
    }
    out.push_str("} lost {\n");
    for field in others.iter().filter(|field| !in_both(field, own)) {
        out.push_str(&format!("    {:?} {},\n", field.key, field.ident));
    }
    out.push_str("} }\n");
    Ok(out)
}
