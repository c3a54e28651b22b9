//! One method of a resource: it calls the generated operation, or returns a query or bulk operation.

use super::Scope;
use super::docs::{self, Example};
use super::query::{self, Kind};
use super::signature::{Arguments, Body, reply};
use super::table::{Method, Source};
use crate::codegen::document::Operation;
use crate::codegen::problem::Result;

/// Writes a method; nothing for one that is written by hand.
pub fn write(scope: &Scope<'_>, method: &Method, operation: &Operation<'_>) -> Result<String> {
    if method.source == Source::Handwritten {
        return Ok(String::new());
    }
    let mut arguments = Arguments::of(scope, method, operation)?;
    let kind = query::kind(scope, method, operation)?;
    if let Kind::Parameters(_) = kind {
        arguments = arguments.required();
    }
    let free = arguments.signature();
    let name = &method.name;
    match kind {
        Kind::Plain => {}
        Kind::Bulk(request) => {
            let (signature, passed) = match query::required(scope, &request).first() {
                Some((field, ty)) => (format!(", {field}: impl Into<{ty}>"), field.clone()),
                None => Default::default(),
            };
            let given = match passed.as_str() {
                "" => "",
                _ => {
                    "prefect_sdk::types::StateCreate::new(prefect_sdk::types::StateType::Cancelled)"
                }
            };
            let docs = docs::of(scope, method, operation, &arguments, Example::Bulk(given))?;
            return Ok(format!(
                "{docs}#[inline]\npub fn {name}(self{signature}) -> Bulk<'a, {request}> {{\n    Bulk::new(self.client, {request}::new({passed}))\n}}\n"
            ));
        }
        Kind::Query(request) | Kind::Parameters(request) => {
            let docs = docs::of(scope, method, operation, &arguments, Example::Query)?;
            let within = arguments
                .passed
                .iter()
                .map(|passed| match passed.strip_prefix('&') {
                    Some(id) => format!("{id},"),
                    None => format!("{passed}.to_owned(),"),
                });
            let within = within.collect::<Vec<_>>().join(" ");
            return Ok(format!(
                "{docs}#[inline]\npub fn {name}(self{free}) -> Query<'a, {request}> {{\n    Query::new(self.client, ({within}), {request}::new())\n}}\n"
            ));
        }
    }
    let mut body = Body::of(scope, operation)?;
    if let Some(body) = &mut body {
        body.rename_unless_free(&arguments);
    }
    let mut signature = free;
    let mut passed = arguments.passed.clone();
    if let Some(body) = &body {
        signature.push_str(&format!(", {}: {}", body.name, body.ty));
        passed.push(body.passed.clone());
    }
    let reply = reply(method, operation)?;
    let docs = docs::of(
        scope,
        method,
        operation,
        &arguments,
        Example::Call(&body, &reply),
    )?;
    let end = if reply == "()" {
        "drop"
    } else {
        "Response::into_inner"
    };
    let id = operation.id()?;
    let passed = passed.join(", ");
    let mut out = format!(
        "{docs}#[inline]\npub async fn {name}(self{signature}) -> Result<{reply}> {{\n    self.client.raw().{id}({passed}).await.map({end})\n}}\n"
    );
    if name.starts_with("get") && reply != "()" {
        let names: Vec<_> = arguments
            .free
            .iter()
            .map(|free| free.name.as_str())
            .collect();
        let call = format!("{name}_opt");
        let docs = docs::of_opt(scope, method, operation, &arguments, &call)?;
        out.push_str(&format!(
            "{docs}#[inline]\npub async fn {call}(self{signature}) -> Result<Option<{reply}>> {{\n    none_if_missing(self.{name}({}).await)\n}}\n",
            names.join(", ")
        ));
    }
    Ok(out)
}
