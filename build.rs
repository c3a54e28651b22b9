//! Generates the typed client from the OpenAPI document; see `codegen/mod.rs`.

#[path = "codegen/mod.rs"]
mod codegen;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use codegen::document;
use codegen::problem::{Problem, Result};

const VENDORED: &str = "openapi/prefect.yaml";
const OVERLAY: &str = "openapi/overlay.yaml";
const NULLS: &str = "openapi/nulls.yaml";
const RESOURCES: &str = "openapi/resources.yaml";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            println!("cargo::error=the OpenAPI document cannot be turned into a client: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let chosen = std::env::var_os("PREFECT_OPENAPI").filter(|path| !path.is_empty());
    let vendored = chosen.is_none();
    let source = chosen.map_or_else(|| PathBuf::from(VENDORED), PathBuf::from);
    println!("cargo::rerun-if-env-changed=PREFECT_OPENAPI");
    for path in [
        source.as_path(),
        Path::new(OVERLAY),
        Path::new(NULLS),
        Path::new(RESOURCES),
        Path::new("codegen"),
        Path::new("build.rs"),
    ] {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    let lowered = codegen::lower(
        document::read(&source)?,
        &document::read(Path::new(OVERLAY))?,
        &document::read(Path::new(NULLS))?,
    )?;
    for field in &lowered.nulls.unknown {
        println!("cargo::warning=what null does to `{field}` is missing from {NULLS}");
    }
    let table = codegen::resources::Table::read(&document::read(Path::new(RESOURCES))?)?;
    let (unassigned, obsolete) = codegen::resources::unaccounted(&lowered.document, &table)?;
    for operation in unassigned {
        println!("cargo::warning=the operation `{operation}` is missing from {RESOURCES}");
    }
    // Documents of other versions lack some parts that the rules change; only for the vendored document
    // does a rule that matches nothing indicate that it is obsolete.
    if vendored {
        for (rule, _) in lowered.rules.iter().filter(|(_, hits)| *hits == 0) {
            println!(
                "cargo::warning=the rule `{rule}` of codegen/normalise matches nothing any more"
            );
        }
        for operation in obsolete {
            println!(
                "cargo::warning=the operation `{operation}` in {RESOURCES} does not exist any more"
            );
        }
        for field in &lowered.nulls.obsolete {
            println!(
                "cargo::warning=`{field}` of {NULLS} does not exist or cannot be null any more"
            );
        }
        for action in lowered
            .overlay
            .iter()
            .filter(|action| action.hits == 0 && !action.older)
        {
            println!(
                "cargo::warning=the target `{}` of {OVERLAY} matches nothing any more",
                action.target
            );
        }
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    // Each public module includes a file of its own.
    let resources = out.join("resources");
    std::fs::create_dir_all(&resources)
        .map_err(|error| Problem::new(resources.display().to_string(), error.to_string()))?;
    for (file, text) in codegen::write(&lowered.document, &table)? {
        let path = out.join(file);
        std::fs::write(&path, text)
            .map_err(|error| Problem::new(path.display().to_string(), error.to_string()))?;
    }
    Ok(())
}
