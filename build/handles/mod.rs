//! The handles: `openapi/handles.yaml` says where each operation lives, the document all else.

mod docs;
mod method;
mod query;
mod signature;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document::{Operation, operations, schemas};
use super::emit::docs::{comment, indent};
use super::problem::{Problem, Result};
pub use table::Table;
use table::{Handle, Method};

/// The source text of all handles. What an older document does not have is left out.
pub fn handles(document: &Value, table: &Table) -> Result<String> {
    let operations = operations(document);
    let by_name: BTreeMap<&str, &Operation<'_>> = operations
        .iter()
        .map(|operation| Ok((operation.id()?, operation)))
        .collect::<Result<_>>()?;
    let mut out = String::new();
    let mut asked = BTreeSet::new();
    for handle in &table.handles {
        let scope = Scope {
            document,
            handle,
            operations: &by_name,
        };
        out.push_str(&scope.structure(table)?);
        out.push_str(&format!("impl<'a> {}<'a> {{\n", handle.ty));
        for (method, operation) in scope.methods() {
            out.push_str(&indent(&method::write(&scope, method, operation)?));
        }
        out.push_str("}\n\n");
        for (method, operation) in scope.methods() {
            out.push_str(&query::write(&scope, method, operation, &mut asked)?);
        }
    }
    Ok(out)
}

/// Operations of the document that the table does not know, and entries that no operation has.
pub fn unaccounted(document: &Value, table: &Table) -> Result<(Vec<String>, Vec<String>)> {
    let there: BTreeSet<String> = operations(document)
        .iter()
        .map(|operation| operation.id().map(str::to_owned))
        .collect::<Result<_>>()?;
    let homes: BTreeSet<String> = table.operations().map(str::to_owned).collect();
    Ok((
        there.difference(&homes).cloned().collect(),
        homes.difference(&there).cloned().collect(),
    ))
}

/// A path parameter that a handle holds for all its methods.
struct Bound<'a> {
    parameter: &'a str,
    field: &'a str,
    ty: &'static str,
}

/// What the writers of one handle need to know.
struct Scope<'a> {
    document: &'a Value,
    handle: &'a Handle,
    operations: &'a BTreeMap<&'a str, &'a Operation<'a>>,
}

impl Scope<'_> {
    /// The methods whose operation this document has.
    fn methods(&self) -> impl Iterator<Item = (&Method, &Operation<'_>)> {
        self.handle.methods.iter().filter_map(|method| {
            let operation = self.operations.get(method.operation.as_str())?;
            Some((method, *operation))
        })
    }

    /// The struct, and the method that gives it.
    fn structure(&self, table: &Table) -> Result<String> {
        let Handle {
            ty, name, about, ..
        } = self.handle;
        let mut text = format!("{about}\n\nSee {}.\n", self.given_by(table)?);
        text.push_str("\n| Method | sends |\n|---|---|\n");
        for (method, operation) in self.methods() {
            text.push_str(&format!(
                "| [`{0}`](Self::{0}) | `{1} {2}` |\n",
                method.name,
                operation.method.to_uppercase(),
                operation.path
            ));
        }
        let mut out = comment(&text, "");
        let bound = self.bound();
        let fields: String = bound
            .iter()
            .map(|Bound { field, ty, .. }| format!("    pub(crate) {field}: {ty},\n"))
            .collect();
        out.push_str(&format!(
            "#[derive(Clone, Copy, Debug)]\npub struct {ty}<'a> {{\n    pub(crate) client: &'a crate::Client,\n{fields}}}\n\n"
        ));
        let about = comment(&format!("{about}\n\nSends nothing."), "    ");
        match &self.handle.under {
            None => out.push_str(&format!(
                "impl crate::Client {{\n{about}    pub fn {name}(&self) -> {ty}<'_> {{\n        {ty} {{ client: self }}\n    }}\n}}\n\n"
            )),
            Some(under) => {
                let parent = &table.handle(&under.handle)?.ty;
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

    /// The link to the method that gives the handle.
    fn given_by(&self, table: &Table) -> Result<String> {
        Ok(match &self.handle.under {
            None => format!("[`Client::{0}`](crate::Client::{0})", self.handle.name),
            Some(under) => {
                let parent = &table.handle(&under.handle)?.ty;
                format!("[`{parent}::{}`]", under.method)
            }
        })
    }

    /// What the handle is bound to.
    fn bound(&self) -> Vec<Bound<'_>> {
        let binds = self.handle.under.iter().flat_map(|under| &under.binds);
        binds
            .map(|(parameter, field)| {
                let mut parameters = self
                    .methods()
                    .flat_map(|(_, operation)| signature::parameters(operation));
                let found = parameters.find(|found| found.name == parameter);
                let is_id = found.is_some_and(|found| found.ty == "Uuid");
                let ty = if is_id { "Uuid" } else { "&'a str" };
                Bound {
                    parameter,
                    field,
                    ty,
                }
            })
            .collect()
    }

    fn schema(&self, name: &str) -> Option<&Value> {
        schemas(self.document).get(name)
    }

    fn problem(&self, says: impl Into<String>) -> Problem {
        Problem::new(format!("openapi/handles.yaml: {}", self.handle.name), says)
    }
}
