//! The public API that is written by hand, as a text that is kept in the repository: a reviewer sees what a change does to
//! users. (`openapi/surface.txt` has what is generated.)

use std::path::Path;
use std::process::Command;

/// The text, from the folder of the workspace.
const TEXT: &str = "xtask/api.txt";

/// Modules whose items are in `openapi/surface.txt`.
const GENERATED: [&str; 2] = ["prefect_sdk::types::", "prefect_sdk::raw::"];

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
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let json = root.join(target).join("doc/prefect_sdk.json");
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .map_err(|error| format!("rustdoc's JSON cannot be read: {error}"))?;
    let items = api.items().map(ToString::to_string);
    let mut items: Vec<_> = items
        .filter(|item| !GENERATED.iter().any(|module| is_inside(item, module)))
        .collect();
    items.sort();
    items.dedup();
    Ok(items.join("\n") + "\n")
}

/// Whether an item is one of a module: the first path of the line names it.
fn is_inside(item: &str, module: &str) -> bool {
    let path = item
        .split_whitespace()
        .find(|word| word.contains("prefect_sdk"));
    path.is_some_and(|path| path.starts_with(module))
        || item.starts_with("impl")
            && item
                .rsplit(" for ")
                .next()
                .is_some_and(|ty| ty.starts_with(module))
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
    use super::{difference, is_inside};

    #[test]
    fn what_is_gone_and_what_is_new_are_told_apart() {
        assert_eq!(difference("a\nb\n", "b\nc\n"), (vec!["a"], vec!["c"]));
    }

    #[test]
    fn items_of_generated_modules_are_left_out() {
        let module = "prefect_sdk::types::";
        assert!(is_inside(
            "pub prefect_sdk::types::Flow::id: uuid::Uuid",
            module
        ));
        assert!(is_inside(
            "impl core::clone::Clone for prefect_sdk::types::Flow",
            module
        ));
        assert!(!is_inside(
            "pub fn prefect_sdk::flows::Flows<'a>::get(self) -> prefect_sdk::types::Flow",
            module
        ));
    }
}
