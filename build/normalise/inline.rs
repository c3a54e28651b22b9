//! Inline enums, objects and unions get names, so that none is named by accident.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::names::pascal_case;
use crate::pipeline::document::{
    children_mut, for_each_operation, operation_schemas_mut, reference, schemas, schemas_mut,
    without,
};
use crate::pipeline::problem::{Problem, Result};

/// Moves every inline type to the component schemas.
///
/// Its name is, in this order: that of a component that says the same; the `x-name` that the
/// overlay gave to it or to an equal one; the names of what it stands in, ending in `Item` in a
/// list and in `Value` in a map. Equal types share one name, so `actions` of an automation has the
/// same type wherever it stands.
pub fn hoist(document: &mut Value) -> Result<usize> {
    let mut hoist = Hoist::default();
    for (name, schema) in schemas(document) {
        hoist.components.insert(name.clone());
        if is_type(schema) {
            hoist
                .by_shape
                .entry(shape(schema))
                .or_insert_with(|| name.clone());
        }
    }
    // Explicit names first: an equal type without one may come earlier in the document.
    let mut roots = std::mem::take(schemas_mut(document));
    for (name, schema) in &mut roots {
        hoist.collect_names(&format!("$.components.schemas.{name}"), schema)?;
    }
    for (name, schema) in &mut roots {
        let at = format!("$.components.schemas.{name}");
        for (at, child, name) in named_children(&at, name, schema) {
            hoist.lift(&at, &name, child)?;
        }
    }
    for_each_operation(document, |at, _, _, operation| {
        let id = operation
            .get("operationId")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let name = pascal_case(id);
        for (at, schema) in operation_schemas_mut(at, operation) {
            hoist.lift(&at, &name, schema)?;
        }
        Ok(())
    })?;
    let hits = hoist.lifted.len();
    for (name, schema) in hoist.lifted {
        if roots.insert(name.clone(), schema).is_some() {
            return Err(Problem::new(
                format!("$.components.schemas.{name}"),
                "an inline type would get this name; give it another by `x-name` in the overlay",
            ));
        }
    }
    *schemas_mut(document) = roots;
    Ok(hits)
}

#[derive(Default)]
struct Hoist {
    /// The names that the document itself gives.
    components: BTreeSet<String>,
    by_shape: BTreeMap<String, String>,
    lifted: BTreeMap<String, Value>,
}

impl Hoist {
    fn collect_names(&mut self, at: &str, schema: &mut Value) -> Result<()> {
        if let Some(name) = schema.as_object_mut().and_then(|map| map.remove("x-name")) {
            let name = name
                .as_str()
                .ok_or_else(|| Problem::new(at, "`x-name` is a name"))?;
            self.by_shape
                .entry(shape(schema))
                .or_insert_with(|| name.to_owned());
        }
        for (at, child) in children_mut(at, schema) {
            self.collect_names(&at, child)?;
        }
        Ok(())
    }

    /// Lifts the types inside `schema`, then `schema` itself if it is one.
    fn lift(&mut self, at: &str, name: &str, schema: &mut Value) -> Result<()> {
        let shape = shape(schema);
        if is_type(schema) {
            let name = self
                .by_shape
                .get(&shape)
                .cloned()
                .unwrap_or_else(|| name.to_owned());
            for (at, child, name) in named_children(at, &name, schema) {
                self.lift(&at, &name, child)?;
            }
            self.by_shape.entry(shape).or_insert_with(|| name.clone());
            let mut lifted = schema.take();
            let map = lifted.as_object_mut().expect("a type is an object");
            let nullable = map.remove("nullable");
            // The description is the property's, not the type's.
            let description = map.remove("description");
            *schema = match (nullable, description) {
                (None, None) => reference(&name),
                (nullable, description) => {
                    let mut outer = json!({ "allOf": [reference(&name)] });
                    outer.as_object_mut().expect("an object").extend(
                        nullable
                            .map(|n| ("nullable".to_owned(), n))
                            .into_iter()
                            .chain(description.map(|d| ("description".to_owned(), d))),
                    );
                    outer
                }
            };
            match self.lifted.get(&name) {
                Some(other) if *other != lifted => Err(Problem::new(
                    at,
                    format!(
                        "two inline types would be called `{name}`; give one an `x-name` in the overlay"
                    ),
                )),
                _ => {
                    if !self.components.contains(&name) {
                        self.lifted.insert(name, lifted);
                    }
                    Ok(())
                }
            }
        } else {
            for (at, child, name) in named_children(at, name, schema) {
                self.lift(&at, &name, child)?;
            }
            Ok(())
        }
    }
}

/// Whether a schema needs a Rust type of its own.
pub fn is_type(schema: &Value) -> bool {
    let has = |keyword: &str| schema.get(keyword).is_some();
    has("anyOf") || has("properties") || (has("enum") && !has("x-const"))
}

/// What makes two inline types the same: all but prose and what belongs to the property.
fn shape(schema: &Value) -> String {
    let mut schema = without(schema, &["description", "x-name"]);
    if let Some(map) = schema.as_object_mut() {
        map.remove("nullable");
    }
    schema.to_string()
}

/// The schemas inside a schema, with the name that each would get.
fn named_children<'a>(
    at: &str,
    name: &str,
    schema: &'a mut Value,
) -> Vec<(String, &'a mut Value, String)> {
    let children = children_mut(at, schema).into_iter();
    children
        .map(|(child_at, child)| {
            let step = &child_at[at.len()..];
            let name = match step.strip_prefix(".properties.") {
                Some(property) => format!("{name}{}", pascal_case(property)),
                None if step == ".items" => format!("{name}Item"),
                None if step == ".additionalProperties" => format!("{name}Value"),
                None if step.starts_with(".anyOf[") => {
                    format!("{name}{}", pascal_case(step.trim_start_matches(".anyOf")))
                }
                None => name.to_owned(),
            };
            (child_at, child, name)
        })
        .collect()
}
