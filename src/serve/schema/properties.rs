//! What the forms show the properties of an object by.

use serde_json::Value;

use super::object::Object;

/// Gives the properties of an object what the forms show them by: a title, without which one of them shows the type,
/// and a position. They are in this order, and others in that of `required`, then in that of the alphabet.
pub(super) fn describe(schema: &mut Object, order: &[&str]) {
    let required = match schema.get("required") {
        Some(Value::Array(required)) => required.clone(),
        _ => Vec::new(),
    };
    let Some(Value::Object(properties)) = schema.get_mut("properties") else {
        return;
    };
    let rank = |name: &str| {
        let declared = order.iter().position(|it| *it == name);
        let required = required.iter().position(|it| it == name);
        (
            declared.unwrap_or(usize::MAX),
            required.unwrap_or(usize::MAX),
        )
    };
    let mut sorted = properties.iter_mut().collect::<Vec<_>>();
    sorted.sort_by_key(|(name, _)| rank(name));
    for (position, (name, property)) in sorted.into_iter().enumerate() {
        if let Value::Object(property) = property {
            property.insert("position".to_owned(), position.into());
            property.entry("title").or_insert(name.as_str().into());
            if !required.iter().any(|it| it == name) && is_nullable(property) {
                // The forms start with None then, as for a Python flow, and not with an empty value.
                property.entry("default").or_insert(Value::Null);
            }
        }
    }
}

fn is_nullable(schema: &Object) -> bool {
    match schema.get("anyOf") {
        Some(Value::Array(branches)) => branches.iter().any(|it| it["type"] == "null"),
        _ => false,
    }
}
