//! Descriptions as Markdown that rustdoc reads without a warning and without a doctest by accident.

use serde_json::{Value, json};

use crate::codegen::document::{for_each_operation, for_each_schema};
use crate::codegen::problem::Result;

/// Dedents, fences indented code, wraps bare links and escapes what rustdoc would take for a link
/// or for HTML.
pub fn tidy_descriptions(document: &mut Value) -> Result<usize> {
    let mut hits = 0;
    let mut tidy_in = |map: &mut serde_json::Map<String, Value>| {
        for key in ["description", "summary"] {
            if let Some(text) = map.get(key).and_then(Value::as_str) {
                let tidied = tidy(text);
                if tidied != text {
                    hits += 1;
                    map.insert(key.to_owned(), json!(tidied));
                }
            }
        }
    };
    for_each_schema(document, |_, schema| {
        // A property may be called `description`: only text is prose.
        schema.as_object_mut().into_iter().for_each(&mut tidy_in);
        Ok(())
    })?;
    for_each_operation(document, |_, _, _, operation| {
        tidy_in(operation);
        Ok(())
    })?;
    Ok(hits)
}

/// Tidies one description.
pub fn tidy(text: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut fenced_upstream = false;
    let mut fence = false;
    for line in dedent(text) {
        if line.trim_start().starts_with("```") {
            fenced_upstream = !fenced_upstream;
            out.push(if fenced_upstream {
                "```text".to_owned()
            } else {
                "```".to_owned()
            });
            continue;
        }
        if fenced_upstream {
            out.push(line);
            continue;
        }
        // Markdown: four spaces after an empty line are code, which rustdoc would compile.
        let code = line.starts_with("    ")
            && (fence || out.last().is_none_or(|last| last.trim().is_empty()));
        if code && !fence {
            out.push("```text".to_owned());
        } else if fence && !code && !line.trim().is_empty() {
            out.push("```".to_owned());
        }
        fence = code || (fence && line.trim().is_empty());
        out.push(if fence { line } else { escape(line.trim_end()) });
    }
    if fence || fenced_upstream {
        out.push("```".to_owned());
    }
    out.join("\n").trim().to_owned()
}

/// Python's `inspect.cleandoc`: the first line has no indentation, the others share one.
fn dedent(text: &str) -> Vec<String> {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().trim_start().to_owned();
    let rest: Vec<&str> = lines.collect();
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let common = rest
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(indent)
        .min()
        .unwrap_or(0);
    let dedented = rest
        .iter()
        .map(|line| line.get(common..).unwrap_or_default().to_owned());
    std::iter::once(first).chain(dedented).collect()
}

fn escape(line: &str) -> String {
    // Inside backticks nothing is special.
    let parts = line.split('`').enumerate().map(|(i, part)| match i % 2 {
        0 => escape_prose(part),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("`")
}

fn escape_prose(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.find("http") {
        Some(start) if is_url(&word[start..]) => {
            let (before, url) = word.split_at(start);
            let end = url.trim_end_matches(['.', ',', ')', ';', ':']).len();
            format!("{before}<{}>{}", &url[..end], &url[end..])
        }
        _ => word
            .replace('<', "\\<")
            .replace('[', "\\[")
            .replace(']', "\\]"),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn is_url(word: &str) -> bool {
    word.starts_with("http://") || word.starts_with("https://")
}
