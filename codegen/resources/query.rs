//! Methods that return a request to be sent later: queries and bulk operations.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Scope;
use super::parameters::{parameters_impl, words};
use super::signature::{item_of, parameters};
use super::table::{Method, Source};
use crate::codegen::document::Operation;
use crate::codegen::emit::{ident, rust_type};
use crate::codegen::normalise::pascal_case;
use crate::codegen::problem::Result;

/// The kind of a method.
pub enum Kind {
    /// It sends its request at once.
    Plain,
    /// It returns a query with this request.
    Query(String),
    /// It returns a query with these query parameters.
    Parameters(String),
    /// It returns a bulk operation with this request.
    Bulk(String),
}

/// The fields of a request for the part of a list that is meant. The pager sets them, and `page_size`.
const POSITION: [&str; 2] = ["limit", "offset"];

pub fn kind(scope: &Scope<'_>, method: &Method, operation: &Operation<'_>) -> Result<Kind> {
    let words = words(method, operation)?;
    let Some((name, request)) = request(scope, operation) else {
        return Ok(match method.source {
            Source::Generated if !words.is_empty() && operation.request_schema().is_none() => {
                Kind::Parameters(format!("{}Parameters", pascal_case(operation.id()?)))
            }
            _ => Kind::Plain,
        });
    };
    let has = |key: &str| request["properties"].get(key).is_some();
    let counts = operation
        .reply_schema()
        .is_some_and(|reply| reply["type"] == "integer" || is_average(reply));
    Ok(match method.source {
        Source::Bulk => Kind::Bulk(name.to_owned()),
        Source::Query => Kind::Query(name.to_owned()),
        // A query has words for the parameters or for the body, and not for both.
        _ if !words.is_empty() => Kind::Plain,
        _ if has("offset") || has("page") || counts => Kind::Query(name.to_owned()),
        _ => Kind::Plain,
    })
}

/// Whether a reply is one duration, if there is any.
fn is_average(reply: &Value) -> bool {
    rust_type::target(reply) == Some("Seconds")
}

/// The type of the request, if it is an object.
fn request<'a>(scope: &'a Scope<'_>, operation: &'a Operation<'_>) -> Option<(&'a str, &'a Value)> {
    let name = rust_type::target(operation.request_schema()?)?;
    let schema = scope.schema(name)?;
    schema.get("properties").is_some().then_some((name, schema))
}

/// Fields that a request must have: name and type.
pub fn required(scope: &Scope<'_>, request: &str) -> Vec<(String, String)> {
    let Some(schema) = scope.schema(request) else {
        return Vec::new();
    };
    let keys = schema["required"].as_array().into_iter().flatten();
    keys.filter_map(Value::as_str)
        .filter_map(|key| {
            let ty = rust_type::of(key, &schema["properties"][key]).ok()?;
            Some((ident(key), ty))
        })
        .collect()
}

/// The part of the docs on how a query is sent, and on its filters.
pub fn filter_docs(
    scope: &Scope<'_>,
    method: &Method,
    operation: &Operation<'_>,
) -> Result<String> {
    let Some((name, schema)) = request(scope, operation) else {
        let words = words(method, operation)?;
        let words: Vec<_> = words
            .iter()
            .map(|word| format!("`{}`", word.name))
            .collect();
        return Ok(format!(
            "\n\n`.await` sends it. These methods set its query parameters, for each of which the server has a default: {}.",
            words.join(", ")
        ));
    };
    let filter_methods = filter_methods(scope, schema)?;
    let fields: Vec<_> = fields(schema)?
        .iter()
        .map(|(_, field, _)| format!("`{field}`"))
        .collect();
    let mut text = String::from("\n\n`.await` sends it");
    let pages = operation
        .reply_schema()
        .is_some_and(|reply| item_of(reply).is_some());
    if pages || method.source == Source::Query && method.name == "list" {
        text.push_str(" and returns all items; [`pager`](Query::pager) returns them one by one");
    }
    text.push('.');
    if !filter_methods.is_empty() {
        text.push_str("\n\n| Filter | Sets |\n|---|---|\n");
        for FilterMethod { name, path, .. } in &filter_methods {
            text.push_str(&format!("| `{name}` | `{path}` |\n"));
        }
    }
    if !fields.is_empty() {
        text.push_str(&format!(
            "\n\nThese methods set whole fields of [`{name}`]: {}.",
            fields.join(", ")
        ));
    }
    Ok(text)
}

/// Fields of a request that a setter of the query sets: key, field and type.
fn fields(schema: &Value) -> Result<Vec<(&str, String, String)>> {
    let required = schema["required"].as_array();
    let required: Vec<_> = required
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !required.contains(&key.as_str()))
        .filter(|(key, _)| !POSITION.contains(&key.as_str()))
        .map(|(key, schema)| Ok((key.as_str(), ident(key), rust_type::of(key, schema)?)))
        .collect()
}

/// A filter method of a query.
struct FilterMethod {
    name: String,
    /// The path of what it sets, for the docs.
    path: String,
    fields: Vec<String>,
    /// The type of a value.
    ty: String,
    /// Whether it takes several values.
    many: bool,
}

/// The filter methods whose paths this request has.
fn filter_methods(scope: &Scope<'_>, request: &Value) -> Result<Vec<FilterMethod>> {
    let mut filter_methods = Vec::new();
    for (name, path) in &scope.resource.by {
        let mut schema = Some(request);
        let mut fields = Vec::new();
        for key in path.split('.') {
            let object = schema.map(|schema| match rust_type::target(schema) {
                Some(name) => scope.schema(name).unwrap_or(schema),
                None => schema,
            });
            schema = object.and_then(|object| object["properties"].get(key));
            fields.push(ident(key));
        }
        let Some(schema) = schema else { continue };
        let item = item_of(schema);
        filter_methods.push(FilterMethod {
            name: name.clone(),
            path: path.clone(),
            fields,
            ty: rust_type::of(path, item.unwrap_or(schema))?,
            many: item.is_some(),
        });
    }
    Ok(filter_methods)
}

/// The operation whose request has the filters; for a bulk operation, the one that lists the objects.
fn list_operation<'a>(
    scope: &'a Scope<'_>,
    method: &Method,
    operation: &'a Operation<'a>,
) -> Result<&'a Operation<'a>> {
    let Some(list) = &method.list else {
        return Ok(operation);
    };
    let found = scope.operations.get(list.as_str());
    found
        .copied()
        .ok_or_else(|| scope.problem(format!("there is no operation `{list}`")))
}

/// Writes how a query is sent, and its setters.
pub fn write(
    scope: &Scope<'_>,
    method: &Method,
    operation: &Operation<'_>,
    requests: &mut BTreeSet<String>,
) -> Result<String> {
    let (ty, request_name) = match kind(scope, method, operation)? {
        Kind::Query(request) if method.source != Source::Handwritten => ("Query", request),
        Kind::Bulk(request) => ("Bulk", request),
        Kind::Parameters(request) => {
            return parameters_impl(method, operation, &request, requests);
        }
        _ => return Ok(String::new()),
    };
    let list_operation = list_operation(scope, method, operation)?;
    let Some((_, schema)) = request(scope, list_operation) else {
        return Ok(String::new());
    };
    if !requests.insert(request_name.clone()) {
        return Err(scope.problem(format!("two queries would send {request_name}")));
    }
    let mut out = String::new();
    if method.source == Source::Generated {
        out.push_str(&send_impl(scope, operation, &request_name, schema)?);
    }
    if ty == "Bulk" {
        let conditions = conditions(scope, schema).join(", ");
        out.push_str(&format!(
            "conditions! {{ {request_name} [{conditions}] }}\n"
        ));
    }
    out.push_str(&format!("setters! {{ {ty} {request_name} {{\n"));
    for (key, field, ty) in fields(schema)? {
        if method.source == Source::Bulk && key == "sort" {
            continue;
        }
        out.push_str(&format!("    field {key:?} {field} [{ty}],\n"));
    }
    for word in filter_methods(scope, schema)? {
        let FilterMethod {
            name,
            path,
            fields,
            ty,
            many,
        } = word;
        let how = match (many, path.rsplit('.').next()) {
            (true, Some("all_")) => "all",
            (true, Some("not_any_")) => "none",
            (true, _) => "any",
            (false, Some("like_")) => "like",
            _ => "one",
        };
        let fields = fields.join(" ");
        // Other lists, such as those of events, match everything when they are empty.
        let has_plural = many && matches!(path.rsplit('.').next(), Some("any_" | "all_"));
        let plural = match has_plural {
            true => format!(" => {}", plural(&name)),
            false => String::new(),
        };
        out.push_str(&format!(
            "    {how} {path:?} {name} [{ty}] ({fields}{plural}),\n"
        ));
    }
    out.push_str("} }\n\n");
    Ok(out)
}

/// The plural of a word: `tags`, `keys`, `statuses`, `capabilities`.
fn plural(name: &str) -> String {
    let after_vowel = |stem: &str| stem.ends_with(['a', 'e', 'i', 'o', 'u']);
    match name.strip_suffix('y') {
        Some(stem) if !after_vowel(stem) => format!("{stem}ies"),
        _ if name.ends_with('s') => format!("{name}es"),
        _ => format!("{name}s"),
    }
}

/// The paths of all conditions that the filters of a request can have, quoted.
fn conditions(scope: &Scope<'_>, request: &Value) -> Vec<String> {
    fn walk(
        scope: &Scope<'_>,
        path: &str,
        object: &Value,
        outer: &[&str],
        found: &mut Vec<String>,
    ) {
        for (key, schema) in object["properties"].as_object().into_iter().flatten() {
            // The server accepts these, and ignores them.
            let said = schema["description"].as_str();
            if said.is_some_and(|said| said.starts_with("DEPRECATED")) {
                continue;
            }
            let path = format!("{path}.{key}");
            let target = rust_type::target(schema).unwrap_or_default();
            let inner = scope
                .schema(target)
                .filter(|inner| inner.get("properties").is_some());
            match inner {
                // A filter inside itself has no end of conditions.
                Some(_) if outer.contains(&target) => {}
                Some(inner) => walk(scope, &path, inner, &[outer, &[target]].concat(), found),
                None => found.push(format!("{path:?}")),
            }
        }
    }
    let mut found = Vec::new();
    for (key, property) in request["properties"].as_object().into_iter().flatten() {
        let target = rust_type::target(property).filter(|name| name.ends_with("Filter"));
        if let Some((name, filter)) = target.and_then(|name| Some((name, scope.schema(name)?))) {
            walk(scope, key, filter, &[name], &mut found);
        }
    }
    found
}

/// The macro call that implements how a query is sent.
fn send_impl(
    scope: &Scope<'_>,
    operation: &Operation<'_>,
    request: &str,
    schema: &Value,
) -> Result<String> {
    let id = operation.id()?;
    let within: Vec<_> = parameters(operation)?
        .iter()
        .map(|parameter| format!("{}: {}", parameter.name, parameter.owned()))
        .collect();
    let within = within.join(", ");
    let reply = operation
        .reply_schema()
        .ok_or_else(|| scope.problem(format!("{id} has no reply")))?;
    let ty = rust_type::element(&operation.at, reply)?;
    if schema["properties"].get("page").is_none() {
        let (how, ty) = match item_of(reply) {
            Some(item) => ("list", rust_type::of(&operation.at, item)?),
            None => ("count", ty),
        };
        return Ok(format!("{how}! {{ {request} {id} ({within}) {ty} }}\n"));
    }
    let page = rust_type::target(reply).and_then(|name| scope.schema(name));
    let lists = page.and_then(|page| page["properties"].as_object());
    let mut lists = lists.into_iter().flatten().filter_map(|(key, schema)| {
        let required = page.is_some_and(|page| {
            page["required"]
                .as_array()
                .is_some_and(|required| required.contains(&Value::from(key.as_str())))
        });
        Some((key, item_of(schema)?, required))
    });
    let Some((key, item, required)) = lists.next() else {
        return Err(scope.problem(format!("the pages of {id} have no list")));
    };
    let item = rust_type::of(&operation.at, item)?;
    let items = if required { "always" } else { "maybe" };
    Ok(format!(
        "pages! {{ {request} {id} ({within}) {ty} {{ {items} {}: {item} }} }}\n",
        ident(key)
    ))
}
