//! The Rust type of a schema that is not a type of its own.

use serde_json::Value;

use crate::codegen::document::ref_name;
use crate::codegen::problem::{Problem, Result};

/// The type of a value that is not null.
pub fn of(at: &str, schema: &Value) -> Result<String> {
    if let Some(name) = target(schema) {
        return Ok(name.to_owned());
    }
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    let simple = match (text("type"), text("format")) {
        (Some("string"), Some("uuid")) => "Uuid",
        (Some("string"), Some("date-time")) => "DateTime<Utc>",
        (Some("string"), None) => "String",
        (Some("integer"), None) => "i64",
        (Some("boolean"), None) => "bool",
        (Some("array"), None) => {
            let at = format!("{at}.items");
            return Ok(format!("Vec<{}>", element(&at, &schema["items"])?));
        }
        (Some("object"), None) => {
            let at = format!("{at}.additionalProperties");
            return Ok(format!(
                "BTreeMap<String, {}>",
                element(&at, &schema["additionalProperties"])?
            ));
        }
        _ => {
            return Err(Problem::new(
                at,
                format!("no Rust type is known for {schema}"),
            ));
        }
    };
    Ok(simple.to_owned())
}

/// The type of a value in a list or a map, where a value may be null but not absent.
pub fn element(at: &str, schema: &Value) -> Result<String> {
    let inner = of(at, schema)?;
    Ok(if is_nullable(schema) {
        format!("Option<{inner}>")
    } else {
        inner
    })
}

pub fn is_nullable(schema: &Value) -> bool {
    schema.get("nullable") == Some(&Value::Bool(true))
}

/// The name in a reference, bare or in `allOf`.
pub fn target(schema: &Value) -> Option<&str> {
    let wrapped = schema.get("allOf").and_then(|members| members.get(0));
    ref_name(wrapped.unwrap_or(schema))
}
