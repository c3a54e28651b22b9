//! Whether the version in `Cargo.toml` says what has changed for users since the last release.

use std::path::Path;
use std::process::Command;

use crate::api::{difference, print_difference};
use crate::check::toml_table;
use crate::structure::read;

/// The texts of all that users see.
const TEXTS: [&str; 2] = ["xtask/api.txt", "openapi/surface.txt"];

/// Compares the public API with that of the last tag `v…`, and judges the version. (`cargo xtask check` has made sure that
/// the texts are those of the code.)
pub fn check(root: &Path) -> Result<(), String> {
    let manifest = toml_table(&root.join("Cargo.toml"))?;
    let version = manifest["package"]["version"].as_str().unwrap_or_default();
    if git(root, &["tag", "--list", "v*"])?.trim().is_empty() {
        println!(
            "there is no release yet: {version} is the first (a clone without tags has none, either)"
        );
        return Ok(());
    }
    let tag = git(root, &["describe", "--tags", "--abbrev=0", "--match", "v*"])?;
    let tag = tag.trim();
    let (mut lost, mut added) = (0, 0);
    for file in TEXTS {
        let old = git(root, &["show", &format!("{tag}:{file}")])?;
        let new = read(&root.join(file))?;
        let (gone, new) = difference(&old, &new);
        println!("{file} since {tag}:");
        print_difference(&gone, &new);
        (lost, added) = (lost + gone.len(), added + new.len());
    }
    judge(tag.trim_start_matches('v'), version, lost > 0, added > 0)
}

/// Fails if the new version promises more compatibility than there is.
fn judge(old: &str, new: &str, is_breaking: bool, has_additions: bool) -> Result<(), String> {
    let parts = |version: &str| -> Option<[u64; 3]> {
        let mut parts = version.split('.').map(|part| part.parse().ok());
        Some([parts.next()??, parts.next()??, parts.next()??])
    };
    let (Some(old_parts), Some(new_parts)) = (parts(old), parts(new)) else {
        return Err(format!("{old} or {new} is no version of three numbers"));
    };
    // Before 1.0, the second number is what the first is afterwards.
    let first = usize::from(old_parts[0] == 0);
    let changed = (0..3).find(|part| old_parts[*part] != new_parts[*part]);
    let needed = match (is_breaking, has_additions) {
        (true, _) => first,
        (false, true) => (first + 1).min(2),
        (false, false) => 2,
    };
    match changed {
        Some(changed) if changed <= needed && new_parts > old_parts => Ok(()),
        _ => Err(format!(
            "{new} after {old} does not say what has changed: {}",
            match (is_breaking, has_additions) {
                (true, _) => "something is gone",
                (false, true) => "something is new",
                (false, false) => "a release needs another number",
            }
        )),
    }
}

fn git(root: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(root)
        .output();
    let output = output.map_err(|error| format!("git: {error}"))?;
    match output.status.success() {
        true => String::from_utf8(output.stdout).map_err(|error| error.to_string()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn a_version_must_say_what_has_changed() {
        for (old, new, is_breaking, has_additions, fits) in [
            ("0.1.0", "0.2.0", true, true, true),
            ("0.1.0", "0.1.1", true, false, false),
            ("0.1.0", "0.1.1", false, true, true),
            ("0.1.0", "0.1.0", false, false, false),
            ("1.2.3", "1.3.0", false, true, true),
            ("1.2.3", "1.2.4", false, true, false),
            ("1.2.3", "1.2.4", false, false, true),
            ("1.2.3", "1.3.0", true, false, false),
            ("1.2.3", "2.0.0", true, true, true),
            ("1.2.3", "1.2.2", false, false, false),
        ] {
            let judged = judge(old, new, is_breaking, has_additions);
            assert_eq!(judged.is_ok(), fits, "{old} to {new}: {judged:?}");
        }
    }
}
