//! The resources: `openapi/resources.yaml` assigns each operation to one, and all else is from the document.

mod docs;
mod method;
mod parameters;
mod query;
mod signature;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document::{Operation, operations, schemas};
use super::emit::docs::{comment, indent};
use super::problem::{Problem, Result};
pub use signature::parameters;
use table::Method;
pub use table::{Resource, Table};

/// The source text of each public module with resources. Operations that an older document lacks are left
/// out.
pub fn modules(document: &Value, table: &Table) -> Result<BTreeMap<String, String>> {
    let operations = operations(document);
    let by_name: BTreeMap<&str, &Operation<'_>> = operations
        .iter()
        .map(|operation| Ok((operation.id()?, operation)))
        .collect::<Result<_>>()?;
    let mut modules: BTreeMap<String, String> = BTreeMap::new();
    let mut requests = BTreeSet::new();
    for resource in &table.resources {
        let scope = Scope {
            document,
            resource,
            operations: &by_name,
        };
        let out = modules.entry(resource.module.clone()).or_default();
        out.push_str(&scope.structure(table)?);
        out.push_str(&format!("impl<'a> {}<'a> {{\n", resource.ty));
        for (method, operation) in scope.methods() {
            out.push_str(&indent(&method::write(&scope, method, operation)?));
        }
        out.push_str("}\n\n");
        for (method, operation) in scope.methods() {
            out.push_str(&query::write(&scope, method, operation, &mut requests)?);
        }
    }
    Ok(modules)
}

/// Operations of the document that the table lacks, and operations of the table that the document lacks.
pub fn unaccounted(document: &Value, table: &Table) -> Result<(Vec<String>, Vec<String>)> {
    let there: BTreeSet<String> = operations(document)
        .iter()
        .map(|operation| operation.id().map(str::to_owned))
        .collect::<Result<_>>()?;
    let sources: BTreeSet<String> = table.operations().map(str::to_owned).collect();
    Ok((
        there.difference(&sources).cloned().collect(),
        sources.difference(&there).cloned().collect(),
    ))
}

/// A path parameter that a resource holds for all its methods.
struct Bound<'a> {
    parameter: &'a str,
    field: &'a str,
    ty: &'static str,
}

/// The context in which one resource is written.
struct Scope<'a> {
    document: &'a Value,
    resource: &'a Resource,
    operations: &'a BTreeMap<&'a str, &'a Operation<'a>>,
}

impl Scope<'_> {
    /// The methods whose operation this document has.
    fn methods(&self) -> impl Iterator<Item = (&Method, &Operation<'_>)> {
        self.resource.methods.iter().filter_map(|method| {
            let operation = self.operations.get(method.operation.as_str())?;
            Some((method, *operation))
        })
    }

    /// The struct, and the method that returns it.
    fn structure(&self, table: &Table) -> Result<String> {
        let Resource {
            ty, name, about, ..
        } = self.resource;
        let mut text = format!("{about}\n\nSee {}.\n", self.returned_by(table)?);
        text.push_str("\n| Method | Request |\n|---|---|\n");
        for (method, operation) in self.methods() {
            text.push_str(&format!(
                "| [`{0}`](Self::{0}) | `{1} {2}` |\n",
                method.name,
                operation.method.to_uppercase(),
                operation.path
            ));
        }
        let mut out = comment(&text, "");
        let bound = self.bound()?;
        let fields: String = bound
            .iter()
            .map(|Bound { field, ty, .. }| format!("    pub(crate) {field}: {ty},\n"))
            .collect();
        out.push_str(&format!(
            "#[derive(Clone, Copy, Debug)]\npub struct {ty}<'a> {{\n    pub(crate) client: &'a crate::Client,\n{fields}}}\n\n"
        ));
        let about = comment(&format!("{about}\n\nSends nothing."), "    ");
        match &self.resource.under {
            None => out.push_str(&format!(
                "impl crate::Client {{\n{about}    pub fn {name}(&self) -> {ty}<'_> {{\n        {ty} {{ client: self }}\n    }}\n}}\n\n"
            )),
            Some(under) => {
                let parent = &table.resource(&under.resource)?.ty;
                let method = &under.method;
                let arguments: String = bound
                    .iter()
                    .map(|Bound { field, ty, .. }| format!(", {field}: {ty}"))
                    .collect();
                let names: String = bound.iter().map(|bound| format!(", {}", bound.field)).collect();
                out.push_str(&format!(
                    "impl<'a> {parent}<'a> {{\n{about}    pub fn {method}(self{arguments}) -> {ty}<'a> {{\n        {ty} {{ client: self.client{names} }}\n    }}\n}}\n\n"
                ));
            }
        }
        Ok(out)
    }

    /// The link to the method that returns the resource.
    fn returned_by(&self, table: &Table) -> Result<String> {
        Ok(match &self.resource.under {
            None => format!("[`Client::{0}`](crate::Client::{0})", self.resource.name),
            Some(under) => {
                let parent = &table.resource(&under.resource)?.ty;
                format!("[`{parent}::{}`]", under.method)
            }
        })
    }

    /// The path parameters that the resource holds.
    fn bound(&self) -> Result<Vec<Bound<'_>>> {
        let mut all = Vec::new();
        for (_, operation) in self.methods() {
            all.extend(signature::parameters(operation)?);
        }
        let binds = self.resource.under.iter().flat_map(|under| &under.binds);
        let bound = binds.map(|(parameter, field)| {
            let found = all.iter().find(|found| found.key == parameter);
            let is_id = found.is_some_and(|found| found.ty == "Uuid");
            Bound {
                parameter,
                field,
                ty: if is_id { "Uuid" } else { "&'a str" },
            }
        });
        Ok(bound.collect())
    }

    fn schema(&self, name: &str) -> Option<&Value> {
        schemas(self.document).get(name)
    }

    fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(
            format!("openapi/resources.yaml: {}", self.resource.name),
            message,
        )
    }
}
