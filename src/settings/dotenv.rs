//! `.env` files, read as python-dotenv reads them. (Other readers replace `$WORD` without braces, which
//! occurs in many passwords.)

use super::file;
use super::layer::Values;
use super::sources::Sources;
use super::value::Raw;
use crate::error::{Error, Result};

/// Reads Prefect's variables from `.env` in the working directory.
pub(super) fn read(sources: &Sources) -> Result<Values> {
    let path = sources.resolve(".env").filter(|path| path.is_file());
    let Some(path) = path else {
        return Ok(Values::new());
    };
    let text = file::read(&path)
        .map_err(|error| Error::configuration(format!("{}: {error}", path.display())))?;
    let variables = parse(&text.unwrap_or_default(), |name| {
        sources.variables().get(name).cloned()
    });
    // If a name occurs in upper and lower case, the last line counts.
    let mut values = Values::new();
    for (name, value) in variables {
        let name = name.to_ascii_uppercase();
        if name.starts_with("PREFECT_") {
            values.insert(name, Raw::Text(value));
        }
    }
    Ok(values)
}

/// Parses the variables of a file, whose values may refer to earlier ones and to the environment.
fn parse(text: &str, environment: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    while !rest.is_empty() {
        let (binding, after) = binding(rest);
        rest = after;
        let Some((name, value)) = binding else {
            continue;
        };
        let value = interpolate(&value, |name| {
            let mut earlier = variables.iter().rev();
            let earlier = earlier.find(|(other, _)| other == name);
            earlier
                .map(|(_, value)| value.clone())
                .or_else(|| environment(name))
        });
        variables.push((name, value));
    }
    variables
}

/// Parses one `NAME=value`, which may span lines if it is quoted, and returns it with the rest of the text.
/// Any other line is skipped.
fn binding(text: &str) -> (Option<(String, String)>, &str) {
    let text = text.trim_start();
    let line_end = text.find(['\n', '\r']).unwrap_or(text.len());
    let next_line = &text[line_end..];
    let line = &text[..line_end];
    if line.starts_with('#') {
        return (None, next_line);
    }
    let start = line
        .strip_prefix("export")
        .filter(|rest| rest.starts_with([' ', '\t']));
    let start = start.map_or(line, str::trim_start);
    let Some((name, _)) = start.split_once('=') else {
        return (None, next_line);
    };
    let value = &text[line.len() - start.len() + name.len() + 1..];
    let name = name.trim();
    let name = match name.strip_prefix('\'') {
        Some(quoted) => quoted.strip_suffix('\'').unwrap_or_default(),
        None => name,
    };
    if name.is_empty() || name.contains([' ', '\t', '#', '\'']) {
        return (None, next_line);
    }
    let blank = value.starts_with([' ', '\t']);
    let value = value.trim_start_matches([' ', '\t']);
    match value.chars().next() {
        Some('#') if blank => (Some((name.to_owned(), String::new())), next_line),
        Some(quote @ ('\'' | '"')) => match quoted(&value[1..], quote) {
            Some((value, rest)) => {
                let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
                let binding = ends_line(rest).then(|| (name.to_owned(), value));
                (binding, &rest[end..])
            }
            None => (None, next_line),
        },
        _ => {
            let end = value.find(['\n', '\r']).unwrap_or(value.len());
            let value = uncommented(&value[..end]).trim_end();
            (Some((name.to_owned(), value.to_owned())), next_line)
        }
    }
}

/// Removes a comment: an unquoted value ends at a `#` that follows white space.
fn uncommented(value: &str) -> &str {
    let comment = value
        .char_indices()
        .find(|(at, c)| *c == '#' && value[..*at].ends_with(char::is_whitespace));
    comment.map_or(value, |(at, _)| &value[..at])
}

/// Whether nothing but a comment follows a quoted value on its line.
fn ends_line(rest: &str) -> bool {
    let rest = rest.trim_start_matches([' ', '\t']);
    rest.is_empty() || rest.starts_with(['\n', '\r', '#'])
}

/// Returns the text up to the closing quote, and the rest after it.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Some((value, &text[at + c.len_utf8()..])),
            '\\' => {
                let (_, escaped) = chars.next()?;
                match unescaped(escaped, quote) {
                    Some(c) => value.push(c),
                    None => value.extend(['\\', escaped]),
                }
            }
            c => value.push(c),
        }
    }
    None
}

fn unescaped(escaped: char, quote: char) -> Option<char> {
    match (quote, escaped) {
        (_, '\\' | '\'') => Some(escaped),
        ('"', '"') => Some('"'),
        ('"', 'a') => Some('\u{7}'),
        ('"', 'b') => Some('\u{8}'),
        ('"', 'f') => Some('\u{c}'),
        ('"', 'n') => Some('\n'),
        ('"', 'r') => Some('\r'),
        ('"', 't') => Some('\t'),
        ('"', 'v') => Some('\u{b}'),
        _ => None,
    }
}

/// Replaces `${NAME}` and `${NAME:-default}`; anything else with a `$` stays as it is.
fn interpolate(value: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let mut result = String::new();
    let mut rest = value;
    while let Some(start) = rest.find("${") {
        let (before, reference) = rest.split_at(start);
        result.push_str(before);
        let inside = reference[2..].split_once('}');
        let parts = inside.map(|(inside, after)| match inside.split_once(':') {
            Some((name, default)) => (name, default.strip_prefix('-'), after),
            None => (inside, Some(""), after),
        });
        match parts {
            Some((name, Some(default), after)) => {
                result.push_str(&variable(name).unwrap_or_else(|| default.to_owned()));
                rest = after;
            }
            _ => {
                result.push_str("${");
                rest = &reference[2..];
            }
        }
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, name: &str) -> Option<String> {
        let environment = |name: &str| (name == "USER").then(|| "joe".to_owned());
        let variables = parse(text, environment).into_iter().rev();
        let mut found = variables.filter(|(other, _)| other == name);
        found.next().map(|(_, value)| value)
    }

    #[test]
    fn values_are_read_as_python_dotenv_reads_them() {
        for (text, value) in [
            ("A=b", "b"),
            ("export A = b  # comment", "b"),
            ("A='it\\'s # not'  # is", "it's # not"),
            ("A=\"two\\nlines\"", "two\nlines"),
            ("A=\"two\nlines\"\nB=1", "two\nlines"),
            ("A=pa$$word#1", "pa$$word#1"),
            ("A=", ""),
            ("'A'=b", "b"),
            ("\r\n\r\nA=b\r\n", "b"),
            ("B=1\nA=${B}-${USER}-${NONE}-${NONE:-x}", "1-joe--x"),
            ("A=one\nA=two", "two"),
            ("A=é=ü", "é=ü"),
            ("A= # put your key here", ""),
            ("A=#x", "#x"),
            ("\u{feff}A=b", "b"),
            ("A='p${a:b}c'", "p${a:b}c"),
            ("A=${", "${"),
        ] {
            assert_eq!(parsed(text, "A").as_deref(), Some(value), "{text:?}");
        }
    }

    #[test]
    fn lines_that_are_none_are_skipped() {
        for text in [
            "A",
            "# A=1",
            "A='open",
            "A='x' y",
            "=1",
            "A B=1",
            "A'=1",
            "A='x\nA=1' y",
        ] {
            assert_eq!(parsed(text, "A"), None, "{text:?}");
            let followed = format!("{text}\nB=2");
            assert_eq!(parsed(&followed, "B").as_deref(), Some("2"), "{followed:?}");
        }
    }
}
