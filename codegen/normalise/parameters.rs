//! Parameters: drops the headers that the transport sets, and types that Rust does not need.

use serde_json::{Value, json};

use crate::codegen::document::for_each_operation;
use crate::codegen::problem::Result;

/// `x-prefect-api-version` and similar headers are on every operation; the transport sends them.
pub fn drop_transport_headers(document: &mut Value) -> Result<usize> {
    let mut hits = 0;
    for_each_operation(document, |_, _, _, operation| {
        if let Some(parameters) = operation
            .get_mut("parameters")
            .and_then(Value::as_array_mut)
        {
            let before = parameters.len();
            parameters.retain(|parameter| !is_transport_header(parameter));
            hits += before - parameters.len();
        }
        Ok(())
    })?;
    Ok(hits)
}

fn is_transport_header(parameter: &Value) -> bool {
    let text = |key: &str| {
        parameter
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    text("in") == "header" && text("name").to_ascii_lowercase().starts_with("x-prefect-")
}

/// A path parameter that is a UUID *or* a string is a string: both are text in the URL.
pub fn untyped_path_parameters(document: &mut Value) -> Result<usize> {
    for_parameters(document, |parameter| {
        if parameter["in"] != "path" || parameter.pointer("/schema/anyOf").is_none() {
            return false;
        }
        parameter["schema"] = json!({ "type": "string" });
        true
    })
}

/// An optional query parameter loses null: a URL can only leave it out.
pub fn absent_instead_of_null(document: &mut Value) -> Result<usize> {
    for_parameters(document, |parameter| {
        let Some(members) = parameter.pointer("/schema/anyOf").and_then(Value::as_array) else {
            return false;
        };
        let rest: Vec<Value> = members
            .iter()
            .filter(|member| member["type"] != "null")
            .cloned()
            .collect();
        match <[Value; 1]>::try_from(rest) {
            Ok([only]) => {
                parameter["schema"] = only;
                true
            }
            Err(_) => false,
        }
    })
}

/// Drops optional query parameters of operations that have a body, too, and returns them: a query has words for the one or
/// for the other.
pub fn drop_beside_body(document: &mut Value) -> Result<Vec<String>> {
    let mut dropped = Vec::new();
    for_each_operation(document, |_, _, _, operation| {
        if operation.get("requestBody").is_none() {
            return Ok(());
        }
        let id = operation["operationId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let parameters = operation
            .get_mut("parameters")
            .and_then(Value::as_array_mut);
        if let Some(parameters) = parameters {
            parameters.retain(|parameter| {
                let drops = parameter["in"] == "query" && parameter["required"] != true;
                if drops {
                    let name = parameter["name"].as_str().unwrap_or_default();
                    dropped.push(format!("{id}.{name}"));
                }
                !drops
            });
        }
        Ok(())
    })?;
    Ok(dropped)
}

fn for_parameters(document: &mut Value, change: impl Fn(&mut Value) -> bool) -> Result<usize> {
    let mut hits = 0;
    for_each_operation(document, |_, _, _, operation| {
        let parameters = operation
            .get_mut("parameters")
            .and_then(Value::as_array_mut);
        hits += parameters
            .into_iter()
            .flatten()
            .filter_map(|p| change(p).then_some(()))
            .count();
        Ok(())
    })?;
    Ok(hits)
}
