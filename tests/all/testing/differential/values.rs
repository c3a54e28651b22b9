//! Values that requests of several kinds contain.

use serde_json::{Map, Value, json};

use super::model::Model;

/// Tags, of few words: so that several objects share them, and limits apply to them.
pub fn tags(model: &mut Model) -> Value {
    let count = model.weighted(&[(4, 0), (4, 1), (3, 2), (1, 3)]);
    let mut tags: Vec<&str> = Vec::new();
    for _ in 0..count {
        let tag = model.one(&["blue", "green", "red", "night", "Ünï"]);
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    json!(tags)
}

/// Parameters of a run.
pub fn parameters(model: &mut Model) -> Value {
    model.one(&[
        json!({}),
        json!({"n": 1}),
        json!({"n": "no number"}),
        json!({"n": 2, "text": "grüße", "list": [1, 2.5, null, true], "deep": {"a": {"b": []}}}),
        json!({"n": 1_152_921_504_606_846_976_u64, "x": 1e300, "y": -0.5, "z": 1.0}),
        json!({"text": "", "n": null}),
    ])
}

/// Labels: scalars by key.
pub fn labels(model: &mut Model) -> Value {
    model.one(&[
        json!({}),
        json!({"team": "a"}),
        json!({"count": 3, "rate": 0.5, "on": true, "text": "t"}),
        json!({"prefect.flow.id": "own"}),
    ])
}

/// An object with the keys of another that are chosen: all, most, or few.
pub fn some_of(model: &mut Model, percent: u32, all: Value) -> Value {
    let mut chosen = Map::new();
    if let Value::Object(all) = all {
        for (key, value) in all {
            if model.chance(percent) {
                chosen.insert(key, value);
            }
        }
    }
    Value::Object(chosen)
}

/// An object with the keys of both.
pub fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

/// The limit and the offset of a list: usually within what the server allows.
pub fn page(model: &mut Model, body: Value) -> Value {
    let limit = model.weighted(&[
        (60, Value::Null),
        (12, json!(3)),
        (8, json!(10)),
        (3, json!(0)),
        (3, json!(200)),
        (1, json!(201)),
        (1, json!(-1)),
    ]);
    let offset = model.weighted(&[
        (70, Value::Null),
        (10, json!(2)),
        (3, json!(0)),
        (2, json!(1000)),
        (1, json!(-1)),
    ]);
    let mut keys = Map::new();
    for (key, value) in [("limit", limit), ("offset", offset)] {
        if !value.is_null() || model.chance(10) {
            keys.insert(key.to_owned(), value);
        }
    }
    with(body, Value::Object(keys))
}

/// The limit and the number of a page.
pub fn numbered_page(model: &mut Model, body: Value) -> Value {
    let limit = model.weighted(&[
        (30, json!(200)),
        (12, json!(3)),
        (8, json!(10)),
        (1, json!(201)),
    ]);
    let page = model.weighted(&[
        (20, json!(1)),
        (10, json!(2)),
        (3, json!(50)),
        (1, json!(0)),
    ]);
    let keys = json!({"limit": limit, "page": page});
    let keys = some_of(model, 70, keys);
    with(body, keys)
}
