//! Everything that CI runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::structure::read;
use crate::{api, licences, links, package, structure};

/// Runs the checks in their order, up to the first that fails.
pub fn check(root: &Path) -> Result<(), String> {
    run(root, "cargo fmt --all --check")?;
    structure::check(root)?;
    let clippy = "cargo clippy --workspace --all-targets --all-features -- -D warnings";
    run(root, clippy)?;
    for features in features(root)? {
        let each =
            format!("cargo clippy --no-default-features --features '{features}' -- -D warnings");
        run(root, &each)?;
    }
    licences::check(root)?;
    api::check(root)?;
    run(
        root,
        "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --all-features",
    )?;
    links::check(root)?;
    package::check(root)?;
    run(root, &readme_test_command(root)?)
}

/// No feature, and each alone.
fn features(root: &Path) -> Result<Vec<String>, String> {
    let manifest = toml_table(&root.join("Cargo.toml"))?;
    let features = manifest["features"].as_table().into_iter().flatten();
    let each = features
        .map(|(name, _)| name.clone())
        .filter(|name| name != "default");
    Ok(std::iter::once(String::new()).chain(each).collect())
}

/// The test command that the README promises.
fn readme_test_command(root: &Path) -> Result<String, String> {
    let readme = read(&root.join("README.md"))?;
    let mut commands = readme.lines().filter(|line| line.starts_with("cargo test"));
    match (commands.next(), commands.next()) {
        (Some(command), None) => Ok(command.to_owned()),
        _ => Err("README.md must name exactly one test command".to_owned()),
    }
}

/// A file in TOML.
pub(crate) fn toml_table(path: &Path) -> Result<toml::Table, String> {
    let table = read(path)?.parse();
    table.map_err(|error| format!("{}: {error}", path.display()))
}

/// The folder that cargo builds into.
pub(crate) fn target(root: &Path) -> Result<PathBuf, String> {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    std::path::absolute(root.join(target)).map_err(|error| error.to_string())
}

pub(crate) fn run(root: &Path, command: &str) -> Result<(), String> {
    println!("+ {command}");
    let status = Command::new("bash")
        .args(["-c", command])
        .current_dir(root)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{command}` failed: {status}")),
        Err(error) => Err(format!("`{command}` cannot be run: {error}")),
    }
}
