//! Parameters that stand for other values: `{"__prefect_kind": …}`.

use super::schema::Tree;
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::World;
use crate::types::Json;

/// The key by which a value stands for another one.
const KIND: &str = "__prefect_kind";

/// Why a value cannot be filled in.
pub(super) enum Unfilled {
    /// What the server says.
    Message(String),
    Refused(Refusal),
}

/// A value that is filled in, or one that goes.
enum Filled {
    Value(Tree),
    Removed,
}

/// Fills in what parameters stand for.
pub(super) fn hydrate(world: &World, parameters: &Json) -> Result<Json, Unfilled> {
    if !parameters.as_str().contains(KIND) {
        return Ok(parameters.clone());
    }
    match fill(world, &Tree::parse(parameters))? {
        Filled::Value(value) => Ok(value.to_json()),
        Filled::Removed => Ok(Tree::Object(Vec::new()).to_json()),
    }
}

fn fill(world: &World, value: &Tree) -> Result<Filled, Unfilled> {
    Ok(Filled::Value(match value {
        Tree::Object(entries) => {
            if let Some(kind) = value.get(KIND) {
                return fill_kind(world, kind, value);
            }
            let mut filled = Vec::new();
            for (key, value) in entries {
                if let Filled::Value(value) = fill(world, value)? {
                    filled.push((key.clone(), value));
                }
            }
            Tree::Object(filled)
        }
        Tree::List(items) => {
            let mut filled = Vec::new();
            for item in items {
                if let Filled::Value(value) = fill(world, item)? {
                    filled.push(value);
                }
            }
            Tree::List(filled)
        }
        other => other.clone(),
    }))
}

fn fill_kind(world: &World, kind: &Tree, value: &Tree) -> Result<Filled, Unfilled> {
    let missing = |key| Unfilled::Message(format!("Missing '{key}' key in __prefect object"));
    match kind.text() {
        Some("none") => fill(world, value.get("value").ok_or_else(|| missing("value"))?),
        Some("json") => {
            let Some(of) = value.get("value") else {
                return Ok(Filled::Removed);
            };
            match inner(world, of)? {
                Filled::Value(Tree::Text(text)) => Json::from_text(text)
                    .map(|json| Filled::Value(Tree::parse(&json)))
                    .map_err(|_| unsupported("a parameter of invalid JSON")),
                other => Ok(other),
            }
        }
        Some("workspace_variable") => {
            let Some(name) = value.get("variable_name") else {
                return Ok(Filled::Removed);
            };
            let Filled::Value(name) = inner(world, name)? else {
                return Ok(Filled::Removed);
            };
            let name = name.text();
            let name = name.ok_or_else(|| unsupported("a variable whose name is no text"))?;
            let variable = world.variables.find(|variable| variable.name == name);
            let text = || format!("Variable '{name}' not found in workspace.");
            let variable = variable.ok_or_else(|| Unfilled::Message(text()))?;
            Ok(Filled::Value(Tree::parse(&variable.value)))
        }
        Some("jinja") if value.get("template").is_none() => Err(missing("template")),
        Some("jinja") => Err(unsupported("a parameter of a Jinja template")),
        _ => Ok(Filled::Value(
            value.get("value").cloned().unwrap_or(Tree::Null),
        )),
    }
}

/// An operand, which is filled in itself if it is an object.
fn inner(world: &World, value: &Tree) -> Result<Filled, Unfilled> {
    match value.entries() {
        Some(_) => fill(world, value),
        None => Ok(Filled::Value(value.clone())),
    }
}

fn unsupported(what: &str) -> Unfilled {
    Unfilled::Refused(Refusal::unsupported(what))
}
