//! Licences and origins of all dependencies, by the rules of `deny.toml`.
//!
//! `cargo deny check` judges the same, and advisories, which need a database from the network.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, ParseMode};

use crate::check::toml_table;

/// Fails for a dependency whose licence `deny.toml` does not allow, that does not come from a registry, or that a member of
/// the workspace has in any version.
pub fn check(root: &Path) -> Result<(), String> {
    let rules = toml_table(&root.join("deny.toml"))?;
    let allowed: Vec<&str> = rules["licenses"]["allow"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(toml::Value::as_str)
        .collect();
    let packages = packages(root)?;
    let mut problems = Vec::new();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in &packages {
        let text = |key: &str| package[key].as_str();
        let name = text("name").unwrap_or_default();
        versions
            .entry(name)
            .or_default()
            .push(text("version").unwrap_or_default());
        match text("source") {
            None => problems.extend(wildcards(name, package)),
            Some(source) if !source.starts_with("registry+") => {
                problems.push(format!("{name} comes from {source}, which is no registry"));
            }
            Some(_) => problems.extend(licence(name, text("license"), &allowed)),
        }
    }
    let several = versions
        .values()
        .filter(|versions| versions.len() > 1)
        .count();
    println!(
        "licences: {} packages, {several} of them in several versions",
        versions.len()
    );
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems.join("\n")),
    }
}

fn packages(root: &Path) -> Result<Vec<Value>, String> {
    let mut metadata = Command::new("cargo");
    metadata.args([
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--all-features",
    ]);
    let output = metadata
        .current_dir(root)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let mut metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    match metadata["packages"].take() {
        Value::Array(packages) => Ok(packages),
        _ => Err("`cargo metadata` lists no packages".to_owned()),
    }
}

/// The problem of a licence.
fn licence(name: &str, licence: Option<&str>, allowed: &[&str]) -> Option<String> {
    let Some(licence) = licence else {
        return Some(format!("{name} names no licence"));
    };
    match Expression::parse_mode(licence, ParseMode::LAX) {
        Ok(parsed) => {
            let is_allowed =
                |required: &spdx::LicenseReq| allowed.contains(&&*required.to_string());
            let fits = parsed.evaluate(is_allowed);
            (!fits).then(|| {
                format!("{name} has the licence {licence}, which deny.toml does not allow")
            })
        }
        Err(error) => Some(format!(
            "{name}: the licence {licence:?} cannot be read: {error}"
        )),
    }
}

/// Dependencies of a member of the workspace in any version, unless they are members, too.
fn wildcards(name: &str, package: &Value) -> Vec<String> {
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    dependencies
        .filter(|dependency| dependency["req"] == "*" && dependency["path"].is_null())
        .map(|dependency| format!("{name} has {} in any version", dependency["name"]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::licence;

    #[test]
    fn a_licence_must_be_allowed_as_a_whole() {
        let allowed = ["MIT", "Apache-2.0 WITH LLVM-exception"];
        for fits in [
            "MIT",
            "MIT OR GPL-3.0",
            "MIT/Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert_eq!(licence("a", Some(fits), &allowed), None, "{fits}");
        }
        for wrong in [
            Some("GPL-3.0"),
            Some("MIT AND GPL-3.0"),
            Some("what?"),
            None,
        ] {
            assert!(licence("a", wrong, &allowed).is_some(), "{wrong:?}");
        }
    }
}
