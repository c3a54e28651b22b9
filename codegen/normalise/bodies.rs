//! Request bodies.

use serde_json::{Value, json};

use crate::codegen::document::for_each_operation;
use crate::codegen::problem::Result;

/// Most routes whose body is "optional" answer a POST without any body by 422: `{}` is always sent.
pub fn require_bodies(document: &mut Value) -> Result<usize> {
    let mut hits = 0;
    for_each_operation(document, |_, _, _, operation| {
        if let Some(body) = operation
            .get_mut("requestBody")
            .and_then(Value::as_object_mut)
            && body.insert("required".to_owned(), json!(true)) != Some(json!(true))
        {
            hits += 1;
        }
        Ok(())
    })?;
    Ok(hits)
}
