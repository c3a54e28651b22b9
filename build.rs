//! Generates the typed client from the OpenAPI document; see `codegen/mod.rs`.

#[path = "codegen/mod.rs"]
mod codegen;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use codegen::document;
use codegen::problem::{Problem, Result};
use codegen::tables::{NAMES, NULLS, OVERLAY, RESOURCES, SAMPLES, Tables};

const FOLDER: &str = "openapi";
const VENDORED: &str = "openapi/prefect.yaml";
const SOURCE: &str = "openapi/source.yaml";

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
        Path::new(FOLDER),
        Path::new("codegen"),
        Path::new("build.rs"),
    ] {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    if !vendored {
        println!(
            "cargo::warning=PREFECT_OPENAPI is set: the SDK is built from {}, not from its own document",
            source.display()
        );
    }
    println!("cargo::rustc-env=PREFECT_VERSION={}", version()?);
    let folder = Path::new(FOLDER);
    let lowered = codegen::lower(document::read(&source)?, &Tables::read(folder)?)?;
    for parameter in &lowered.dropped {
        println!(
            "cargo::warning=the query parameter `{parameter}` cannot be set: its operation has a body, too (codegen/normalise/parameters.rs)"
        );
    }
    for field in &lowered.nulls.unknown {
        println!("cargo::warning=what null does to `{field}` is missing from openapi/{NULLS}");
    }
    let table = codegen::resources::Table::read(&document::read(&folder.join(RESOURCES))?)?;
    let (unassigned, obsolete) = codegen::resources::unaccounted(&lowered.document, &table)?;
    for operation in unassigned {
        println!("cargo::warning=the operation `{operation}` is missing from openapi/{RESOURCES}");
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
                "cargo::warning=the operation `{operation}` in openapi/{RESOURCES} does not exist any more"
            );
        }
        for (name, at) in &lowered.names.unpinned {
            println!(
                "cargo::warning=the name of the inline type `{name}` is missing from openapi/{NAMES}: {at}"
            );
        }
        for name in &lowered.names.obsolete {
            println!(
                "cargo::warning=the inline type `{name}` of openapi/{NAMES} is not at its place any more"
            );
        }
        for field in &lowered.nulls.obsolete {
            println!(
                "cargo::warning=`{field}` of openapi/{NULLS} does not exist or cannot be null any more"
            );
        }
        for action in lowered
            .overlay
            .iter()
            .filter(|action| action.hits == 0 && !action.older)
        {
            println!(
                "cargo::warning=the target `{}` of openapi/{OVERLAY} matches nothing any more",
                action.target
            );
        }
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    // Each public module includes a file of its own.
    let resources = out.join("resources");
    std::fs::create_dir_all(&resources)
        .map_err(|error| Problem::new(resources.display().to_string(), error.to_string()))?;
    let samples = document::read(&folder.join(SAMPLES))?;
    let names: Vec<String> = samples
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect();
    let mut files = codegen::write(&lowered.document, &table)?;
    files.push((
        "samples.rs".to_owned(),
        codegen::emit::samples(&lowered.document, &names),
    ));
    for (file, text) in files {
        let path = out.join(file);
        std::fs::write(&path, text)
            .map_err(|error| Problem::new(path.display().to_string(), error.to_string()))?;
    }
    Ok(())
}

/// The version of Prefect whose document is vendored.
fn version() -> Result<String> {
    let source = document::read(Path::new(SOURCE))?;
    let version = source.get("prefect").and_then(serde_json::Value::as_str);
    let version = version.ok_or_else(|| Problem::new(SOURCE, "the key `prefect` is missing"))?;
    Ok(version.to_owned())
}
