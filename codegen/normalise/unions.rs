//! Unions: merges members that amount to one type, before the rest becomes an enum.

use serde_json::{Map, Value, json};

use super::nullable::replace_with_member;
use super::scalars::is_any;
use crate::codegen::document::{for_each_schema, ref_name, reference, schemas, without};
use crate::codegen::problem::Result;

/// Drops the inline copy of a schema that the same union references: it adds nothing, and makes the union
/// ambiguous.
pub fn drop_inline_copies(document: &mut Value) -> Result<usize> {
    let schemas = schemas(document).clone();
    for_unions(document, |map| {
        let members = members_mut(map);
        let referenced: Vec<Value> = members
            .iter()
            .filter_map(|member| schemas.get(ref_name(member)?).map(undescribed))
            .collect();
        let before = members.len();
        members.retain(|member| !referenced.contains(&undescribed(member)));
        members.len() < before
    })
}

/// A union with `{}` among its members, or with free objects, free lists and every scalar, is any
/// JSON.
pub fn any_json_unions(document: &mut Value) -> Result<usize> {
    for_unions(document, |map| {
        let members = members_mut(map);
        let has = |kind: &str| {
            members.iter().any(|member| {
                member["type"] == kind
                    && match kind {
                        "object" => !member
                            .as_object()
                            .is_some_and(|m| m.contains_key("properties")),
                        "array" => member.get("items").is_none_or(is_any),
                        _ => true,
                    }
            })
        };
        let every = ["object", "array", "string", "number", "boolean"]
            .iter()
            .all(|kind| has(kind));
        if !every && !members.iter().any(is_any) {
            return false;
        }
        map.retain(|key, _| key == "description" || key == "x-secret");
        true
    })
}

/// Merges members that Rust distinguishes no better than JSON does: an integer is a number, a UUID or a
/// date is text, a duration is a number of seconds; and text, number and boolean together are a
/// `Scalar`.
pub fn merge_scalar_members(document: &mut Value) -> Result<usize> {
    for_unions(document, |map| {
        let members = members_mut(map);
        let before = members.clone();
        absorb(members, "number", "integer");
        drop_formats_beside_text(members);
        drop_numbers_beside_seconds(members);
        members.dedup();
        let scalar = |kind: &str| members.iter().any(|m| m == &json!({ "type": kind }));
        if members.len() == 3
            && ["string", "number", "boolean"]
                .iter()
                .all(|kind| scalar(kind))
        {
            *members = vec![reference("Scalar")];
        }
        let changed = *members != before;
        if members.len() == 1 {
            let only = members.remove(0);
            map.remove("anyOf");
            replace_with_member(map, only);
        }
        changed
    })
}

/// Drops `{type: narrow}`, and lists of it, where `{type: wide}`, or a list of that, is a member.
fn absorb(members: &mut Vec<Value>, wide: &str, narrow: &str) {
    let plain = |kind: &str| json!({ "type": kind });
    let list = |kind: &str| json!({ "type": "array", "items": { "type": kind } });
    for form in [&plain as &dyn Fn(&str) -> Value, &list] {
        if members.contains(&form(wide)) {
            members.retain(|member| member != &form(narrow));
        }
    }
}

fn drop_formats_beside_text(members: &mut Vec<Value>) {
    if members.contains(&json!({ "type": "string" })) {
        members.retain(|m| m["type"] != "string" || m.get("format").is_none());
    }
}

fn drop_numbers_beside_seconds(members: &mut Vec<Value>) {
    if members.contains(&reference("Seconds")) {
        members.retain(|m| m["type"] != "number" && m["type"] != "integer");
    }
}

fn for_unions(
    document: &mut Value,
    change: impl Fn(&mut Map<String, Value>) -> bool,
) -> Result<usize> {
    let mut hits = 0;
    for_each_schema(document, |_, schema| {
        if let Some(map) = schema
            .as_object_mut()
            .filter(|map| map.contains_key("anyOf"))
        {
            hits += usize::from(change(map));
        }
        Ok(())
    })?;
    Ok(hits)
}

fn members_mut(map: &mut Map<String, Value>) -> &mut Vec<Value> {
    static NOT_A_LIST: &str = "`anyOf` is a list of schemas";
    map.get_mut("anyOf")
        .and_then(Value::as_array_mut)
        .expect(NOT_A_LIST)
}

/// A schema without the keywords that do not change its values: prose, and names from the overlay.
fn undescribed(schema: &Value) -> Value {
    without(schema, &["description", "x-name"])
}
