//! Paths: the prefix that some published documents carry.

use serde_json::Value;

use crate::codegen::problem::Result;

/// Documents published before 3.5 prefix every path with `/api`; the API URL already ends in it.
pub fn strip_api_prefix(document: &mut Value) -> Result<usize> {
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else {
        return Ok(0);
    };
    if !paths.keys().all(|path| path.starts_with("/api/")) {
        return Ok(0);
    }
    let stripped = std::mem::take(paths)
        .into_iter()
        .map(|(path, item)| (path["/api".len()..].to_owned(), item));
    paths.extend(stripped);
    Ok(paths.len())
}
