//! The docs of a method: what it does and sends, its errors, and an example that compiles.

use std::collections::BTreeSet;

use super::Scope;
use super::query;
use super::signature::{Arguments, Body, Parameter, noun, reply};
use super::table::Method;
use crate::codegen::document::Operation;
use crate::codegen::emit::docs::comment;
use crate::codegen::problem::Result;

/// The kind of example in the docs.
pub enum Example<'a> {
    Call(&'a Option<Body>, &'a str),
    Query,
    /// A bulk operation with these arguments.
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
        text.push_str(&query::filter_docs(scope, method, operation)?);
    }
    text.push_str(&format!(
        "\n\n# Errors\n\n{}",
        errors(arguments, method.conflict)
    ));
    let call = method.name.as_str();
    let (before, setup, given) = example_call(scope, method, arguments)?;
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

/// The docs of the method that returns `None` when there is nothing.
pub fn of_opt(
    scope: &Scope<'_>,
    method: &Method,
    operation: &Operation<'_>,
    arguments: &Arguments<'_>,
    call: &str,
) -> Result<String> {
    let text = format!(
        "Like [`{0}`](Self::{0}), but returns `None` when there is no such object: `{1} {2}`.\n\n# Errors\n\nThe errors of [`{0}`](Self::{0}), except [`NotFound`](crate::ErrorKind::NotFound).",
        method.name,
        operation.method.to_uppercase(),
        operation.path
    );
    let (before, setup, given) = example_call(scope, method, arguments)?;
    let line = format!(
        "if {before}.{call}({}).await?.is_none() {{\n    println!(\"there is none\");\n}}",
        given.join(", ")
    );
    Ok(comment(&with_example(&text, &setup, &line), ""))
}

/// The sentence on what a method does and sends.
fn sentence(method: &Method, operation: &Operation<'_>) -> String {
    let verb = operation.method.to_uppercase();
    let path = operation.path;
    match method.summary.split_once(". ") {
        Some((first, rest)) => format!("{first}: `{verb} {path}`.\n\n{rest}"),
        None => format!("{}: `{verb} {path}`.", method.summary.trim_end_matches('.')),
    }
}

fn errors(arguments: &Arguments<'_>, conflict: bool) -> String {
    let mut errors = Vec::new();
    if conflict {
        errors.push("[`Conflict`](crate::ErrorKind::Conflict) when the name is in use");
    }
    if !arguments.passed.is_empty() {
        errors.push("[`NotFound`](crate::ErrorKind::NotFound) when there is no such object");
    }
    if arguments.free.iter().any(|free| free.ty == "&str") {
        errors.push("[`InvalidRequest`](crate::ErrorKind::InvalidRequest), before anything is sent, for a name that no URL can hold (empty, `.`, `..`, or with a `/`)");
    }
    match errors.is_empty() {
        true => "Any [call error](crate::Error#call-errors).".to_owned(),
        false => format!(
            "{}, or any [call error](crate::Error#call-errors).",
            errors.join("; ")
        ),
    }
}

/// The code before the method call of an example, the parameters of the example function, and the
/// arguments of the call.
fn example_call(
    scope: &Scope<'_>,
    method: &Method,
    arguments: &Arguments<'_>,
) -> Result<(String, String, Vec<String>)> {
    let mut setup = String::new();
    let before = match &scope.resource.under {
        None => format!("client.{}()", scope.resource.name),
        Some(under) => {
            let bound = scope.bound()?;
            let given = bound.iter().map(|bound| match bound.ty {
                "Uuid" => {
                    setup.push_str(&format!(", {}: uuid::Uuid", bound.field));
                    bound.field.to_owned()
                }
                _ => "\"kubernetes\"".to_owned(),
            });
            let given = given.collect::<Vec<_>>().join(", ");
            format!("client.{}().{}({given})", under.resource, under.method)
        }
    };
    let mut given = Vec::new();
    for Parameter {
        name,
        ty,
        is_optional,
        ..
    } in &arguments.free
    {
        match ty.as_str() {
            _ if *is_optional => given.push("None".to_owned()),
            "Uuid" => {
                setup.push_str(&format!(", {name}: uuid::Uuid"));
                given.push(name.clone());
            }
            "i64" => given.push("1".to_owned()),
            "bool" => given.push("true".to_owned()),
            _ if method.example.is_some() => {}
            "&str" => given.push(format!("{:?}", scope.resource.named)),
            ty => {
                setup.push_str(&format!(", {name}: {}", public(ty)));
                given.push(name.clone());
            }
        }
    }
    given.extend(method.example.clone());
    Ok((before, setup, given))
}

/// The path of a type for a user.
fn public(ty: &str) -> String {
    match ty.strip_prefix("Vec<").and_then(|ty| ty.strip_suffix('>')) {
        Some(item) => format!("Vec<{}>", public(item)),
        None => match ty {
            "DateTime<Utc>" => "chrono::DateTime<chrono::Utc>".to_owned(),
            "Uuid" => "uuid::Uuid".to_owned(),
            "String" | "i64" | "bool" => ty.to_owned(),
            ty => format!("prefect_sdk::types::{ty}"),
        },
    }
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
        // The modules are part of the import; the name begins with the last of the path's segments, or
        // with the first that is a type.
        let path_end = part.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        let path = &part[..path_end.unwrap_or(part.len())];
        let mut start = 0;
        while let Some(next) = path[start..].find("::")
            && !path[start..].starts_with(char::is_uppercase)
        {
            start += next + 2;
        }
        let name_end = path[start..]
            .find("::")
            .map_or(path.len(), |end| start + end);
        imports.insert(&part[..name_end]);
        short.push_str(&part[start..]);
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
