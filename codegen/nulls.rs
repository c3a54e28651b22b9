//! What null does in updates, by `openapi/nulls.yaml`: only where it clears a field may it be sent.

use serde_json::{Value, json};

use super::problem::{Problem, Result};

/// The end of the names of the types that update an object.
const UPDATE: &str = "Update";

/// Marks a property whose setter takes no null. (A request that somebody else has recorded may have one, and is kept.)
pub const VALUE_ONLY: &str = "x-value-only";

/// What the table lacks, and what it has too much.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unmatched {
    /// Nullable fields of updates of which it is not known what null does.
    pub unknown: Vec<String>,
    /// Fields of the table that the document does not have, or that may not be null.
    pub obsolete: Vec<String>,
}

/// Makes the setters of fields that null does not clear take a value only, and adds what null does to the docs.
pub fn apply(document: &mut Value, table: &Value) -> Result<Unmatched> {
    let mut unmatched = Unmatched::default();
    let entries = table.as_object().into_iter().flatten();
    for (type_name, fields) in entries {
        for (field, entry) in fields.as_object().into_iter().flatten() {
            let at = format!("nulls {type_name}.{field}");
            let effect = entry
                .as_str()
                .and_then(Effect::parse)
                .ok_or_else(|| Problem::new(&at, Effect::FORMS))?;
            let property = document
                .pointer_mut(&format!(
                    "/components/schemas/{type_name}/properties/{field}"
                ))
                // Of any JSON, null is a value.
                .filter(|property| property["nullable"] == true || effect.clears);
            match property {
                Some(property) => effect.apply(field, property),
                None => unmatched.obsolete.push(format!("{type_name}.{field}")),
            }
        }
    }
    unmatched.unknown = unknown(document, table);
    Ok(unmatched)
}

/// The nullable fields of updates that the table lacks.
fn unknown(document: &Value, table: &Value) -> Vec<String> {
    let schemas = document["components"]["schemas"].as_object();
    let updates = schemas
        .into_iter()
        .flatten()
        .filter(|(name, _)| name.ends_with(UPDATE));
    updates
        .flat_map(|(name, schema)| {
            let properties = schema["properties"].as_object().into_iter().flatten();
            properties
                .filter(|(key, property)| {
                    property["nullable"] == true && table[name.as_str()][key.as_str()].is_null()
                })
                .map(move |(key, _)| format!("{name}.{key}"))
        })
        .collect()
}

/// What null does to a field.
struct Effect<'a> {
    clears: bool,
    /// What the server does with null, if it does not clear.
    verb: &'a str,
    /// What the docs say beside that.
    note: Option<&'a str>,
}

impl<'a> Effect<'a> {
    const FORMS: &'static str =
        "must be `clears`, `refuses`, `ignores` or `replaces`, and may end with `; a note`";

    fn parse(text: &'a str) -> Option<Self> {
        let (verb, note) = match text.split_once(';') {
            Some((verb, note)) => (verb.trim(), Some(note.trim())),
            None => (text.trim(), None),
        };
        let known = matches!(verb, "clears" | "refuses" | "ignores" | "replaces");
        known.then_some(Self {
            clears: verb == "clears",
            verb,
            note,
        })
    }

    fn apply(&self, field: &str, property: &mut Value) {
        let described = property["description"].as_str();
        let mut docs = described.map_or_else(|| format!("`{field}`."), str::to_owned);
        docs += "\n\n";
        docs += &match self.clears {
            true => "Null clears it.".to_owned(),
            false => format!("It cannot be null: the server {} that.", self.verb),
        };
        if let Some(note) = self.note {
            docs += &format!(" {note}.");
        }
        property["description"] = json!(docs);
        if !self.clears {
            property[VALUE_ONLY] = json!(true);
        }
    }
}
