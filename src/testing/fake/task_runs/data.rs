//! What the rules for task runs ask of the data of a state.

use serde_json::Value;

use crate::types::Json;

/// Whether Python takes the data for false: null, 0, and what is empty.
pub(super) fn is_empty(data: Option<&Json>) -> bool {
    match data.and_then(|data| data.to_value().ok()) {
        None | Some(Value::Null) => true,
        Some(Value::Bool(flag)) => !flag,
        Some(Value::Number(number)) => number.as_f64() == Some(0.0),
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(keys)) => keys.is_empty(),
    }
}

/// What data that is an object says of its type.
pub(super) enum Kind {
    /// It says of itself that it is not persisted.
    Unpersisted,
    Persisted,
    /// It is no object.
    Other,
}

pub(super) fn kind(data: &Json) -> Kind {
    match data.to_value() {
        Ok(Value::Object(keys)) if keys.get("type").is_some_and(|kind| kind == "unpersisted") => {
            Kind::Unpersisted
        }
        Ok(Value::Object(_)) => Kind::Persisted,
        _ => Kind::Other,
    }
}
