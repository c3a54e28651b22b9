//! The rules of the source tree that a compiler does not know.

use std::path::{Path, PathBuf};

use crate::imports;
use crate::modules::Modules;

/// How long a file may be: it holds one concept.
const MAX_LINES: usize = 400;

/// How many entries `src/` may have: a reader takes it in at a glance.
const MAX_ENTRIES: usize = 17;

/// How many names, beside modules, the root of the crate may export.
const MAX_ROOT_NAMES: usize = 20;

/// Checks all rules, and reports everything that breaks one.
pub fn check(root: &Path) -> Result<(), String> {
    let mut broken = Vec::new();
    for folder in ["src", "codegen", "tests", "benches", "examples", "xtask"] {
        for file in rust_files(&root.join(folder))? {
            let lines = read(&file)?.lines().count();
            if lines > MAX_LINES {
                let file = file.strip_prefix(root).unwrap_or(&file);
                broken.push(format!("{} has {lines} lines", file.display()));
            }
        }
    }
    let src = root.join("src");
    let entries = std::fs::read_dir(&src).map_err(|error| format!("src: {error}"))?;
    let entries = entries.count();
    if entries > MAX_ENTRIES {
        broken.push(format!("src/ has {entries} entries"));
    }
    let modules = Modules::read(&src)?;
    let names = modules.root_names();
    if names > MAX_ROOT_NAMES {
        broken.push(format!("the root of the crate exports {names} names"));
    }
    for circle in imports::circles(&modules) {
        broken.push(format!("circle of imports: {}", circle.join(", ")));
    }
    match broken.is_empty() {
        true => {
            println!(
                "structure: {} modules without a circle, {entries} entries in src/, {names} names at the root",
                modules.len()
            );
            Ok(())
        }
        false => Err(broken.join("\n")),
    }
}

/// The Rust files of a folder and its folders, in order.
pub(crate) fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut files = Vec::new();
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            files.extend(rust_files(&entry)?);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
    Ok(files)
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
