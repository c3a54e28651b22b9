//! Doc comments.

/// Text as a `///` comment, indented.
pub fn comment(text: &str, indent: &str) -> String {
    text.lines()
        .map(|line| match line.trim_end() {
            "" => format!("{indent}///\n"),
            line => format!("{indent}/// {line}\n"),
        })
        .collect()
}

/// Lines of source text one level deeper.
pub fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
