//! Generates the typed client from the OpenAPI document; see `build/mod.rs`.

#[path = "build/mod.rs"]
mod pipeline;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pipeline::document;
use pipeline::problem::{Problem, Result};

const VENDORED: &str = "openapi/prefect.yaml";
const OVERLAY: &str = "openapi/overlay.yaml";
const HANDLES: &str = "openapi/handles.yaml";

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
        Path::new(HANDLES),
        Path::new("build"),
        Path::new("build.rs"),
    ] {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    let lowered = pipeline::lower(
        document::read(&source)?,
        &document::read(Path::new(OVERLAY))?,
    )?;
    let table = pipeline::handles::Table::read(&document::read(Path::new(HANDLES))?)?;
    let (homeless, stale) = pipeline::handles::unaccounted(&lowered.document, &table)?;
    for operation in homeless {
        println!("cargo::warning=the operation `{operation}` has no place in {HANDLES}");
    }
    // Other versions lack some of what the rules are about; only for the vendored one is a rule
    // that matches nothing a sign that it went stale.
    if vendored {
        for (rule, _) in lowered.rules.iter().filter(|(_, hits)| *hits == 0) {
            println!(
                "cargo::warning=the rule `{rule}` of build/normalise matches nothing any more"
            );
        }
        for operation in stale {
            println!(
                "cargo::warning=no operation `{operation}`, as {HANDLES} has it, exists any more"
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
    for (file, text) in pipeline::write(&lowered.document, &table)? {
        let path = out.join(file);
        std::fs::write(&path, text)
            .map_err(|error| Problem::new(path.display().to_string(), error.to_string()))?;
    }
    Ok(())
}
