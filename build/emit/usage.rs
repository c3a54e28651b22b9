//! Which types are sent, which are read, and by which operations.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::pipeline::document::{operations, ref_name, schemas};

/// How the types of a document are used.
#[derive(Default)]
pub struct Usage {
    /// Types inside some request.
    pub sent: BTreeSet<String>,
    /// Types inside some reply.
    pub read: BTreeSet<String>,
    takers: BTreeMap<String, Vec<String>>,
    givers: BTreeMap<String, Vec<String>>,
    parents: BTreeMap<String, BTreeSet<String>>,
}

impl Usage {
    pub fn of(document: &Value) -> Self {
        let mut usage = Self::default();
        for operation in operations(document) {
            let id = operation.id().unwrap_or_default().to_owned();
            for part in ["parameters", "requestBody", "responses"] {
                let (users, types) = match part {
                    "responses" => (&mut usage.givers, &mut usage.read),
                    _ => (&mut usage.takers, &mut usage.sent),
                };
                for name in references(operation.body.get(part).unwrap_or(&Value::Null)) {
                    users.entry(name.clone()).or_default().push(id.clone());
                    add_closure(document, &name, types);
                }
            }
        }
        for (parent, schema) in schemas(document) {
            for child in references(schema) {
                usage
                    .parents
                    .entry(child)
                    .or_default()
                    .insert(parent.clone());
            }
        }
        usage
    }

    /// "Sent by …. Returned by …", or what the type is part of.
    pub fn sentence(&self, name: &str) -> String {
        let list = |users: &BTreeMap<String, Vec<String>>, verb: &str| {
            let users = users.get(name)?.iter();
            let links = users.map(|id| format!("[`{id}`](crate::raw::Client::{id})"));
            Some(format!(
                "{verb} by {}.",
                links.collect::<Vec<_>>().join(", ")
            ))
        };
        let mut sentences: Vec<String> =
            [list(&self.takers, "Sent"), list(&self.givers, "Returned")]
                .into_iter()
                .flatten()
                .collect();
        if sentences.is_empty() {
            let parents = self.parents.get(name).into_iter().flatten();
            let links: Vec<_> = parents.map(|parent| format!("[`{parent}`]")).collect();
            if !links.is_empty() {
                sentences.push(format!("Part of {}.", links.join(", ")));
            }
        }
        match sentences.is_empty() {
            true => String::new(),
            false => format!("\n\n{}", sentences.join("\n")),
        }
    }
}

fn add_closure(document: &Value, name: &str, found: &mut BTreeSet<String>) {
    if found.insert(name.to_owned()) {
        for name in references(&schemas(document)[name]) {
            add_closure(document, &name, found);
        }
    }
}

/// The component schemas that a part of the document refers to directly.
pub fn references(part: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    match part {
        Value::Object(map) => {
            found.extend(ref_name(part).map(str::to_owned));
            found.extend(map.values().flat_map(references));
        }
        Value::Array(items) => found.extend(items.iter().flat_map(references)),
        _ => {}
    }
    found
}
