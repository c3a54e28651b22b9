//! Gives names to inline enums, objects and unions, so that none gets an accidental one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::names::pascal_case;
use crate::codegen::document::{
    children_mut, for_each_operation, operation_schemas_mut, refer_to, schemas, schemas_mut,
    without,
};
use crate::codegen::problem::{Problem, Result};

/// The keyword that holds the place after which a type is named.
pub const INLINE_AT: &str = "x-inline-at";

/// Moves every inline type to the component schemas.
///
/// Its name is the first that exists of: the name of an equal component; the `x-name` that the overlay or
/// `openapi/names.yaml` gave to it or to an equal type; the names of the schemas around it, ending in `Item` in a list and in
/// `Value` in a map. Equal types share one name, so the `actions` of an automation have the same type
/// everywhere.
pub fn hoist(document: &mut Value) -> Result<usize> {
    let mut hoist = Hoist::default();
    for (name, schema) in schemas(document) {
        if is_type(schema) {
            hoist
                .by_shape
                .entry(shape(schema))
                .or_insert_with(|| name.clone());
        }
        hoist.taken.insert(name.clone());
        hoist.components.insert(name.clone());
    }
    // Explicit names first: an equal type without one may come earlier in the document.
    let mut roots = std::mem::take(schemas_mut(document));
    for (name, schema) in &mut roots {
        hoist.collect_names(&format!("$.components.schemas.{name}"), schema)?;
    }
    for_each_operation(document, |at, _, _, operation| {
        let mut schemas = operation_schemas_mut(at, operation).into_iter();
        schemas.try_for_each(|(at, schema)| hoist.collect_names(&at, schema))
    })?;
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
            // Several parameters of an operation may have inline types.
            let name = match at.split_once(".parameters.") {
                Some((_, parameter)) => format!("{name}{}", pascal_case(parameter)),
                None => name.clone(),
            };
            hoist.lift(&at, &name, schema)?;
        }
        Ok(())
    })?;
    let hits = hoist.lifted.len();
    roots.extend(hoist.lifted);
    *schemas_mut(document) = roots;
    Ok(hits)
}

#[derive(Default)]
struct Hoist {
    /// The name of each type that is known so far, by its shape.
    by_shape: BTreeMap<String, String>,
    /// The names of the document's own components.
    components: BTreeSet<String>,
    /// The names that are in use so far.
    taken: BTreeSet<String>,
    lifted: BTreeMap<String, Value>,
}

impl Hoist {
    /// Collects the names that the overlay gives.
    fn collect_names(&mut self, at: &str, schema: &mut Value) -> Result<()> {
        if let Some(name) = schema.as_object_mut().and_then(|map| map.remove("x-name")) {
            let name = name
                .as_str()
                .ok_or_else(|| Problem::new(at, "`x-name` must be text"))?;
            self.name(at, name, &shape(schema))?;
        }
        for (at, child) in children_mut(at, schema) {
            self.collect_names(&at, child)?;
        }
        Ok(())
    }

    /// The name of a type: the one it already has, or `wanted` if that is free.
    fn name(&mut self, at: &str, wanted: &str, shape: &str) -> Result<String> {
        if let Some(name) = self.by_shape.get(shape) {
            return Ok(name.clone());
        }
        if !self.taken.insert(wanted.to_owned()) {
            return Err(Problem::new(
                at,
                format!(
                    "two types would be called `{wanted}`; give this one another name in openapi/names.yaml, or by `x-name` in the overlay"
                ),
            ));
        }
        self.by_shape.insert(shape.to_owned(), wanted.to_owned());
        Ok(wanted.to_owned())
    }

    /// Lifts the types inside `schema`, then `schema` itself if it is one.
    fn lift(&mut self, at: &str, name: &str, schema: &mut Value) -> Result<()> {
        let lifts = is_type(schema);
        let is_new = lifts && !self.by_shape.contains_key(&shape(schema));
        let name = match lifts {
            true => self.name(at, name, &shape(schema))?,
            false => name.to_owned(),
        };
        for (at, child, name) in named_children(at, &name, schema) {
            self.lift(&at, &name, child)?;
        }
        if lifts {
            let mut lifted = replace_with_reference(schema, &name);
            if is_new {
                lifted[INLINE_AT] = Value::String(at.to_owned());
            }
            // An equal component exists already.
            if !self.components.contains(&name) {
                self.lifted.entry(name).or_insert(lifted);
            }
        }
        Ok(())
    }
}

/// Puts a reference in place of a type, with the keywords of the property, and returns the type.
fn replace_with_reference(schema: &mut Value, name: &str) -> Value {
    let mut lifted = schema.take();
    let mut outer = Map::new();
    for keyword in ["nullable", "description", "x-secret"] {
        let value = lifted.as_object_mut().and_then(|map| map.remove(keyword));
        outer.extend(value.map(|value| (keyword.to_owned(), value)));
    }
    *schema = Value::Object(outer);
    refer_to(schema, name);
    lifted
}

/// Whether a schema needs a Rust type of its own.
pub fn is_type(schema: &Value) -> bool {
    let has = |keyword: &str| schema.get(keyword).is_some();
    has("anyOf") || has("properties") || (has("enum") && !has("x-const"))
}

/// The text by which two inline types are compared: all but prose and the keywords of the property.
fn shape(schema: &Value) -> String {
    let mut schema = without(schema, &["description", "x-name", "x-secret"]);
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
