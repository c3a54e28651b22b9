//! Types that hold themselves: their fields are boxed where a value would otherwise contain itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::rust_type;
use crate::codegen::document::schemas;
use crate::codegen::problem::{Problem, Result};

/// Which types a value of a type contains, without the indirection of a list or a map.
pub struct Cycles {
    holds: BTreeMap<String, BTreeSet<String>>,
}

impl Cycles {
    /// Fails if a type cannot have a value, because each would contain another one.
    pub fn of(document: &Value) -> Result<Self> {
        let (mut all, mut required, mut aliases) = (Self::empty(), Self::empty(), Self::empty());
        for (name, schema) in schemas(document) {
            let needed: Vec<_> = schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .collect();
            for (key, property) in schema["properties"].as_object().into_iter().flatten() {
                all.add(name, property);
                if needed.iter().any(|needed| *needed == key) && !rust_type::is_nullable(property) {
                    required.add(name, property);
                }
            }
            for member in schema["anyOf"].as_array().into_iter().flatten() {
                all.add(name, member);
            }
            // Another name, also for a list or a map.
            if schema.get("properties").is_none() && schema.get("anyOf").is_none() {
                all.add(name, schema);
                aliases.add(name, schema);
                for inner in ["items", "additionalProperties"] {
                    aliases.add(name, &schema[inner]);
                }
            }
        }
        let at = |name: &str| format!("$.components.schemas.{name}");
        if let Some(name) = required.first() {
            let message = "every value holds another value of the type itself, so that none can be written; make a property optional in the overlay";
            return Err(Problem::new(at(name), message));
        }
        match aliases.first() {
            Some(name) => Err(Problem::new(
                at(name),
                "the type is a list or a map of itself, for which Rust has no name; let the overlay make it an object, or any JSON",
            )),
            None => Ok(all),
        }
    }

    fn empty() -> Self {
        Self {
            holds: BTreeMap::new(),
        }
    }

    fn add(&mut self, name: &str, part: &Value) {
        if let Some(target) = rust_type::target(part) {
            let held = self.holds.entry(name.to_owned()).or_default();
            held.insert(target.to_owned());
        }
    }

    /// The first type that holds itself.
    fn first(&self) -> Option<&str> {
        let mut names = self.holds.keys().map(String::as_str);
        names.find(|name| self.is_inside(name, name))
    }

    /// Whether a value of `inner` may be inside one of `outer`.
    pub fn is_inside(&self, inner: &str, outer: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![outer];
        while let Some(name) = open.pop() {
            for held in self.holds.get(name).into_iter().flatten() {
                if held == inner {
                    return true;
                }
                if seen.insert(held) {
                    open.push(held);
                }
            }
        }
        false
    }
}
