//! Null: 3.1 writes it as a type of its own, 3.0 as a flag.

use serde_json::{Value, json};

use crate::codegen::document::for_each_schema;
use crate::codegen::problem::Result;

/// 3.0 ignores all keywords beside `$ref`, so a description or `nullable` needs `allOf`.
pub fn wrap_reference_siblings(document: &mut Value) -> Result<usize> {
    let mut hits = 0;
    for_each_schema(document, |_, schema| {
        if let Some(map) = schema.as_object_mut().filter(|map| map.len() > 1)
            && let Some(target) = map.remove("$ref")
        {
            map.insert("allOf".to_owned(), json!([{ "$ref": target }]));
            hits += 1;
        }
        Ok(())
    })?;
    Ok(hits)
}

/// `anyOf: [T, null]` and `type: [T, null]` as `T` with `nullable`.
pub fn nullable_instead_of_null(document: &mut Value) -> Result<usize> {
    let mut hits = 0;
    for_each_schema(document, |_, schema| {
        hits += usize::from(lower_type_list(schema) | lower_union(schema));
        Ok(())
    })?;
    Ok(hits)
}

fn lower_type_list(schema: &mut Value) -> bool {
    let Some(types) = schema.get("type").and_then(Value::as_array).cloned() else {
        return false;
    };
    let rest: Vec<Value> = types.iter().filter(|t| *t != "null").cloned().collect();
    if rest.len() < types.len() {
        schema["nullable"] = json!(true);
    }
    match <[Value; 1]>::try_from(rest) {
        Ok([only]) => schema["type"] = only,
        Err(rest) => {
            schema.as_object_mut().expect("has a `type`").remove("type");
            schema["anyOf"] = rest.into_iter().map(|t| json!({ "type": t })).collect();
        }
    }
    true
}

fn lower_union(schema: &mut Value) -> bool {
    let Some(map) = schema.as_object_mut() else {
        return false;
    };
    // FastAPI writes a tagged union as `oneOf`; to a reader both are "one of these".
    if let Some(members) = map.remove("oneOf") {
        map.insert("anyOf".to_owned(), members);
    }
    let Some(members) = map.get_mut("anyOf").and_then(Value::as_array_mut) else {
        return false;
    };
    let before = members.len();
    members.retain(|member| member.get("type").is_none_or(|t| t != "null"));
    if members.len() == before {
        return false;
    }
    let only = (members.len() == 1).then(|| members.remove(0));
    map.insert("nullable".to_owned(), json!(true));
    if let Some(only) = only {
        map.remove("anyOf");
        replace_with_member(map, only);
    }
    true
}

/// Replaces a union of one member by that member.
pub fn replace_with_member(map: &mut serde_json::Map<String, Value>, member: Value) {
    match member {
        Value::Object(member) if member.contains_key("$ref") => {
            map.insert("allOf".to_owned(), json!([member]));
        }
        Value::Object(member) => {
            for (keyword, value) in member {
                // The outer description is about the property, the inner one about the type.
                map.entry(keyword).or_insert(value);
            }
        }
        _ => {}
    }
}
