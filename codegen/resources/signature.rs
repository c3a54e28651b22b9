//! The signature of a method: arguments, body and reply.

use heck::ToSnakeCase as _;
use serde_json::Value;

use super::table::Method;
use super::{Bound, Scope};
use crate::codegen::document::Operation;
use crate::codegen::emit::{ident, rust_type};
use crate::codegen::problem::Result;

/// A path or query parameter.
pub struct Parameter<'a> {
    /// Its name in the document.
    pub key: &'a str,
    /// Its name in Rust.
    pub name: String,
    /// The type of a value: `Uuid`, `&str`, `i64`, or the name of a type.
    pub ty: String,
    /// Whether it may be left out.
    pub is_optional: bool,
}

impl Parameter<'_> {
    /// The type of the argument.
    fn argument(&self) -> String {
        match (self.is_optional, self.ty.as_str()) {
            (false, ty) => ty.to_owned(),
            (true, ty @ ("&str" | "i64" | "bool")) => format!("Option<{ty}>"),
            (true, ty) => format!("Option<&{ty}>"),
        }
    }

    /// The expression that passes it to the generated operation.
    fn passed(&self) -> String {
        match (self.is_optional, self.ty.as_str()) {
            (true, _) | (false, "&str" | "i64" | "bool") => self.name.clone(),
            (false, _) => format!("&{}", self.name),
        }
    }

    /// The type of a value that is kept.
    pub fn owned(&self) -> &str {
        match self.ty.as_str() {
            "&str" => "String",
            ty => ty,
        }
    }
}

/// The path and query parameters, in the order in which the generated operation takes them: those in the path in its order,
/// and then the others in that of their names.
pub fn parameters<'a>(operation: &Operation<'a>) -> Result<Vec<Parameter<'a>>> {
    let all = operation.body["parameters"].as_array();
    let mut parameters = Vec::new();
    for parameter in all.into_iter().flatten() {
        let Some(key) = parameter["name"].as_str() else {
            continue;
        };
        let place = operation.path.find(&format!("{{{key}}}"));
        let at = format!("{}.parameters.{key}", operation.at);
        let ty = match rust_type::of(&at, &parameter["schema"])?.as_str() {
            "String" => "&str".to_owned(),
            ty => ty.to_owned(),
        };
        let found = Parameter {
            key,
            name: ident(key),
            ty,
            is_optional: place.is_none() && parameter["required"] != true,
        };
        parameters.push((place.unwrap_or(usize::MAX), found));
    }
    parameters.sort_by_key(|(place, parameter)| (*place, parameter.key));
    Ok(parameters.into_iter().map(|(_, found)| found).collect())
}

/// The arguments of a method.
pub struct Arguments<'a> {
    /// The arguments of the caller, without the body.
    pub free: Vec<Parameter<'a>>,
    /// The arguments of the generated operation, without the body.
    pub passed: Vec<String>,
}

impl<'a> Arguments<'a> {
    pub fn of(scope: &Scope<'_>, method: &Method, operation: &Operation<'a>) -> Result<Self> {
        let bound = scope.bound()?;
        let (mut free, mut passed) = (Vec::new(), Vec::new());
        for parameter in parameters(operation)? {
            let held = bound.iter().find(|bound| bound.parameter == parameter.key);
            passed.push(match (fixed(method, &parameter), held) {
                (Some(expression), _) => expression.to_owned(),
                (
                    None,
                    Some(Bound {
                        field, ty: "Uuid", ..
                    }),
                ) => format!("&self.{field}"),
                (None, Some(Bound { field, .. })) => format!("self.{field}"),
                (None, None) => {
                    let passed = parameter.passed();
                    free.push(parameter);
                    passed
                }
            });
        }
        Ok(Self { free, passed })
    }

    /// The arguments that a caller must give: those that may be left out become words of a query.
    pub fn required(mut self) -> Self {
        let is_word = |name: &String| {
            self.free
                .iter()
                .any(|free| free.is_optional && free.name == *name)
        };
        self.passed.retain(|passed| !is_word(passed));
        self.free.retain(|free| !free.is_optional);
        self
    }

    pub fn signature(&self) -> String {
        let free = self.free.iter();
        free.map(|free| format!(", {}: {}", free.name, free.argument()))
            .collect()
    }
}

/// The expression for a parameter that the table fixes. What may be left out is left out by methods that must keep their
/// form: those that get one object, that return nothing, or of which the table fixes other parameters.
pub fn fixed<'a>(method: &'a Method, parameter: &Parameter<'_>) -> Option<&'a str> {
    let mut with = method.with.iter();
    let given =
        with.find_map(|(name, expression)| (name == parameter.key).then_some(expression.as_str()));
    let keeps_form = method.name.starts_with("get") || method.no_content || !method.with.is_empty();
    given.or_else(|| (keeps_form && parameter.is_optional).then_some("None"))
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

impl Body {
    /// A parameter may have the name that the body would have.
    pub fn rename_unless_free(&mut self, arguments: &Arguments<'_>) {
        if arguments.free.iter().any(|free| free.name == self.name) {
            self.passed = self.passed.replace(&self.name, "body");
            self.name = "body".to_owned();
        }
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
