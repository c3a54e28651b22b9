//! Mistakes in requests: keys that there are not, nulls, and values of other types.

use serde_json::{Value, json};

use crate::testing::differential::model::Model;
use crate::testing::differential::operation::Operation;

/// The request with one mistake.
pub fn mistaken(model: &mut Model, mut operation: Operation) -> Operation {
    if let Some(body) = &mut operation.body {
        spoil(model, body);
    }
    operation
}

fn spoil(model: &mut Model, value: &mut Value) {
    match value {
        Value::Object(keys) if keys.is_empty() || model.chance(25) => {
            keys.insert("no_such_key".to_owned(), json!(1));
        }
        Value::Object(keys) => {
            let at = model.rng.usize(..keys.len());
            if let Some(value) = keys.values_mut().nth(at) {
                spoil(model, value);
            }
        }
        Value::Array(values) if !values.is_empty() && model.chance(60) => {
            let at = model.rng.usize(..values.len());
            spoil(model, &mut values[at]);
        }
        value => {
            let mistakes = [
                json!(null),
                json!(null),
                json!("text"),
                json!([]),
                json!({}),
            ];
            *value = model.one(&mistakes);
        }
    }
}
