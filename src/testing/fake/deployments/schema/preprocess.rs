//! What Prefect changes in a schema before it validates by it.

use super::super::super::reply::Refusal;
use super::tree::Tree;

/// Allows null where a property may be left out, and makes lists of items tuples: schemas of pydantic 1 lack both.
pub(super) fn preprocess(schema: &mut Tree, none_with_default: bool) -> Result<(), Refusal> {
    fix_properties(schema, none_with_default);
    let definitions = schema.entries_mut().and_then(|entries| {
        let mut entries = entries.iter_mut();
        entries.find(|(key, _)| key == "definitions")
    });
    if let Some((_, definitions)) = definitions {
        for (_, definition) in definitions.entries_mut().into_iter().flatten() {
            fix_properties(definition, none_with_default);
            if definition.get("block_type_slug").is_some() {
                return Err(Refusal::unsupported("schemas with blocks"));
            }
        }
    }
    Ok(())
}

fn fix_properties(schema: &mut Tree, none_with_default: bool) {
    let required: Vec<String> = schema
        .get("required")
        .and_then(Tree::items)
        .map(|items| items.iter().filter_map(Tree::text).map(str::to_owned))
        .into_iter()
        .flatten()
        .collect();
    let properties = schema.entries_mut().and_then(|entries| {
        let mut entries = entries.iter_mut();
        entries.find(|(key, _)| key == "properties")
    });
    let Some((_, properties)) = properties else {
        return;
    };
    for (name, property) in properties.entries_mut().into_iter().flatten() {
        if !required.contains(name) {
            allow_null(property, none_with_default);
        }
        let is_tuple = property
            .get("items")
            .and_then(Tree::items)
            .is_some_and(|items| !items.is_empty())
            && !property.get("prefixItems").is_some_and(Tree::is_truthy);
        if is_tuple && let Some(items) = property.remove("items") {
            property.set("prefixItems", items);
        }
        fix_properties(property, none_with_default);
    }
}

fn allow_null(property: &mut Tree, none_with_default: bool) {
    let is_null = property.get("type").and_then(Tree::text) == Some("null");
    let has_default = property.get("default").is_some();
    if is_null || has_default && !none_with_default {
        return;
    }
    if let Some(kind) = property.remove("type") {
        let of = |kind| Tree::Object(vec![("type".to_owned(), kind)]);
        let null = of(Tree::Text("null".to_owned()));
        property.set("anyOf", Tree::List(vec![of(kind), null]));
    }
}

/// Removes `required` from the schema and all objects in it, properties of that name included.
pub(super) fn remove_required(schema: &mut Tree) {
    if let Some(entries) = schema.entries_mut() {
        entries.retain(|(key, _)| key != "required");
        entries
            .iter_mut()
            .for_each(|(_, value)| remove_required(value));
    }
}
