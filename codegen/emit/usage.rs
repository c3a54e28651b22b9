//! Which types are sent, which are read, and by which operations.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::codegen::document::{operations, ref_name, schemas};

/// How the types of a document are used.
#[derive(Default)]
pub struct Usage {
    /// Types inside some request.
    pub sent: BTreeSet<String>,
    /// Types inside some reply.
    pub read: BTreeSet<String>,
    sent_by: BTreeMap<String, Vec<String>>,
    returned_by: BTreeMap<String, Vec<String>>,
    parents: BTreeMap<String, BTreeSet<String>>,
}

impl Usage {
    pub fn of(document: &Value) -> Self {
        let mut usage = Self::default();
        for operation in operations(document) {
            let id = operation.id().unwrap_or_default().to_owned();
            for part in ["parameters", "requestBody", "responses"] {
                let (users, types) = match part {
                    "responses" => (&mut usage.returned_by, &mut usage.read),
                    _ => (&mut usage.sent_by, &mut usage.sent),
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

    /// Sentences on which operations send and return the type, and for a nested type also what it is part of.
    pub fn sentence(&self, name: &str) -> String {
        let mut sentences = Vec::new();
        let direct = self.sent_by.contains_key(name) || self.returned_by.contains_key(name);
        let parents: Vec<_> = self
            .parents
            .get(name)
            .into_iter()
            .flatten()
            .map(|p| format!("[`{p}`]"))
            .collect();
        if !direct && !parents.is_empty() {
            sentences.push(format!("Part of {}.", parents.join(", ")));
        }
        let around = self.around(name);
        for (verb, users) in [("Sent", &self.sent_by), ("Returned", &self.returned_by)] {
            let users = around.iter().filter_map(|name| users.get(*name)).flatten();
            let users: BTreeSet<&String> = users.collect();
            let links = users.iter().take(MAX_LISTED_OPERATIONS);
            let links = links.map(|id| format!("[`{id}`](crate::raw::Client::{id})"));
            let mut links = links.collect::<Vec<_>>().join(", ");
            if users.len() > MAX_LISTED_OPERATIONS {
                links.push_str(&format!(
                    " and {} more",
                    users.len() - MAX_LISTED_OPERATIONS
                ));
            }
            if !links.is_empty() {
                sentences.push(format!("{verb} by {links}."));
            }
        }
        match sentences.is_empty() {
            true => String::new(),
            false => format!("\n\n{}", sentences.join("\n")),
        }
    }

    /// The type, and if no operation uses it directly, all types that contain it.
    fn around<'a>(&'a self, name: &'a str) -> BTreeSet<&'a str> {
        let mut around = BTreeSet::from([name]);
        if self.sent_by.contains_key(name) || self.returned_by.contains_key(name) {
            return around;
        }
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            for parent in self.parents.get(name).into_iter().flatten() {
                if around.insert(parent) {
                    open.push(parent);
                }
            }
        }
        around
    }
}

/// The most operations that a doc comment names; dozens use the state of a task run.
const MAX_LISTED_OPERATIONS: usize = 8;

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
