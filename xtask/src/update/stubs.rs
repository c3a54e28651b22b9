//! Stubs for what is new: places of operations in `openapi/resources.yaml`, calls of them, and names of inline types.

use std::collections::BTreeMap;

use crate::codegen::document::{Operation, operations};
use crate::codegen::resources::{Table, unaccounted};

/// A method that is written into the table for a new operation.
pub struct Stub {
    pub operation: String,
    pub resource: String,
    pub method: String,
    summary: String,
    /// Whether a call needs no arguments, so that the tests can make it.
    pub needs_nothing: bool,
}

/// A stub for each operation that the table lacks.
pub fn stubs(document: &serde_json::Value, table: &Table) -> Result<Vec<Stub>, String> {
    let all = operations(document);
    let (missing, _) = unaccounted(document, table).map_err(|problem| problem.to_string())?;
    let mut stubs: Vec<Stub> = Vec::new();
    for operation in &all {
        let id = operation.id().map_err(|problem| problem.to_string())?;
        if !missing.iter().any(|name| name == id) {
            continue;
        }
        let resource = resource_of(operation, &all, table);
        let short = id.strip_prefix("read_").unwrap_or(id);
        let is_taken = |name: &str| {
            let mut parts = table
                .resources
                .iter()
                .filter_map(|part| part.under.as_ref());
            if parts.any(|under| under.resource == resource && under.method == name)
                || syn::parse_str::<syn::Ident>(name).is_err()
            {
                return true;
            }
            let methods = table
                .resources
                .iter()
                .filter(|found| found.name == resource);
            let mut methods = methods.flat_map(|found| &found.methods);
            methods.any(|method| method.name == name)
                || stubs
                    .iter()
                    .any(|stub| stub.resource == resource && stub.method == name)
        };
        let method = if is_taken(short) { id } else { short };
        stubs.push(Stub {
            operation: id.to_owned(),
            method: method.to_owned(),
            resource,
            summary: summary(operation),
            needs_nothing: operation.method == "get" && !has_required(operation),
        });
    }
    Ok(stubs)
}

fn has_required(operation: &Operation<'_>) -> bool {
    let parameters = operation.body["parameters"].as_array();
    parameters
        .into_iter()
        .flatten()
        .any(|parameter| parameter["required"] == true)
}

/// The first sentence of the description, or the name of the function in words.
fn summary(operation: &Operation<'_>) -> String {
    let described = operation.body["description"].as_str().unwrap_or_default();
    let line = described.lines().next().unwrap_or_default().trim();
    let sentence = line
        .split(". ")
        .next()
        .unwrap_or_default()
        .trim_end_matches('.');
    let named = operation.id().unwrap_or_default().replace('_', " ");
    let said = if sentence.is_empty() {
        &named
    } else {
        sentence
    };
    format!("{}.", said.replace('"', "'"))
}

/// The resource whose operations begin with the same segment of the path; else the one that shares most words with it.
fn resource_of(operation: &Operation<'_>, all: &[Operation<'_>], table: &Table) -> String {
    fn segment(path: &str) -> &str {
        path.trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or_default()
    }
    let segment_of: BTreeMap<&str, &str> = all
        .iter()
        .filter_map(|other| Some((other.id().ok()?, segment(other.path))))
        .collect();
    let own = segment(operation.path);
    let words: Vec<_> = own.split(['-', '_']).collect();
    // Parts of other resources need arguments.
    let roots = table
        .resources
        .iter()
        .filter(|resource| resource.under.is_none());
    let score = |resource: &crate::codegen::resources::Resource| {
        let methods = resource.methods.iter();
        let same = methods.filter(|method| segment_of.get(method.operation.as_str()) == Some(&own));
        let shared = resource.name.split('_').filter(|word| words.contains(word));
        (same.count(), shared.count())
    };
    let best = roots.max_by_key(|resource| score(resource));
    match best.filter(|resource| score(resource) != (0, 0)) {
        Some(resource) => resource.name.clone(),
        None => "admin".to_owned(),
    }
}

/// Writes the stubs into the text of the table, at the end of the methods of their resources.
pub fn write(text: &str, stubs: &[Stub]) -> Result<String, String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for stub in stubs {
        let missing = || {
            format!(
                "openapi/resources.yaml has no methods of `{}`",
                stub.resource
            )
        };
        let resource = format!("  {}:", stub.resource);
        let start = lines
            .iter()
            .position(|line| *line == resource)
            .ok_or_else(missing)?;
        let methods = lines[start..]
            .iter()
            .position(|line| line == "    methods:");
        let first = start + methods.ok_or_else(missing)? + 1;
        let count = lines[first..]
            .iter()
            .take_while(|line| line.starts_with("      "))
            .count();
        lines.insert(
            first + count,
            format!(
                // JSON's texts are YAML's, too; Rust's are not.
                "      {}: {{ operation: {}, summary: {} }} # review: `cargo xtask update` chose place, name and summary",
                stub.method,
                stub.operation,
                serde_json::Value::from(stub.summary.as_str())
            ),
        );
    }
    Ok(lines.join("\n") + "\n")
}

/// Writes a call of each stub that needs no arguments into the tests.
pub fn write_calls(text: &str, stubs: &[Stub]) -> Result<String, String> {
    const MARK: &str = "    // `cargo xtask update` adds calls above this line.\n";
    let calls: String = stubs
        .iter()
        .filter(|stub| stub.needs_nothing)
        .map(|stub| {
            let Stub { resource, method, operation, .. } = stub;
            format!("    let {operation} = client.{resource}().{method}();\n    tour.step({operation:?}, {operation}).await;\n")
        })
        .collect();
    match text.contains(MARK) {
        true => Ok(text.replacen(MARK, &format!("{calls}{MARK}"), 1)),
        false => Err("tests/all/coverage/unplaced.rs has lost its mark".to_owned()),
    }
}

/// The text of `openapi/names.yaml` with these names, without those that have no type any more.
pub fn write_names(text: &str, new: &BTreeMap<String, String>, obsolete: &[String]) -> String {
    let is_obsolete = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        obsolete.iter().any(|gone| gone == name)
    };
    let (comments, names): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with('#'));
    let mut names: Vec<String> = names
        .into_iter()
        .filter(|line| !is_obsolete(line))
        .map(str::to_owned)
        .collect();
    names.extend(new.iter().map(|(name, at)| format!("{name}: {at}")));
    names.sort();
    comments.join("\n") + "\n" + &names.join("\n") + "\n"
}
