//! The links of README.md: they must work on GitHub, on the crate's page and in rustdoc, so they are absolute.

use std::path::Path;

use crate::structure::read;

/// Where the documentation is published.
const DOCS: &str = "https://docs.rs/prefect-sdk/latest/";

/// Where the files of the repository are published.
const FILES: &str = "https://github.com/prefect-sdk/prefect-sdk/";

/// Checks each link of README.md against the documentation in `target/doc` and the files of the repository.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let readme = read(&root.join("README.md"))?;
    let (mut links, mut broken) = (0, Vec::new());
    for target in targets(&readme) {
        links += 1;
        if let Some(page) = target.strip_prefix(DOCS) {
            let (page, anchor) = page.split_once('#').unwrap_or((page, ""));
            let text = read(&root.join("target/doc").join(page)).unwrap_or_default();
            if text.is_empty() || !text.contains(&format!("id=\"{anchor}\"")) && !anchor.is_empty()
            {
                broken.push(target);
            }
        } else if let Some(file) = target.strip_prefix(FILES) {
            let mut parts = file.splitn(3, '/');
            if !parts.nth(2).is_some_and(|file| root.join(file).exists()) {
                broken.push(target);
            }
        } else if !target.starts_with("https://") {
            broken.push(target);
        }
    }
    match broken.is_empty() {
        true => {
            println!("links: {links} of README.md");
            Ok(())
        }
        false => Err(format!("broken links in README.md:\n{}", broken.join("\n"))),
    }
}

/// The targets of inline links and of link definitions.
fn targets(text: &str) -> Vec<&str> {
    let inline = text.split("](").skip(1);
    let inline = inline.filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    let lines = text.lines().filter(|line| line.starts_with('['));
    let defined = lines.filter_map(|line| line.split_once("]: ").map(|(_, target)| target));
    inline.chain(defined).collect()
}
