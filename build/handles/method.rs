//! One method of a handle: its signature, its docs and the call of the generated operation.

use std::collections::BTreeSet;

use heck::ToSnakeCase as _;
use serde_json::Value;

use super::query::{self, Kind};
use super::table::{Home, Method};
use super::{Bound, Scope};
use crate::pipeline::document::Operation;
use crate::pipeline::emit::{docs, rust_type};
use crate::pipeline::problem::Result;

/// A path or query parameter.
pub struct Parameter<'a> {
    pub name: &'a str,
    /// `Uuid`, `&str`, or the name of a type.
    pub ty: &'a str,
}

/// The path and query parameters, in the order in which the generated operation takes them.
pub fn parameters<'a>(operation: &Operation<'a>) -> Vec<Parameter<'a>> {
    let all = operation.body["parameters"].as_array();
    let mut parameters: Vec<_> = all
        .into_iter()
        .flatten()
        .filter_map(|parameter| {
            let name = parameter["name"].as_str()?;
            let place = operation.path.find(&format!("{{{name}}}"));
            let schema = &parameter["schema"];
            let ty = match (rust_type::target(schema), schema["format"].as_str()) {
                (Some(name), _) => name,
                (None, Some("uuid")) => "Uuid",
                (None, _) => "&str",
            };
            let place = place.unwrap_or(usize::MAX);
            Some((place, Parameter { name, ty }))
        })
        .collect();
    parameters.sort_by_key(|(place, _)| *place);
    parameters.into_iter().map(|(_, found)| found).collect()
}

/// The arguments of a method.
struct Arguments<'a> {
    /// What the caller gives, without the body: name and type.
    free: Vec<Parameter<'a>>,
    /// What the generated operation is given, without the body.
    passed: Vec<String>,
}

impl<'a> Arguments<'a> {
    fn of(scope: &Scope<'_>, method: &Method, operation: &Operation<'a>) -> Self {
        let bound = scope.bound();
        let (mut free, mut passed) = (Vec::new(), Vec::new());
        for parameter in parameters(operation) {
            let fixed = method.with.iter().find(|(name, _)| name == parameter.name);
            let held = bound.iter().find(|bound| bound.parameter == parameter.name);
            passed.push(match (fixed, held) {
                (Some((_, expression)), _) => expression.clone(),
                (
                    None,
                    Some(Bound {
                        field, ty: "Uuid", ..
                    }),
                ) => format!("&self.{field}"),
                (None, Some(Bound { field, .. })) => format!("self.{field}"),
                (None, None) => {
                    let reference = if parameter.ty == "&str" { "" } else { "&" };
                    let passed = format!("{reference}{}", parameter.name);
                    free.push(parameter);
                    passed
                }
            });
        }
        Self { free, passed }
    }

    fn signature(&self) -> String {
        let free = self.free.iter();
        free.map(|Parameter { name, ty }| format!(", {name}: {ty}"))
            .collect()
    }
}

/// The body of a request.
struct Body {
    name: String,
    /// The type of the argument.
    ty: String,
    /// How it is passed on.
    passed: String,
    /// The argument in an example, and what the example must be given for it.
    example: (String, String),
}

impl Body {
    fn of(scope: &Scope<'_>, operation: &Operation<'_>) -> Result<Option<Self>> {
        let pointer = "/requestBody/content/application~1json/schema";
        let Some(schema) = operation.body.pointer(pointer) else {
            return Ok(None);
        };
        let ty = rust_type::of(&operation.at, schema)?;
        let public = |ty: &str| format!("prefect_sdk::types::{ty}");
        Ok(Some(
            match ty.strip_prefix("Vec<").and_then(|ty| ty.strip_suffix('>')) {
                Some(item) => {
                    let name = format!("{}s", noun(item));
                    Self {
                        passed: format!("&{name}"),
                        example: (name.clone(), format!(", {name}: Vec<{}>", public(item))),
                        ty,
                        name,
                    }
                }
                None if ty == "String" => Self {
                    name: "text".into(),
                    ty: "&str".into(),
                    passed: "text".into(),
                    example: (String::new(), String::new()),
                },
                None => {
                    let name = noun(&ty);
                    let optional = scope
                        .schema(&ty)
                        .is_some_and(|schema| schema["required"].is_null());
                    Self {
                        example: match optional && ty != "Json" {
                            true => (format!("&{}::new()", public(&ty)), String::new()),
                            false => (format!("&{name}"), format!(", {name}: {}", public(&ty))),
                        },
                        ty: format!("&{ty}"),
                        passed: name.clone(),
                        name,
                    }
                }
            },
        ))
    }
}

/// What to call a value of a type: `FlowRunResponse` is a `flow_run`.
fn noun(ty: &str) -> String {
    match ty {
        "Json" => return "value".into(),
        "i64" => return "count".into(),
        "String" => return "text".into(),
        ty if ty.ends_with("Update") => return "update".into(),
        ty if ty.ends_with("Request") => return "request".into(),
        _ => {}
    }
    let bare = ["Create", "Response"]
        .iter()
        .find_map(|end| ty.strip_suffix(end));
    let noun = bare.unwrap_or(ty).to_snake_case();
    noun.strip_suffix("_v2").unwrap_or(&noun).to_owned()
}

/// The type of the reply.
fn reply(method: &Method, operation: &Operation<'_>) -> Result<String> {
    let pointer = "/responses/2XX/content/application~1json/schema";
    match operation.body.pointer(pointer) {
        Some(schema) if !method.nothing => rust_type::element(&operation.at, schema),
        _ => Ok("()".to_owned()),
    }
}

/// Writes a method; nothing for one that is written by hand.
pub fn write(scope: &Scope<'_>, method: &Method, operation: &Operation<'_>) -> Result<String> {
    if method.home == Home::Hand {
        return Ok(String::new());
    }
    let arguments = Arguments::of(scope, method, operation);
    let free = arguments.signature();
    let name = &method.name;
    match query::kind(scope, method, operation)? {
        Kind::Plain => {}
        Kind::Bulk(request) => {
            let (signature, passed) = match query::required(scope, &request).first() {
                Some((field, ty)) => (format!(", {field}: impl Into<{ty}>"), field.clone()),
                None => Default::default(),
            };
            let example = match passed.as_str() {
                "" => "\n    .dry_run()\n    .await?;".to_owned(),
                field => {
                    format!("\n    .dry_run()\n    .await?; // `{field}` is proposed for none")
                }
            };
            let docs = documentation(
                scope,
                method,
                operation,
                &arguments,
                Example::Bulk(&example),
            )?;
            return Ok(format!(
                "{docs}pub fn {name}(self{signature}) -> Bulk<'a, {request}> {{\n    Bulk::new(self.client, {request}::new({passed}))\n}}\n"
            ));
        }
        Kind::Query(request) => {
            let docs = documentation(scope, method, operation, &arguments, Example::Query)?;
            let within = arguments
                .passed
                .iter()
                .map(|passed| match passed.strip_prefix('&') {
                    Some(id) => format!("{id},"),
                    None => format!("{passed}.to_owned(),"),
                });
            let within = within.collect::<Vec<_>>().join(" ");
            return Ok(format!(
                "{docs}pub fn {name}(self{free}) -> Query<'a, {request}> {{\n    Query::new(self.client, ({within}), {request}::new())\n}}\n"
            ));
        }
    }
    let body = Body::of(scope, operation)?;
    let mut signature = free;
    let mut passed = arguments.passed.clone();
    if let Some(body) = &body {
        signature.push_str(&format!(", {}: {}", body.name, body.ty));
        passed.push(body.passed.clone());
    }
    let reply = reply(method, operation)?;
    let docs = documentation(
        scope,
        method,
        operation,
        &arguments,
        Example::Call(&body, &reply),
    )?;
    let end = if reply == "()" {
        "drop"
    } else {
        "ResponseValue::into_inner"
    };
    let id = operation.id()?;
    let passed = passed.join(", ");
    let mut out = format!(
        "{docs}pub async fn {name}(self{signature}) -> Result<{reply}> {{\n    self.client.raw().{id}({passed}).await.map({end})\n}}\n"
    );
    if name.starts_with("get") && reply != "()" {
        let names: Vec<_> = arguments.free.iter().map(|free| free.name).collect();
        let call = format!("{name}_opt");
        let docs = opt_documentation(scope, method, operation, &arguments, &call)?;
        out.push_str(&format!(
            "{docs}pub async fn {call}(self{signature}) -> Result<Option<{reply}>> {{\n    found(self.{name}({}).await)\n}}\n",
            names.join(", ")
        ));
    }
    Ok(out)
}

/// What an example shows.
enum Example<'a> {
    Call(&'a Option<Body>, &'a str),
    Query,
    Bulk(&'a str),
}

fn documentation(
    scope: &Scope<'_>,
    method: &Method,
    operation: &Operation<'_>,
    arguments: &Arguments<'_>,
    shown: Example<'_>,
) -> Result<String> {
    let mut text = sentence(method, operation);
    if matches!(shown, Example::Query) {
        text.push_str(&query::narrowing(scope, operation)?);
    }
    let taken = if method.taken {
        "[`Conflict`](crate::ErrorKind::Conflict) when the name is taken; "
    } else {
        ""
    };
    text.push_str(&format!("\n\n# Errors\n\n{taken}{}", errors(arguments)));
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
            return Ok(docs::comment(
                &with_example(&text, &setup, &shown_reply(reply, &call)),
                "",
            ));
        }
        Example::Query => {
            let call = format!("{before}.{call}({}){}", given.join(", "), method.narrow);
            match reply(method, operation)?.as_str() {
                reply if reply.starts_with("Vec<") || method.home == Home::Query => {
                    format!("for found in {call}.await? {{\n    println!(\"{{found:?}}\");\n}}")
                }
                reply => shown_reply(reply, &format!("{call}.await?;")),
            }
        }
        Example::Bulk(chain) => {
            let given = if chain.contains("proposed") {
                "prefect_sdk::types::StateCreate::new(prefect_sdk::types::StateType::Cancelled)"
            } else {
                ""
            };
            format!(
                "let how_many = {before}\n    .{call}({given})\n    .tag(\"temporary\"){chain}\nprintln!(\"{{how_many}} match\");"
            )
        }
    };
    Ok(docs::comment(&with_example(&text, &setup, &line), ""))
}

fn opt_documentation(
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
    Ok(docs::comment(&with_example(&text, &setup, &line), ""))
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

fn errors(arguments: &Arguments<'_>) -> String {
    let mut errors = Vec::new();
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

/// Whether a schema is a list, and of what.
pub fn item_of(schema: &Value) -> Option<&Value> {
    (schema["type"] == "array").then(|| &schema["items"])
}
