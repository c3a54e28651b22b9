//! Writes the Rust types of a normalised document.
//!
//! typify, which progenitor would use, knows neither three-state fields nor open enums, names
//! variants by number and buffers flattened values, which rounds numbers. So progenitor is configured to
//! *refer* to types by name (`client.rs`), and these modules write them as calls of the macros in
//! `src/types/`, so that the generated source reads like a table.

mod cycles;
pub mod docs;
mod enumeration;
mod object;
pub mod rust_type;
mod stored;
mod table;
mod testing;
mod twin;
mod union;
pub mod usage;

use serde_json::Value;

use super::document::schemas;
use super::problem::Result;

use cycles::Cycles;
pub use object::ident;
pub use stored::stored;
pub use table::table;
pub use testing::{samples, test_operations};
use usage::Usage;

/// The source text of all types.
pub fn types(document: &Value) -> Result<String> {
    let usage = Usage::of(document);
    let cycles = Cycles::of(document)?;
    let mut out = String::new();
    for (name, schema) in schemas(document) {
        let at = format!("$.components.schemas.{name}");
        let context = Context {
            document,
            usage: &usage,
            cycles: &cycles,
            at: &at,
            name,
        };
        let text = if schema.get("x-built-in").is_some() {
            continue;
        } else if schema.get("enum").is_some() {
            enumeration::write(&context, schema)?
        } else if schema.get("anyOf").is_some() {
            union::write(&context, schema)?
        } else if schema.get("properties").is_some() {
            object::write(&context, schema)? + &twin::write(&context, schema)?
        } else {
            let target = rust_type::of(&at, schema)?;
            format!("{}pub type {name} = {target};\n", context.docs(schema))
        };
        out.push_str(&text);
        out.push('\n');
    }
    Ok(out)
}

/// The context in which one type is written.
struct Context<'a> {
    document: &'a Value,
    usage: &'a Usage,
    cycles: &'a Cycles,
    at: &'a str,
    name: &'a str,
}

impl Context<'_> {
    /// The doc comment: the upstream description, and which operations take or return the type.
    fn docs(&self, schema: &Value) -> String {
        let said = schema
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut text = match said {
            "" => format!("`{}` of the Prefect API.", self.name),
            said => said.to_owned(),
        };
        text.push_str(&self.usage.sentence(self.name));
        docs::comment(&text, "")
    }

    /// Whether a value of this type may come from a server.
    fn is_read(&self) -> bool {
        self.usage.read.contains(self.name)
    }

    /// Whether a value of this type may be sent.
    fn is_sent(&self) -> bool {
        self.usage.sent.contains(self.name)
    }
}
