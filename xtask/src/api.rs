//! The public API that is written by hand, as a text that is kept in the repository: a reviewer sees what a change does to
//! users. (`openapi/surface.txt` has what is generated.)

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use crate::check::target;
use crate::codegen::emit::ident;
use crate::structure::read;

/// The text, from the folder of the workspace.
const TEXT: &str = "xtask/api.txt";

/// The text of what is generated.
const SURFACE: &str = "openapi/surface.txt";

/// Fails if the public API is another than the text says.
pub fn check(root: &Path) -> Result<(), String> {
    let (now, reviewed) = (current(root)?, reviewed(root)?);
    let (lost, added) = difference(&reviewed, &now);
    if lost.is_empty() && added.is_empty() {
        println!("public API: {} items as reviewed", now.lines().count());
        return Ok(());
    }
    print_difference(&lost, &added);
    Err(format!(
        "{TEXT} is another: review the change, then run `cargo xtask api`"
    ))
}

/// Writes the text, and says what has changed.
pub fn update(root: &Path) -> Result<(), String> {
    let (now, reviewed) = (current(root)?, reviewed(root)?);
    let (lost, added) = difference(&reviewed, &now);
    print_difference(&lost, &added);
    std::fs::write(root.join(TEXT), now).map_err(|error| format!("{TEXT}: {error}"))
}

fn reviewed(root: &Path) -> Result<String, String> {
    match std::fs::read_to_string(root.join(TEXT)) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(format!("{TEXT}: {error}")),
    }
}

/// The public API, an item a line. rustdoc's JSON is not stable, so that each toolchain has its own form of it.
fn current(root: &Path) -> Result<String, String> {
    let mut rustdoc = Command::new("cargo");
    rustdoc.args(["rustdoc", "--quiet", "--lib", "--all-features", "--"]);
    rustdoc.args([
        "-Z",
        "unstable-options",
        "--output-format",
        "json",
        "--cap-lints",
        "allow",
    ]);
    let status = rustdoc
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(root)
        .status();
    if !status.is_ok_and(|status| status.success()) {
        return Err("rustdoc cannot write the public API".to_owned());
    }
    let json = target(root)?.join("doc/prefect_sdk.json");
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .map_err(|error| format!("rustdoc's JSON cannot be read: {error}"))?;
    let generated = Generated::read(&read(&root.join(SURFACE))?);
    let items = api.items().map(ToString::to_string);
    let mut items: Vec<_> = items.filter(|item| !generated.has(item)).collect();
    items.sort();
    items.dedup();
    Ok(items.join("\n") + "\n")
}

/// What `openapi/surface.txt` has.
struct Generated {
    types: HashSet<String>,
    /// `Type::field`, whose setter has the name of the field.
    fields: HashSet<String>,
}

impl Generated {
    fn read(surface: &str) -> Self {
        let (mut types, mut fields) = (HashSet::new(), HashSet::new());
        for line in surface.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            match words.as_slice() {
                ["struct" | "enum" | "union" | "type", name, ..] => {
                    types.insert((*name).to_owned());
                }
                [field, ..] => {
                    if let Some((name, key)) = field.trim_end_matches(':').split_once('.') {
                        fields.insert(format!("{name}::{}", ident(key)));
                    }
                }
                [] => {}
            }
        }
        Self { types, fields }
    }

    /// Whether an item of the public API is a part of the surface: an operation, a generated type, its fields, values,
    /// setters, and the traits that all of them have.
    fn has(&self, item: &str) -> bool {
        let is_of_the_kit = |module: &str| {
            item.contains(&format!("prefect_sdk::testing::{module}::"))
                && !item.starts_with("pub mod")
        };
        if item.contains("fn prefect_sdk::raw::Client::")
            || is_of_the_kit("op")
            || is_of_the_kit("samples")
        {
            return true;
        }
        if let Some(implemented) = item.strip_prefix("impl") {
            let ty = implemented
                .rsplit(" for prefect_sdk::types::")
                .next()
                .unwrap_or_default();
            let is_conversion =
                implemented.contains("::From<") || implemented.contains("::TryFrom<");
            return self.types.contains(ty) && !is_conversion;
        }
        let Some((before, path)) = item.split_once("prefect_sdk::types::") else {
            return false;
        };
        let mut names = path.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        let path = names.next().unwrap_or_default().trim_end_matches(':');
        let (ty, part) = path.split_once("::").unwrap_or((path, ""));
        match before.contains("fn ") {
            // A signature of something else may name a type.
            _ if before.contains('(') => false,
            true => {
                let common = [
                    "new",
                    "as_str",
                    "from_str",
                    "eq",
                    "default",
                    "serialize",
                    "deserialize",
                    "fmt",
                ];
                self.types.contains(ty) && (common.contains(&part) || self.fields.contains(path))
            }
            false => self.types.contains(ty),
        }
    }
}

/// The lines that are gone, and those that are new.
pub(crate) fn difference<'a>(old: &'a str, new: &'a str) -> (Vec<&'a str>, Vec<&'a str>) {
    let only = |one: &'a str, other: &str| {
        let other: std::collections::HashSet<_> = other.lines().collect();
        one.lines().filter(|line| !other.contains(line)).collect()
    };
    (only(old, new), only(new, old))
}

pub(crate) fn print_difference(lost: &[&str], added: &[&str]) {
    for line in lost {
        println!("- {line}");
    }
    for line in added {
        println!("+ {line}");
    }
    match (lost.len(), added.len()) {
        (0, 0) => println!("the public API is the same"),
        (0, added) => println!("{added} items are new: a minor version (a patch before 1.0)"),
        (lost, added) => println!(
            "{lost} items are gone or changed, {added} are new: a major version (a minor one before 1.0)"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{Generated, difference};

    #[test]
    fn what_is_gone_and_what_is_new_are_told_apart() {
        assert_eq!(difference("a\nb\n", "b\nc\n"), (vec!["a"], vec!["c"]));
    }

    #[test]
    fn what_is_generated_is_left_out_and_what_is_written_by_hand_stays() {
        let generated = Generated::read(
            "struct Flow (read)\nFlow.type: required String\nenum StateType (open)\n",
        );
        for item in [
            "pub prefect_sdk::types::Flow::id: uuid::Uuid",
            "pub fn prefect_sdk::types::Flow::type_(self, impl Into<String>) -> Self",
            "pub prefect_sdk::types::StateType::Running",
            "impl core::fmt::Debug for prefect_sdk::types::Flow",
            "pub async fn prefect_sdk::raw::Client::read_flow(&self) -> prefect_sdk::Result<()>",
            "pub prefect_sdk::testing::op::ReadFlow::id: uuid::Uuid",
        ] {
            assert!(generated.has(item), "{item}");
        }
        for item in [
            "pub fn prefect_sdk::types::StateType::is_terminal(&self) -> bool",
            "pub fn prefect_sdk::types::Field<T>::map<U>(self) -> core::option::Option<U>",
            "pub fn prefect_sdk::flows::Flows<'a>::get(self) -> prefect_sdk::types::Flow",
            "impl core::convert::From<prefect_sdk::artifacts::Artifact> for prefect_sdk::types::Flow",
            "pub struct prefect_sdk::raw::Response<T>",
        ] {
            assert!(!generated.has(item), "{item}");
        }
    }
}
