//! Names a person would choose, derived by rule so that they stay the same between versions.

use std::collections::{BTreeMap, BTreeSet};

use heck::{ToSnakeCase as _, ToUpperCamelCase as _};
use serde_json::{Value, json};

use crate::codegen::document::{
    Operation, SCHEMA_PREFIX, for_each_operation, for_each_schema, operations, schemas_mut,
};
use crate::codegen::problem::{Problem, Result};

/// FastAPI appends path and method to every function's name: `create_flow_flows__post` is
/// `create_flow`. Two functions of one name are distinguished by the resource of their paths.
///
/// The upstream id is kept as `x-upstream-id`.
pub fn operation_names(document: &mut Value) -> Result<usize> {
    let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for operation in operations(document) {
        let path = operation.path.to_owned();
        by_name
            .entry(function_name(&operation)?.to_owned())
            .or_default()
            .push(path);
    }
    let mut taken = BTreeSet::new();
    let mut hits = 0;
    for_each_operation(document, |at, path, method, body| {
        let body_value = Value::Object(body.clone());
        let operation = Operation {
            at: at.to_owned(),
            path,
            method,
            body: &body_value,
        };
        let id = operation.id()?.to_owned();
        let name = function_name(&operation)?;
        let name = match by_name[name].len() {
            1 => name.to_owned(),
            _ => name_under_resource(name, path),
        };
        // Not all documents name operations after Python's functions: `readRanks`.
        let name = match name.contains(char::is_uppercase) {
            true => name.to_snake_case(),
            false => name,
        };
        if !taken.insert(name.clone()) {
            return Err(Problem::new(
                at,
                format!("two operations would be called `{name}`"),
            ));
        }
        hits += usize::from(name != id);
        body.insert("operationId".to_owned(), json!(name));
        body.insert("x-upstream-id".to_owned(), json!(id));
        Ok(())
    })?;
    Ok(hits)
}

/// FastAPI's `generate_unique_id`: `{name}{path}` with everything but word characters as `_`, then
/// `_{method}`.
fn function_name<'a>(operation: &'a Operation<'_>) -> Result<&'a str> {
    let id = operation.id()?;
    let path: String = operation
        .path
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '_'
            }
        })
        .collect();
    let suffix = format!("{path}_{}", operation.method);
    // A document whose paths had the prefix `/api` has it in the ids, too.
    let prefixed = format!("_api{suffix}");
    let name = id
        .strip_suffix(&prefixed)
        .or_else(|| id.strip_suffix(&suffix));
    Ok(name.filter(|name| !name.is_empty()).unwrap_or(id))
}

/// `create_work_queue` under `/work_queues` keeps its name; under `/work_pools/…` it becomes
/// `create_work_queue_for_work_pool`.
fn name_under_resource(name: &str, path: &str) -> String {
    let segments = path
        .split('/')
        .filter(|s| !s.is_empty() && !s.starts_with('{'));
    let resource = segments
        .into_iter()
        .next()
        .unwrap_or("root")
        .replace('-', "_");
    let resource = resource.strip_suffix('s').unwrap_or(&resource);
    if name.contains(resource) {
        name.to_owned()
    } else {
        format!("{name}_for_{resource}")
    }
}

/// `Body_read_flows_flows_filter_post` becomes `ReadFlowsRequest`, after the operation that takes it.
pub fn body_names(document: &mut Value) -> Result<usize> {
    let mut renamed: BTreeMap<String, String> = BTreeMap::new();
    for operation in operations(document) {
        let schema = operation.request_schema();
        let Some(old) = schema.and_then(crate::codegen::document::ref_name) else {
            continue;
        };
        if old.starts_with("Body_") {
            renamed.insert(
                old.to_owned(),
                format!("{}Request", pascal_case(operation.id()?)),
            );
        }
    }
    rename_schemas(document, &renamed)?;
    Ok(renamed.len())
}

/// `APISettings` becomes `ApiSettings`, and a `-` that does not belong to a merged pair is removed.
pub fn type_names(document: &mut Value) -> Result<usize> {
    let names = schemas_mut(document)
        .keys()
        .map(|old| (old.clone(), pascal_case(old)));
    let renamed: BTreeMap<_, _> = names.filter(|(old, new)| old != new).collect();
    rename_schemas(document, &renamed)?;
    Ok(renamed.len())
}

/// Renames component schemas and every reference to them; the upstream name is kept as
/// `x-upstream-name`.
pub fn rename_schemas(document: &mut Value, renamed: &BTreeMap<String, String>) -> Result<()> {
    let schemas = schemas_mut(document);
    for (old, new) in renamed {
        if let Some(mut schema) = schemas.remove(old) {
            if let Some(map) = schema.as_object_mut() {
                map.entry("x-upstream-name").or_insert_with(|| json!(old));
            }
            if let Some(other) = schemas.insert(new.clone(), schema.clone())
                && other != schema
            {
                return Err(Problem::new(
                    format!("$.components.schemas.{old}"),
                    format!("`{new}` is already the name of another schema"),
                ));
            }
        }
    }
    for_each_schema(document, |_, schema| {
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let name = target.strip_prefix(SCHEMA_PREFIX).unwrap_or_default();
            if let Some(new) = renamed.get(name) {
                schema["$ref"] = json!(format!("{SCHEMA_PREFIX}{new}"));
            }
        }
        Ok(())
    })
}

/// Type and variant names as Rust spells them: acronyms are words (`ApiSettings`).
pub fn pascal_case(text: &str) -> String {
    text.to_upper_camel_case()
}
