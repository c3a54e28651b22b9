//! The signature of a method: arguments, body and reply.

use heck::ToSnakeCase as _;
use serde_json::Value;

use super::table::Method;
use super::{Bound, Scope};
use crate::codegen::document::Operation;
use crate::codegen::emit::rust_type;
use crate::codegen::problem::Result;

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
pub struct Arguments<'a> {
    /// The arguments of the caller, without the body: name and type.
    pub free: Vec<Parameter<'a>>,
    /// The arguments of the generated operation, without the body.
    pub passed: Vec<String>,
}

impl<'a> Arguments<'a> {
    pub fn of(scope: &Scope<'_>, method: &Method, operation: &Operation<'a>) -> Self {
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

    pub fn signature(&self) -> String {
        let free = self.free.iter();
        free.map(|Parameter { name, ty }| format!(", {name}: {ty}"))
            .collect()
    }
}

/// The body of a request.
pub struct Body {
    pub name: String,
    /// The type of the argument.
    pub ty: String,
    /// The expression that passes it to the generated operation.
    pub passed: String,
    /// The argument in an example, and the parameters that the example function needs for it.
    pub example: (String, String),
}

impl Body {
    pub fn of(scope: &Scope<'_>, operation: &Operation<'_>) -> Result<Option<Self>> {
        let Some(schema) = operation.request_schema() else {
            return Ok(None);
        };
        let ty = rust_type::of(&operation.at, schema)?;
        let public = |ty: &str| format!("prefect_sdk::types::{ty}");
        Ok(Some(
            match ty.strip_prefix("Vec<").and_then(|ty| ty.strip_suffix('>')) {
                Some(item) => {
                    let name = format!("{}s", noun(item));
                    Self {
                        passed: format!("&{name}.into_iter().collect::<Vec<_>>()"),
                        example: (name.clone(), format!(", {name}: Vec<{}>", public(item))),
                        ty: format!("impl IntoIterator<Item = {item}>"),
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

/// The variable name for a value of a type: `flow_run` for a `FlowRunResponse`.
pub fn noun(ty: &str) -> String {
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
pub fn reply(method: &Method, operation: &Operation<'_>) -> Result<String> {
    match operation.reply_schema() {
        Some(schema) if !method.no_content => rust_type::element(&operation.at, schema),
        _ => Ok("()".to_owned()),
    }
}

/// The schema of the items, if a schema is a list.
pub fn item_of(schema: &Value) -> Option<&Value> {
    (schema["type"] == "array").then(|| &schema["items"])
}
