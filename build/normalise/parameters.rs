//! Parameters: what the transport sets by itself, and what Rust needs no type for.

use serde_json::{Value, json};

use crate::pipeline::document::for_each_operation;
use crate::pipeline::problem::Result;

/// `x-prefect-api-version` and its like stand on every operation; the transport sends them.
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

/// A path parameter that is a UUID *or* a string is a string: both are spelled out in the URL.
pub fn untyped_path_parameters(document: &mut Value) -> Result<usize> {
    for_parameters(document, |parameter| {
        if parameter["in"] != "path" || parameter.pointer("/schema/anyOf").is_none() {
            return false;
        }
        parameter["schema"] = json!({ "type": "string" });
        true
    })
}

/// An optional query parameter that may be null: in a URL there is only "not given".
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
