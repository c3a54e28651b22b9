//! What the server's validation asks of requests beyond their types.

use serde_json::Value;

use crate::testing::fake::reply::Refusal;

/// Refuses null under keys that take none.
pub(crate) fn no_null(body: &Value, keys: &[&str]) -> Result<(), Refusal> {
    let is_null = |key: &&&str| body.get(**key).is_some_and(Value::is_null);
    match keys.iter().find(is_null) {
        Some(key) => Err(Refusal::invalid(
            &["body", key],
            "type_error",
            "Input should not be null",
        )),
        None => Ok(()),
    }
}

/// Refuses a number below the least one.
pub(crate) fn at_least(key: &str, number: Option<i64>, least: i64) -> Result<(), Refusal> {
    match number {
        Some(number) if number < least => Err(Refusal::invalid(
            &["body", key],
            "greater_than_equal",
            format!("Input should be greater than or equal to {least}"),
        )),
        _ => Ok(()),
    }
}

/// Whether a name has none of the characters that names cannot have.
pub(crate) fn is_plain(name: &str) -> bool {
    !name.contains(['/', '%', '&', '>', '<'])
}

/// Refuses a name that is empty, or has characters that names cannot have.
pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    match is_plain(name) && !name.is_empty() {
        true => Ok(()),
        false => Err(Refusal::invalid(
            &["body", "name"],
            "string_pattern_mismatch",
            "String should match pattern '^[^/%&><]+$'",
        )),
    }
}
