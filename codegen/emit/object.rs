//! Objects as structs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Context, docs, rust_type};
use crate::codegen::nulls::VALUE_ONLY;
use crate::codegen::problem::{Problem, Result};

/// Writes one struct.
pub fn write(context: &Context<'_>, schema: &Value) -> Result<String> {
    let fields = fields(context, schema)?;
    let usage = if context.is_sent() { "sent" } else { "read" };
    let arguments: Vec<String> = fields
        .iter()
        .filter(|field| field.kind.starts_with("required"))
        .map(|field| format!("{} [{}]", field.ident, field.argument()))
        .collect();
    let mut out = format!("object! {{\n{}", docs::indent(&context.docs(schema)));
    out.push_str(&format!("    pub struct {} {usage} {{\n", context.name));
    for field in &fields {
        out.push_str(&docs::comment(&field.docs, "        "));
        let Field {
            kind,
            secrecy,
            key,
            ident,
            ty,
            ..
        } = field;
        out.push_str(&format!(
            "        {kind} {secrecy} {key:?} {ident} [{ty}],\n"
        ));
    }
    out.push_str("    }\n");
    // Values that are only read come from a server.
    if context.is_sent() {
        out.push_str(&format!("    new({})\n", arguments.join(", ")));
    }
    out.push_str("}\n");
    Ok(out)
}

/// The fields of an object. Required ones come first, in the order in which upstream declares them.
pub(super) fn fields<'a>(context: &Context<'_>, schema: &'a Value) -> Result<Vec<Field<'a>>> {
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = schema["properties"].as_object().into_iter().flatten();
    let mut fields = properties
        .map(|(key, schema)| Field::of(context, key, schema, required.contains(&key.as_str())))
        .collect::<Result<Vec<_>>>()?;
    let mut names = BTreeMap::new();
    for field in &fields {
        if let Some(other) = names.insert(&field.ident, field.key) {
            let message = format!(
                "the properties {other:?} and {:?} would be the same field",
                field.key
            );
            return Err(Problem::new(context.at, message));
        }
    }
    fields.sort_by_key(|field| {
        required
            .iter()
            .position(|key| *key == field.key)
            .unwrap_or(usize::MAX)
    });
    Ok(fields)
}

pub(super) struct Field<'a> {
    /// How presence and null are treated; see `object!`.
    pub(super) kind: &'static str,
    secrecy: &'static str,
    pub(super) key: &'a str,
    pub(super) ident: String,
    pub(super) ty: String,
    docs: String,
}

impl<'a> Field<'a> {
    fn of(context: &Context<'_>, key: &'a str, schema: &Value, required: bool) -> Result<Self> {
        let at = format!("{}.properties.{key}", context.at);
        let constant = schema.get("x-const").is_some();
        let json = rust_type::target(schema) == Some("Json");
        let nullable = rust_type::is_nullable(schema);
        let kind = match (constant, nullable, required, json) {
            (true, ..) => "constant",
            (_, true, true, _) => "required_nullable",
            (_, true, false, _) if schema[VALUE_ONLY] == true => "value_only",
            (_, true, false, _) => "nullable",
            (_, false, true, _) => "required",
            (_, false, false, true) => "json",
            (_, false, false, false) => "optional",
        };
        let is_recursive = |target| context.cycles.is_inside(context.name, target);
        let ty = match (constant, rust_type::target(schema)) {
            (true, _) => schema["enum"][0].to_string(),
            (false, Some(target)) if is_recursive(target) => {
                format!("Box<{target}>")
            }
            (false, _) => rust_type::of(&at, schema)?,
        };
        let said = schema
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let docs = match said {
            "" => format!("`{key}`."),
            said => said.to_owned(),
        };
        let secrecy = if holds_secret(schema) {
            "secret"
        } else {
            "open"
        };
        Ok(Self {
            kind,
            secrecy,
            key,
            ident: ident(key),
            ty,
            docs,
        })
    }
}

impl Field<'_> {
    /// The type of the argument of `new`.
    fn argument(&self) -> String {
        match self.kind {
            "required_nullable" => format!("Field<{}>", self.ty),
            _ => self.ty.clone(),
        }
    }
}

/// Whether the schema, or one inside it, is marked as a secret.
fn holds_secret(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map.contains_key("x-secret") || map.values().any(holds_secret),
        Value::Array(items) => items.iter().any(holds_secret),
        _ => false,
    }
}

/// The field name for a key: characters that are not allowed become underscores, and a name that Rust or
/// the type itself uses otherwise gets one at its end.
pub fn ident(key: &str) -> String {
    let lower = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    let mut ident: String = key.chars().map(lower).collect();
    if ident.starts_with(|c: char| c.is_ascii_digit()) {
        ident.insert(0, '_');
    }
    // `extra` holds the undeclared keys, and `new` is the constructor beside the setters.
    if matches!(ident.as_str(), "extra" | "new") || syn::parse_str::<syn::Ident>(&ident).is_err() {
        ident.push('_');
    }
    ident
}
