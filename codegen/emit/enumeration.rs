//! Enums of text.

use serde_json::Value;

use super::{Context, docs};
use crate::codegen::normalise::pascal_case;
use crate::codegen::problem::{Problem, Result};

/// Writes one enum: open when a server may send it, so that a value from a newer one is kept.
pub fn write(context: &Context<'_>, schema: &Value) -> Result<String> {
    let values = schema["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let mut variants: Vec<(String, &str)> = Vec::new();
    for value in values {
        let name = pascal_case(value);
        let clash = variants.iter().any(|(other, _)| *other == name) || name == "Unknown";
        if clash || syn::parse_str::<syn::Ident>(&name).is_err() {
            return Err(Problem::new(
                context.at,
                format!("no variant can be named after the enum value {value:?}"),
            ));
        }
        variants.push((name, value));
    }
    let openness = if context.is_read() { "open" } else { "closed" };
    let mut out = format!("string_enum! {{\n{}", docs::indent(&context.docs(schema)));
    out.push_str(&format!("    pub enum {} {openness} {{\n", context.name));
    for (name, value) in variants {
        out.push_str(&format!("        {value:?} {name},\n"));
    }
    out.push_str("    }\n}\n");
    Ok(out)
}
