//! Placeholders in texts: `{{ name }}`.

use std::ops::Range;

use super::characters;

const BLOCKS: &str = "prefect.blocks.";
const VARIABLES: &str = "prefect.variables.";

/// A placeholder, and where it is in its text, braces included.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placeholder<'a> {
    pub(super) name: &'a str,
    at: Range<usize>,
}

/// What a placeholder stands for.
pub(super) enum Kind {
    /// A job variable, or a path into one.
    Value,
    /// An environment variable of the worker, of this name.
    Environment(String),
    /// A block document, or a path into it: its name without the prefix.
    Block(String),
    /// A variable of this name.
    Variable(String),
}

impl Placeholder<'_> {
    pub(super) fn kind(&self) -> Kind {
        // Python's worker takes the prefix out wherever it is in the name.
        if self.name.starts_with(BLOCKS) {
            Kind::Block(self.name.replace(BLOCKS, ""))
        } else if self.name.starts_with(VARIABLES) {
            Kind::Variable(self.name.replace(VARIABLES, ""))
        } else if self.name.starts_with('$') {
            Kind::Environment(self.name.trim_start_matches('$').to_owned())
        } else {
            Kind::Value
        }
    }
}

/// All placeholders of a text, in order.
pub(super) fn placeholders(text: &str) -> impl Iterator<Item = Placeholder<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let found = next(text, from)?;
        from = found.at.end;
        Some(found)
    })
}

/// The placeholder that a text consists of, if it has nothing else.
pub(super) fn whole(text: &str) -> Option<Placeholder<'_>> {
    next(text, 0).filter(|it| it.at == (0..text.len()))
}

/// Replaces placeholders by texts in one pass, so that what is put in is not read. `None` leaves one as it is.
pub(super) fn replace<E>(
    text: &str,
    mut replacement: impl FnMut(&Placeholder<'_>) -> Result<Option<String>, E>,
) -> Result<String, E> {
    let mut replaced = String::with_capacity(text.len());
    let mut from = 0;
    for placeholder in placeholders(text) {
        if let Some(new) = replacement(&placeholder)? {
            replaced.push_str(&text[from..placeholder.at.start]);
            replaced.push_str(&new);
            from = placeholder.at.end;
        }
    }
    replaced.push_str(&text[from..]);
    Ok(replaced)
}

/// The first placeholder from a position on.
fn next(text: &str, from: usize) -> Option<Placeholder<'_>> {
    let mut from = from;
    loop {
        let start = from + text.get(from..)?.find("{{")?;
        if let Some(found) = at(text, start) {
            return Some(found);
        }
        // The second brace may be the first one of a placeholder: `{{{ x }}}`.
        from = start + 1;
    }
}

/// The placeholder whose braces open at a position.
fn at(text: &str, start: usize) -> Option<Placeholder<'_>> {
    let inner = text.get(start..)?.strip_prefix("{{")?;
    let inner = inner.trim_start_matches(characters::is_space);
    let length = inner.find(|it| !characters::is_in_names(it))?;
    let (name, rest) = inner.split_at(length);
    let rest = rest.trim_start_matches(characters::is_space);
    let rest = rest.strip_prefix("}}")?;
    let at = start..text.len() - rest.len();
    (!name.is_empty()).then_some(Placeholder { name, at })
}
