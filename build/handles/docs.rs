//! The docs of a method: what it does and sends, its errors, and an example that compiles.

use std::collections::BTreeSet;

use super::Scope;
use super::query;
use super::signature::{Arguments, Body, Parameter, noun, reply};
use super::table::Method;
use crate::pipeline::document::Operation;
use crate::pipeline::emit::docs::comment;
use crate::pipeline::problem::Result;

/// What an example shows.
pub enum Example<'a> {
    Call(&'a Option<Body>, &'a str),
    Query,
    /// With these arguments.
    Bulk(&'a str),
}

/// The docs of a method.
pub fn of(
    scope: &Scope<'_>,
    method: &Method,
    operation: &Operation<'_>,
    arguments: &Arguments<'_>,
    shown: Example<'_>,
) -> Result<String> {
    let mut text = sentence(method, operation);
    if matches!(shown, Example::Query) {
        text.push_str(&query::narrowing(scope, method, operation)?);
    }
    text.push_str(&format!(
        "\n\n# Errors\n\n{}",
        errors(arguments, method.taken)
    ));
    let call = method.name.as_str();
    let (before, setup, given) = example_call(scope, method, arguments);
    let line = match shown {
        Example::Call(body, reply) => {
            let mut given = given;
            let mut setup = setup;
            if let (Some(body), None) = (body, &method.example) {
                given.push(body.example.0.clone());
                setup.push_str(&body.example.1);
            }
            let call = format!("{before}.{call}({}).await?;", given.join(", "));
            return Ok(comment(
                &with_example(&text, &setup, &shown_reply(reply, &call)),
                "",
            ));
        }
        Example::Query => {
            let call = format!("{before}.{call}({}){}", given.join(", "), method.narrow);
            match reply(method, operation)?.as_str() {
                reply if reply.starts_with("Vec<") || method.name == "list" => {
                    format!("for found in {call}.await? {{\n    println!(\"{{found:?}}\");\n}}")
                }
                reply => shown_reply(reply, &format!("{call}.await?;")),
            }
        }
        Example::Bulk(given) => format!(
            "let how_many = {before}\n    .{call}({given})\n    .tag(\"temporary\")\n    .dry_run()\n    .await?;\nprintln!(\"{{how_many}} match\");"
        ),
    };
    Ok(comment(&with_example(&text, &setup, &line), ""))
}

/// The docs of the method that gives `None` when there is nothing.
pub fn of_opt(
    scope: &Scope<'_>,
    method: &Method,
    operation: &Operation<'_>,
    arguments: &Arguments<'_>,
    call: &str,
) -> Result<String> {
    let text = format!(
        "As [`{0}`](Self::{0}), but `None` when there is none: `{1} {2}`.\n\n# Errors\n\nThose of [`{0}`](Self::{0}), but for [`NotFound`](crate::ErrorKind::NotFound).",
        method.name,
        operation.method.to_uppercase(),
        operation.path
    );
    let (before, setup, given) = example_call(scope, method, arguments);
    let line = format!(
        "if {before}.{call}({}).await?.is_none() {{\n    println!(\"there is none\");\n}}",
        given.join(", ")
    );
    Ok(comment(&with_example(&text, &setup, &line), ""))
}

/// What it does and what it sends.
fn sentence(method: &Method, operation: &Operation<'_>) -> String {
    let verb = operation.method.to_uppercase();
    let path = operation.path;
    match method.does.split_once(". ") {
        Some((first, rest)) => format!("{first}: `{verb} {path}`.\n\n{rest}"),
        None => format!("{}: `{verb} {path}`.", method.does.trim_end_matches('.')),
    }
}

fn errors(arguments: &Arguments<'_>, taken: bool) -> String {
    let mut errors = Vec::new();
    if taken {
        errors.push("[`Conflict`](crate::ErrorKind::Conflict) when the name is taken;");
    }
    if !arguments.passed.is_empty() {
        errors.push("[`NotFound`](crate::ErrorKind::NotFound) when there is no such thing;");
    }
    if arguments.free.iter().any(|free| free.ty == "&str") {
        errors.push("[`InvalidRequest`](crate::ErrorKind::InvalidRequest), before anything is sent, for a name that no URL can hold (empty, `.`, `..`, or with a `/`);");
    }
    errors.push("those of any call, see [`ErrorKind`](crate::ErrorKind).");
    let text = errors.join(" ");
    let mut characters = text.chars();
    match characters.next() {
        Some(first) if first != '[' => first.to_uppercase().chain(characters).collect(),
        _ => text,
    }
}

/// How an example gets to the method, what the example must be given, and the arguments.
fn example_call(
    scope: &Scope<'_>,
    method: &Method,
    arguments: &Arguments<'_>,
) -> (String, String, Vec<String>) {
    let mut setup = String::new();
    let before = match &scope.handle.under {
        None => format!("client.{}()", scope.handle.name),
        Some(under) => {
            let bound = scope.bound();
            let given = bound.iter().map(|bound| match bound.ty {
                "Uuid" => {
                    setup.push_str(&format!(", {}: uuid::Uuid", bound.field));
                    bound.field.to_owned()
                }
                _ => "\"kubernetes\"".to_owned(),
            });
            let given = given.collect::<Vec<_>>().join(", ");
            format!("client.{}().{}({given})", under.handle, under.method)
        }
    };
    let mut given = Vec::new();
    for Parameter { name, ty } in &arguments.free {
        match *ty {
            "Uuid" => {
                setup.push_str(&format!(", {name}: uuid::Uuid"));
                given.push((*name).to_owned());
            }
            _ if method.example.is_some() => {}
            "&str" => given.push(format!("{:?}", scope.handle.named)),
            ty => {
                setup.push_str(&format!(", {name}: prefect_sdk::types::{ty}"));
                given.push((*name).to_owned());
            }
        }
    }
    given.extend(method.example.clone());
    (before, setup, given)
}

fn shown_reply(reply: &str, call: &str) -> String {
    let inner = |outer: &str| {
        reply
            .strip_prefix(outer)
            .and_then(|ty| ty.strip_suffix('>'))
    };
    let name = match (reply, inner("Vec<")) {
        ("()", _) => return call.to_owned(),
        (_, Some("HistoryResponse")) => "history".to_owned(),
        (_, Some(item)) => format!("{}s", noun(item)),
        (reply, _) if reply.contains('<') => "found".to_owned(),
        (reply, _) => noun(reply),
    };
    format!("let {name} = {call}\nprintln!(\"{{{name}:?}}\");")
}

fn with_example(text: &str, setup: &str, lines: &str) -> String {
    let (imports, lines) = imported(lines);
    format!(
        "{text}\n\n```no_run\n# async fn example(client: prefect_sdk::Client{setup}) -> prefect_sdk::Result<()> {{\n{imports}{lines}\n# Ok(())\n# }}\n```"
    )
}

/// `use` lines for the paths in an example, and the example with the names alone.
fn imported(lines: &str) -> (String, String) {
    let mut imports = BTreeSet::new();
    let mut parts = lines.split("prefect_sdk::");
    let mut short = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let name = part.strip_prefix("types::").unwrap_or(part);
        let end = name.find(|c: char| !c.is_alphanumeric() && c != '_');
        let end = end.unwrap_or(name.len()) + part.len() - name.len();
        imports.insert(&part[..end]);
        short.push_str(name);
    }
    let mut uses: String = imports
        .iter()
        .map(|path| format!("use prefect_sdk::{path};\n"))
        .collect();
    if !uses.is_empty() {
        uses.push('\n');
    }
    (uses, short)
}
