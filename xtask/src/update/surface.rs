//! What the SDK has of a document: types, operations, methods of resources, and words of queries.
//!
//! It is read from the text that the generator writes, so that it is what users get, and not what the document says.

use std::collections::{BTreeMap, BTreeSet};

use quote::ToTokens as _;

use crate::codegen::emit::usage::Usage;
use crate::codegen::problem::{Problem, Result};
use crate::codegen::resources::Table;
use crate::codegen::write;

/// What the SDK has.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Surface {
    /// The types of `prefect_sdk::types`.
    pub types: BTreeMap<String, Type>,
    /// `raw::Client::name`, `FlowRuns::name` and `Query<Request>::name`, each with its signature.
    pub functions: BTreeMap<String, String>,
}

/// A type, and whether servers send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    pub shape: Shape,
    /// Whether a request has it.
    pub is_sent: bool,
    /// Whether a reply has it.
    pub is_read: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Fields by key: kind (see `object!`) and type.
    Object(BTreeMap<String, (String, String)>),
    /// An enum of text is open if it keeps values that it does not know.
    Enum {
        is_open: bool,
        values: BTreeSet<String>,
    },
    /// Variants and what they hold.
    Union(BTreeMap<String, String>),
    Alias(String),
}

impl Surface {
    /// Reads what is generated from a normalised document.
    pub fn of(document: &serde_json::Value, resources: &Table) -> Result<Self> {
        let usage = Usage::of(document);
        let mut surface = Self::default();
        for (file, text) in write(document, resources)? {
            match file.as_str() {
                "types.rs" => surface.add_types(&text, &usage),
                "client.rs" => surface.add_functions("raw::", &text)?,
                file if file.starts_with("resources/") => {
                    surface.add_functions("", &text)?;
                    surface.add_words(&text);
                }
                _ => {}
            }
        }
        Ok(surface)
    }

    fn add_types(&mut self, text: &str, usage: &Usage) {
        let mut current: Option<(String, Shape)> = None;
        let mut last = String::new();
        for line in text.lines().map(str::trim) {
            if let Some(arguments) = line.strip_prefix("new(") {
                // The arguments have the order in which upstream requires the fields.
                let arguments = arguments.trim_end_matches(')').replace(" [", ": ");
                let arguments = arguments.replace("],", ",");
                let arguments = arguments.trim_end_matches(']');
                self.functions
                    .insert(format!("{last}::new"), format!("({arguments})"));
            } else if let Some(alias) = line.strip_prefix("pub type ") {
                if let Some((name, target)) = alias.trim_end_matches(';').split_once(" = ") {
                    self.add_type(name, Shape::Alias(target.to_owned()), usage);
                }
            } else if let Some(head) = line.strip_prefix("pub struct ") {
                current = head
                    .split_whitespace()
                    .next()
                    .map(|name| (name.to_owned(), Shape::Object(BTreeMap::new())));
            } else if let Some(head) = line.strip_prefix("pub enum ") {
                let words: Vec<_> = head.split_whitespace().collect();
                let shape = match words.get(1) {
                    Some(&kind @ ("open" | "closed")) => Shape::Enum {
                        is_open: kind == "open",
                        values: BTreeSet::new(),
                    },
                    _ => Shape::Union(BTreeMap::new()),
                };
                current = words.first().map(|name| ((*name).to_owned(), shape));
            } else if line == "}" {
                if let Some((name, shape)) = current.take() {
                    self.add_type(&name, shape, usage);
                    last = name;
                }
            } else if let Some((_, shape)) = &mut current
                && !line.starts_with("///")
            {
                shape.add(line.trim_end_matches(','));
            }
        }
    }

    fn add_type(&mut self, name: &str, shape: Shape, usage: &Usage) {
        let known = Type {
            shape,
            is_sent: usage.sent.contains(name),
            is_read: usage.read.contains(name),
        };
        self.types.insert(name.to_owned(), known);
    }

    /// Adds the public functions of all `impl` blocks.
    fn add_functions(&mut self, module: &str, text: &str) -> Result<()> {
        let file = syn::parse_file(text)
            .map_err(|error| Problem::new("the generated text", error.to_string()))?;
        for item in file.items {
            let syn::Item::Impl(block) = item else {
                continue;
            };
            let ty = block.self_ty.to_token_stream().to_string();
            let ty = ty
                .split_whitespace()
                .filter(|part| *part != "crate" && *part != "::");
            let ty = ty.take_while(|part| *part != "<").collect::<String>();
            for item in block.items {
                if let syn::ImplItem::Fn(function) = item
                    && matches!(function.vis, syn::Visibility::Public(_))
                {
                    let name = format!("{module}{ty}::{}", function.sig.ident);
                    let inputs = function.sig.inputs.to_token_stream().to_string();
                    let output = function.sig.output.to_token_stream().to_string();
                    self.functions
                        .insert(name, readable(&format!("({inputs}) {output}")));
                }
            }
        }
        Ok(())
    }

    /// Adds the words of queries and bulk operations: what `setters!` and `parameters!` define.
    fn add_words(&mut self, text: &str) {
        let mut owner = None;
        for line in text.lines().map(str::trim) {
            let words: Vec<_> = line.split_whitespace().collect();
            match words.as_slice() {
                ["setters!", "{", builder, request, ..] => {
                    owner = Some(format!("{builder}<{request}>"));
                }
                ["parameters!", "{", request, ..] => owner = Some(format!("Query<{request}>")),
                ["}", ..] => owner = None,
                _ => {
                    if let (Some(owner), Some((head, rest))) = (&owner, line.split_once('['))
                        && let Some(name) = head.split_whitespace().last()
                        && let Some(end) = rest.find("],").or_else(|| rest.find("] ("))
                    {
                        let ty = &rest[..end];
                        self.functions
                            .insert(format!("{owner}::{name}"), format!("(impl Into<{ty}>)"));
                        if let Some((_, plural)) = rest.split_once("=> ") {
                            let plural = plural.trim_end_matches([',', ')']);
                            let several = format!("(impl IntoIterator<Item = impl Into<{ty}>>)");
                            self.functions.insert(format!("{owner}::{plural}"), several);
                        }
                    }
                }
            }
        }
    }

    /// The text that is kept in the repository, so that a reviewer sees what a change does to users: a line for each field,
    /// value, variant and function.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for (name, ty) in &self.types {
            let usage = match (ty.is_sent, ty.is_read) {
                (true, true) => "sent and read",
                (true, false) => "sent",
                (false, _) => "read",
            };
            match &ty.shape {
                Shape::Object(fields) => {
                    out.push_str(&format!("struct {name} ({usage})\n"));
                    for (key, (kind, ty)) in fields {
                        out.push_str(&format!("{name}.{key}: {kind} {ty}\n"));
                    }
                }
                Shape::Enum { is_open, values } => {
                    let kind = if *is_open { "open" } else { "closed" };
                    out.push_str(&format!("enum {name} ({usage}, {kind})\n"));
                    for value in values {
                        out.push_str(&format!("{name} = {value:?}\n"));
                    }
                }
                Shape::Union(members) => {
                    out.push_str(&format!("union {name} ({usage})\n"));
                    for (variant, held) in members {
                        out.push_str(&format!("{name}::{variant}: {held}\n"));
                    }
                }
                Shape::Alias(target) => out.push_str(&format!("type {name} = {target}\n")),
            }
        }
        for (name, signature) in &self.functions {
            out.push_str(&format!("fn {name}{signature}\n"));
        }
        out
    }
}

impl Shape {
    /// Adds what one line of the generated table says.
    fn add(&mut self, line: &str) {
        match self {
            // `required open "key" ident [ty]`
            Self::Object(fields) => {
                let words: Vec<_> = line.splitn(5, ' ').collect();
                if let [kind, _, key, _, ty] = words.as_slice() {
                    let ty = ty.trim_start_matches('[').trim_end_matches(']');
                    let key = key.trim_matches('"').to_owned();
                    fields.insert(key, ((*kind).to_owned(), ty.to_owned()));
                }
            }
            // `"value" Variant`
            Self::Enum { values, .. } => {
                if let Some((value, _)) = line.rsplit_once(' ') {
                    values.insert(value.trim_matches('"').to_owned());
                }
            }
            // `"tag" Variant(Type)` or `Variant(Type)`
            Self::Union(members) => {
                let variant = line.rsplit(' ').next().unwrap_or(line);
                if let Some((variant, held)) = variant.split_once('(') {
                    members.insert(variant.to_owned(), held.trim_end_matches(')').to_owned());
                }
            }
            Self::Alias(_) => {}
        }
    }
}

/// Tokens without the spaces that rustfmt would not write.
fn readable(tokens: &str) -> String {
    let mut text = tokens.replace('\n', " ");
    for (spaced, tight) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" < ", "<"),
        ("< ", "<"),
        (" >", ">"),
        ("& ", "&"),
        (" ,", ","),
        (" :", ":"),
        (" <", "<"),
        (",)", ")"),
        (",>", ">"),
        ("&'a::", "&'a ::"),
        ("&'a self", "&self"),
        ("crate::types::", ""),
        ("crate::Result", "Result"),
        ("::std::vec::Vec", "Vec"),
        ("::uuid::Uuid", "Uuid"),
        ("::chrono::DateTime<::chrono::offset::Utc>", "DateTime<Utc>"),
        ("::std::string::String", "String"),
        ("::std::option::Option", "Option"),
    ] {
        text = text.replace(spaced, tight);
    }
    text.trim_end().to_owned()
}
