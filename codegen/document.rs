//! Reads an OpenAPI document, and walks its operations and schemas.

use std::path::Path;

use serde_json::{Map, Value};

use super::problem::{Problem, Result};

/// The prefix of a reference to a component schema.
pub const SCHEMA_PREFIX: &str = "#/components/schemas/";

/// The HTTP methods of a path item; its other keys are not operations.
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];

/// Reads YAML or JSON.
pub fn read(path: &Path) -> Result<Value> {
    let at = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Problem::new(&at, format!("the document cannot be read: {error}")))?;
    parse(&text).map_err(|problem| Problem::new(at, problem.message))
}

/// Reads YAML or JSON text.
pub fn parse(text: &str) -> Result<Value> {
    let value: Value = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| Problem::new("$", error.to_string()))?
    } else {
        yaml_serde::from_str(text).map_err(|error| Problem::new("$", error.to_string()))?
    };
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(Problem::new("$", "an OpenAPI document must be an object")),
    }
}

/// Refuses what is no OpenAPI 3 document.
pub fn check(document: &Value) -> Result<()> {
    if let Some(version) = document.get("swagger") {
        let version = version.as_str().unwrap_or_default();
        let message = format!("this is a document of Swagger {version}; OpenAPI 3 is supported");
        return Err(Problem::new("$.swagger", message));
    }
    let version = document.get("openapi").and_then(Value::as_str);
    match version {
        Some(version) if version.starts_with("3.") => {}
        Some(version) => {
            let message = format!("OpenAPI {version} is not supported, but 3.0 and 3.1 are");
            return Err(Problem::new("$.openapi", message));
        }
        None => {
            return Err(Problem::new(
                "$",
                "the keyword `openapi` is missing: no OpenAPI document",
            ));
        }
    }
    match document.get("paths").and_then(Value::as_object) {
        Some(_) => Ok(()),
        None => Err(Problem::new("$.paths", "the document has no paths")),
    }
}

/// The name in a reference `#/components/schemas/…`.
pub fn ref_name(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix(SCHEMA_PREFIX)
}

/// A reference to a component schema.
pub fn reference(name: &str) -> Value {
    serde_json::json!({ "$ref": format!("{SCHEMA_PREFIX}{name}") })
}

/// Makes a schema refer to a component and keep its other keywords, for which 3.0 needs `allOf`.
pub fn refer_to(schema: &mut Value, name: &str) {
    match schema.as_object_mut().filter(|map| !map.is_empty()) {
        Some(map) => {
            map.insert("allOf".to_owned(), serde_json::json!([reference(name)]));
        }
        None => *schema = reference(name),
    }
}

/// The component schemas.
pub fn schemas(document: &Value) -> &Map<String, Value> {
    static EMPTY: std::sync::OnceLock<Map<String, Value>> = std::sync::OnceLock::new();
    document
        .pointer("/components/schemas")
        .and_then(Value::as_object)
        .unwrap_or_else(|| EMPTY.get_or_init(Map::new))
}

/// The component schemas, as a mutable map. A document without any gets an empty map.
pub fn schemas_mut(document: &mut Value) -> &mut Map<String, Value> {
    let root = document
        .as_object_mut()
        .expect("`parse` returns objects only");
    let components = root
        .entry("components")
        .or_insert_with(|| Value::Object(Map::new()));
    if !components.is_object() {
        *components = Value::Object(Map::new());
    }
    let schemas = components
        .as_object_mut()
        .expect("made an object above")
        .entry("schemas")
        .or_insert_with(|| Value::Object(Map::new()));
    if !schemas.is_object() {
        *schemas = Value::Object(Map::new());
    }
    schemas.as_object_mut().expect("made an object above")
}

/// One operation of the document.
pub struct Operation<'a> {
    /// JSON path of the operation.
    pub at: String,
    pub path: &'a str,
    pub method: &'a str,
    pub body: &'a Value,
}

impl Operation<'_> {
    /// The `operationId`.
    pub fn id(&self) -> Result<&str> {
        self.body
            .get("operationId")
            .and_then(Value::as_str)
            .ok_or_else(|| Problem::new(&self.at, "the operation has no operationId to name it by"))
    }

    /// The schema of the JSON that is sent.
    pub fn request_schema(&self) -> Option<&Value> {
        self.body
            .pointer("/requestBody/content/application~1json/schema")
    }

    /// The schema of the JSON that is returned, once all success responses have been merged.
    pub fn reply_schema(&self) -> Option<&Value> {
        self.body
            .pointer("/responses/2XX/content/application~1json/schema")
    }
}

/// Every operation.
pub fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document.get("paths").and_then(Value::as_object);
    paths
        .into_iter()
        .flatten()
        .flat_map(|(path, item)| {
            let item = item.as_object().into_iter().flatten();
            item.filter(|(method, _)| METHODS.contains(&method.as_str()))
                .map(move |(method, body)| Operation {
                    at: format!("$.paths['{path}'].{method}"),
                    path,
                    method,
                    body,
                })
        })
        .collect()
}

/// Calls `change` on every operation: JSON path, URL path, method, operation.
pub fn for_each_operation(
    document: &mut Value,
    mut change: impl FnMut(&str, &str, &str, &mut Map<String, Value>) -> Result<()>,
) -> Result<()> {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for (path, item) in paths.into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            if !METHODS.contains(&method.as_str()) {
                continue;
            }
            let at = format!("$.paths['{path}'].{method}");
            let operation = operation
                .as_object_mut()
                .ok_or_else(|| Problem::new(&at, "an operation must be an object"))?;
            change(&at, path, method, operation)?;
        }
    }
    Ok(())
}

/// Calls `change` on every schema, the outer ones first.
///
/// It distinguishes keys that hold schemas from keys that hold names or data: a *property* called
/// `title` or `default` is not a keyword.
pub fn for_each_schema(
    document: &mut Value,
    mut change: impl FnMut(&str, &mut Value) -> Result<()>,
) -> Result<()> {
    for (name, schema) in schemas_mut(document).iter_mut() {
        descend(&format!("$.components.schemas.{name}"), schema, &mut change)?;
    }
    for_each_operation(document, |at, _, _, operation| {
        for (at, schema) in operation_schemas_mut(at, operation) {
            descend(&at, schema, &mut change)?;
        }
        Ok(())
    })
}

/// The schemas of one operation's parameters, request body and responses.
pub fn operation_schemas_mut<'a>(
    at: &str,
    operation: &'a mut Map<String, Value>,
) -> Vec<(String, &'a mut Value)> {
    let mut found = Vec::new();
    for (key, part) in operation.iter_mut() {
        match key.as_str() {
            "parameters" => {
                for parameter in part.as_array_mut().into_iter().flatten() {
                    let name = parameter["name"].as_str().unwrap_or_default().to_owned();
                    if let Some(schema) = parameter.get_mut("schema") {
                        found.push((format!("{at}.parameters.{name}"), schema));
                    }
                }
            }
            "requestBody" => content_schemas(&format!("{at}.requestBody"), part, &mut found),
            "responses" => {
                for (status, response) in part.as_object_mut().into_iter().flatten() {
                    content_schemas(&format!("{at}.responses.{status}"), response, &mut found);
                }
            }
            _ => {}
        }
    }
    found
}

fn content_schemas<'a>(at: &str, part: &'a mut Value, found: &mut Vec<(String, &'a mut Value)>) {
    let content = part.get_mut("content").and_then(Value::as_object_mut);
    for (mime, media) in content.into_iter().flatten() {
        if let Some(schema) = media.get_mut("schema") {
            found.push((format!("{at}.content['{mime}'].schema"), schema));
        }
    }
}

/// Calls `change` on a schema and then on all schemas inside it.
pub fn descend(
    at: &str,
    schema: &mut Value,
    change: &mut dyn FnMut(&str, &mut Value) -> Result<()>,
) -> Result<()> {
    change(at, schema)?;
    for (at, child) in children_mut(at, schema) {
        descend(&at, child, change)?;
    }
    Ok(())
}

/// The schemas directly inside a schema.
pub fn children_mut<'a>(at: &str, schema: &'a mut Value) -> Vec<(String, &'a mut Value)> {
    let mut found = Vec::new();
    for (key, value) in schema.as_object_mut().into_iter().flatten() {
        match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                let properties = properties.iter_mut();
                found.extend(properties.map(|(name, s)| (format!("{at}.properties.{name}"), s)));
            }
            (
                "items" | "additionalProperties" | "propertyNames" | "not",
                child @ Value::Object(_),
            ) => {
                found.push((format!("{at}.{key}"), child));
            }
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(members)) => {
                let members = members.iter_mut().enumerate();
                found.extend(members.map(|(i, s)| (format!("{at}.{key}[{i}]"), s)));
            }
            _ => {}
        }
    }
    found
}

/// A copy of a schema without some keywords, at any depth.
pub fn without(schema: &Value, keywords: &[&str]) -> Value {
    match schema {
        Value::Object(map) => {
            let kept = map
                .iter()
                .filter(|(key, _)| !keywords.contains(&key.as_str()));
            let kept = kept.map(|(key, value)| {
                let value = match (key.as_str(), value) {
                    // Property names are not keywords: a property may be called `title`.
                    ("properties", Value::Object(properties)) => {
                        let properties = properties.iter();
                        properties
                            .map(|(name, s)| (name.clone(), without(s, keywords)))
                            .collect()
                    }
                    (_, value) => without(value, keywords),
                };
                (key.clone(), value)
            });
            Value::Object(kept.collect())
        }
        Value::Array(items) => items.iter().map(|item| without(item, keywords)).collect(),
        other => other.clone(),
    }
}
