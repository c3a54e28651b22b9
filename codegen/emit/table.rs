//! The table in which tests find the types of every operation and schema.

use serde_json::Value;

use super::rust_type;
use crate::codegen::document::{operations, schemas};
use crate::codegen::problem::Result;

/// Calls of two macros that the includer defines: `operations!` and `schemas!`.
pub fn table(document: &Value) -> Result<String> {
    let mut out = String::from("operations! {\n");
    for operation in operations(document) {
        let ty = |schema: Option<&Value>| match schema {
            Some(schema) => rust_type::element(&operation.at, schema),
            // Other content is passed on as bytes.
            None if operation.body.pointer("/responses/2XX/content").is_some() => {
                Ok("bytes".to_owned())
            }
            None => Ok("()".to_owned()),
        };
        out.push_str(&format!(
            "    {:?} {:?} {:?} {:?} ({}) ({}),\n",
            operation.id()?,
            operation.body["x-upstream-id"].as_str().unwrap_or_default(),
            operation.method.to_uppercase(),
            operation.path,
            ty(operation.request_schema())?,
            ty(operation.reply_schema())?,
        ));
    }
    out.push_str("}\nschemas! {\n");
    for (name, schema) in schemas(document) {
        if schema.get("x-built-in").is_none() {
            let upstream = schema["x-upstream-name"].as_str().unwrap_or(name);
            out.push_str(&format!("    {upstream:?} {name:?} ({name}),\n"));
        }
    }
    out.push_str("}\n");
    Ok(out)
}
