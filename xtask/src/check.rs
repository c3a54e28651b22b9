//! Everything that CI runs.

use std::path::Path;
use std::process::Command;

use crate::{links, structure};

/// Runs the checks in their order, up to the first that fails.
pub fn check(root: &Path) -> Result<(), String> {
    run(root, "cargo fmt --all --check")?;
    structure::check(root)?;
    let clippy = "cargo clippy --workspace --all-targets --all-features -- -D warnings";
    run(root, clippy)?;
    run(root, "cargo clippy --no-default-features -- -D warnings")?;
    run(
        root,
        "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --all-features",
    )?;
    links::check(root)?;
    run(root, &readme_test_command(root)?)
}

/// The test command that the README promises.
fn readme_test_command(root: &Path) -> Result<String, String> {
    let readme = std::fs::read_to_string(root.join("README.md"));
    let readme = readme.map_err(|error| format!("README.md: {error}"))?;
    let mut commands = readme.lines().filter(|line| line.starts_with("cargo test"));
    match (commands.next(), commands.next()) {
        (Some(command), None) => Ok(command.to_owned()),
        _ => Err("README.md must name exactly one test command".to_owned()),
    }
}

fn run(root: &Path, command: &str) -> Result<(), String> {
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
