//! The package as docs.rs and users get it: complete, and built without changing its sources.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::check::{run, target};
use crate::update::sha256;

/// Packs the crate, unpacks it elsewhere, and documents it there with all features, as docs.rs does: without the network, and
/// without writing beside the sources.
pub fn check(root: &Path) -> Result<(), String> {
    let target = target(root)?;
    // Of another version, one would be left.
    let old = format!(
        "rm -f '{}'/prefect-sdk-*.crate",
        target.join("package").display()
    );
    run(root, &old)?;
    run(root, "cargo package --allow-dirty --no-verify --quiet")?;
    let folder = target.join("package/unpacked");
    let shown = folder.display();
    run(
        root,
        &format!(
            "rm -rf '{shown}' && mkdir -p '{shown}' && tar -xzf '{}'/prefect-sdk-*.crate -C '{shown}' --strip-components 1",
            target.join("package").display()
        ),
    )?;
    // docs.rs has a nightly toolchain. The package is a workspace of its own, though it lies in the folder of another.
    let manifest = folder.join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest).map_err(|error| error.to_string())?;
    std::fs::write(&manifest, text + "\n[workspace]\n").map_err(|error| error.to_string())?;
    let before = files(&folder)?;
    run(
        &folder,
        &format!(
            "RUSTC_BOOTSTRAP=1 DOCS_RS=1 RUSTDOCFLAGS='--cfg docsrs -D warnings' cargo doc --quiet --offline --no-deps --all-features --target-dir '{}'",
            target.display()
        ),
    )?;
    // docs.rs gives no permission to write there, and the tests of a root user may not notice.
    match before == files(&folder)? {
        true => Ok(()),
        false => Err("the build of the package changes its own sources".to_owned()),
    }
}

/// All files of a folder with the sums of their contents.
fn files(folder: &Path) -> Result<BTreeMap<PathBuf, String>, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| error.to_string())?;
        for entry in entries {
            let path = entry.map_err(|error| error.to_string())?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let bytes = std::fs::read(&path).map_err(|error| error.to_string())?;
                found.insert(path, sha256(&bytes));
            }
        }
    }
    Ok(found)
}
