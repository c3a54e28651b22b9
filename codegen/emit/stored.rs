//! Which keys of requests hold whole numbers, and which hold any JSON: the server stores the former with 32 bits.

use std::collections::BTreeSet;

use serde_json::Value;

use super::rust_type;
use super::usage::Usage;
use crate::codegen::document::schemas;

/// Keys that the server does not store.
const NOT_STORED: [&str; 1] = ["offset"];

/// Two lists of keys, in order: `WHOLE_NUMBERS` and `ANY_JSON`.
pub fn stored(document: &Value) -> String {
    let usage = Usage::of(document);
    let (mut numbers, mut json) = (BTreeSet::new(), BTreeSet::new());
    let sent = schemas(document)
        .iter()
        .filter(|(name, _)| usage.sent.contains(*name));
    for (_, schema) in sent {
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            if property["type"] == "integer" {
                numbers.insert(key.as_str());
            } else if is_any_json(property) {
                json.insert(key.as_str());
            }
        }
    }
    for key in NOT_STORED {
        numbers.remove(key);
    }
    format!(
        "pub(super) const WHOLE_NUMBERS: &[&str] = &{numbers:?};\n\
         pub(super) const ANY_JSON: &[&str] = &{json:?};\n"
    )
    .replace('{', "[")
    .replace('}', "]")
}

/// Whether a property, or its elements, may be any JSON.
fn is_any_json(property: &Value) -> bool {
    let inner = ["items", "additionalProperties"];
    matches!(rust_type::target(property), Some("Json" | "Scalar"))
        || inner
            .iter()
            .filter_map(|part| property.get(part))
            .any(is_any_json)
}
