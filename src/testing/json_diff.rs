//! Where one JSON value differs from another.

use serde_json::Value;

/// The first difference that keeps `found` from containing `expected`: keys that only `found` has do not count.
pub(super) fn missing(expected: &Value, found: &Value) -> Option<String> {
    at("body", expected, found)
}

fn at(path: &str, expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().find_map(|(key, expected)| {
                let path = format!("{path}.{key}");
                match found.get(key) {
                    Some(found) => at(&path, expected, found),
                    None => Some(format!("{path}: expected {expected}, and there is none")),
                }
            })
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            let mut pairs = expected.iter().zip(found).enumerate();
            pairs.find_map(|(index, (expected, found))| {
                at(&format!("{path}[{index}]"), expected, found)
            })
        }
        // 1 and 1.0 are one number.
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => None,
        (expected, found) if expected == found => None,
        (expected, found) => Some(format!("{path}: expected {expected}, found {found}")),
    }
}
