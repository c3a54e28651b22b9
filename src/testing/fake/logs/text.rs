//! The search for lines by text: `error "timed out" -debug +required`.

/// Whether a text fulfils a query: it has one of the words, none of those with `-` or `!`, and all of those with `+`. Case is ignored.
pub(super) fn fulfils(query: &str, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let words = words(query);
    let has = |word: &Word| text.contains(&word.text.to_lowercase());
    let of = |kind: Kind| words.iter().filter(move |word| word.kind == kind);
    (of(Kind::Any).next().is_none() || of(Kind::Any).any(has))
        && !of(Kind::Excluded).any(has)
        && of(Kind::Required).all(has)
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Any,
    Excluded,
    Required,
}

struct Word {
    kind: Kind,
    text: String,
}

/// The words of a query. A phrase in quotes is one word; in it, a backslash goes before a quote or a backslash that is meant as such.
fn words(query: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = query.trim_start();
    while let Some(first) = rest.chars().next() {
        let kind = match first {
            '-' | '!' => Kind::Excluded,
            '+' => Kind::Required,
            _ => Kind::Any,
        };
        if kind != Kind::Any {
            rest = &rest[1..];
            if rest.is_empty() || rest.starts_with(char::is_whitespace) {
                // On its own, it means nothing.
                rest = rest.trim_start();
                continue;
            }
        }
        let text = match rest.strip_prefix('"') {
            Some(phrase) => {
                let (text, behind) = phrase_of(phrase);
                rest = behind;
                text
            }
            None => {
                let end = rest
                    .find(|c: char| c.is_whitespace() || c == '"')
                    .unwrap_or(rest.len());
                let (text, behind) = rest.split_at(end);
                rest = behind;
                text.to_owned()
            }
        };
        if !text.trim().is_empty() {
            words.push(Word { kind, text });
        }
        rest = rest.trim_start();
    }
    words
}

/// The phrase up to its closing quote, or to the end, and what is behind it.
fn phrase_of(text: &str) -> (String, &str) {
    let mut phrase = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (phrase, &text[at + 1..]),
            '\\' => match chars.next() {
                Some((_, escaped @ ('"' | '\\'))) => phrase.push(escaped),
                Some((_, other)) => phrase.extend(['\\', other]),
                None => phrase.push('\\'),
            },
            c => phrase.push(c),
        }
    }
    (phrase, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_alternatives_unless_they_have_a_sign() {
        let text = "Connection TIMED out";
        assert!(fulfils("error timed", text) && fulfils("\"timed out\" -refused", text));
        assert!(!fulfils("timed !connection", text) && !fulfils("+timed +refused", text));
        assert!(
            fulfils(" - ! + ", text)
                && fulfils("\"timed o", text)
                && !fulfils(r#""\"timed""#, text)
        );
    }
}
