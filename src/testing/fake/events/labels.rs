//! Which resources a specification of labels selects: by SQL for stored events, by Python's `fnmatch` for live ones.

use crate::types::{LabelMatch, Resource, ResourceSpecification};

/// The values of a label that a specification accepts; each is a pattern, negated by a leading `!`.
pub(super) fn values(wanted: &LabelMatch) -> &[String] {
    match wanted {
        LabelMatch::Text(pattern) => std::slice::from_ref(pattern),
        LabelMatch::List(patterns) => patterns,
        LabelMatch::Unknown(_) => &[],
    }
}

/// Whether the labels of a resource of a live event are as specified.
pub(super) fn live(specification: &ResourceSpecification, resource: &Resource) -> bool {
    specification.iter().all(|(label, wanted)| {
        let value = resource.get(label);
        let accepts = |pattern: &String| value.is_some_and(|value| fnmatch(pattern, value));
        values(wanted).iter().any(accepts)
    })
}

/// Whether the labels of a resource of a stored event are as specified. Of these, the database has id and role in columns of their
/// own; `roles` says whether the specification may name the role.
pub(super) fn stored(
    specification: &ResourceSpecification,
    resource: &Resource,
    role: &str,
    roles: bool,
) -> bool {
    specification.iter().all(|(label, wanted)| {
        let patterns = values(wanted);
        let value = match label.as_str() {
            // Without a value, these two are no condition.
            "prefect.resource.id" if is_empty(wanted) => return true,
            "prefect.resource.role" if roles && is_empty(wanted) => return true,
            "prefect.resource.role" if roles => return patterns.iter().any(|one| one == role),
            "prefect.resource.role" => None,
            label => resource.get(label),
        };
        patterns
            .iter()
            .any(|pattern| value.is_some_and(|value| like(pattern, value)))
    })
}

fn is_empty(wanted: &LabelMatch) -> bool {
    matches!(wanted, LabelMatch::Text(text) if text.is_empty()) || values(wanted).is_empty()
}

/// A pattern in SQL: `*` and `?` are wildcards, and the case of ASCII letters is ignored.
fn like(pattern: &str, value: &str) -> bool {
    let (pattern, is_negated) = negation(pattern);
    let pattern = chars(&pattern.to_ascii_lowercase());
    glob(&pattern, &chars(&value.to_ascii_lowercase()), false) != is_negated
}

/// A pattern in Python: also with `[…]` for one of several characters, and with regard to case.
fn fnmatch(pattern: &str, value: &str) -> bool {
    let (pattern, is_negated) = negation(pattern);
    glob(&chars(pattern), &chars(value), true) != is_negated
}

fn negation(pattern: &str) -> (&str, bool) {
    let positive = pattern.strip_prefix('!');
    (positive.unwrap_or(pattern), positive.is_some())
}

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

fn glob(pattern: &[char], text: &[char], has_sets: bool) -> bool {
    match (pattern, text) {
        ([], text) => text.is_empty(),
        (['*', rest @ ..], text) => {
            (0..=text.len()).any(|skipped| glob(rest, &text[skipped..], has_sets))
        }
        (['?', rest @ ..], [_, text @ ..]) => glob(rest, text, has_sets),
        (['[', rest @ ..], [c, text @ ..]) if has_sets => match set(rest) {
            Some((set, rest)) => in_set(set, *c) && glob(rest, text, has_sets),
            None => *c == '[' && glob(rest, text, has_sets),
        },
        ([p, rest @ ..], [c, text @ ..]) => p == c && glob(rest, text, has_sets),
        (_, []) => false,
    }
}

/// The characters up to the `]` that closes a set, and what is behind it. As the first character, `]` closes nothing.
fn set(pattern: &[char]) -> Option<(&[char], &[char])> {
    let first = 1 + usize::from(pattern.first() == Some(&'!'));
    let end = first + pattern.get(first..)?.iter().position(|c| *c == ']')?;
    Some((&pattern[..end], &pattern[end + 1..]))
}

fn in_set(set: &[char], c: char) -> bool {
    let (set, is_negated) = match set {
        ['!', set @ ..] => (set, true),
        set => (set, false),
    };
    let mut rest = set;
    let mut found = false;
    while let Some(first) = rest.first() {
        match rest {
            [low, '-', high, ..] => {
                found |= (*low..=*high).contains(&c);
                rest = &rest[3..];
            }
            _ => {
                found |= *first == c;
                rest = &rest[1..];
            }
        }
    }
    found != is_negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_ignores_case_and_knows_no_sets() {
        assert!(like("PR*d", "prod") && like("pr?d", "Prod") && like("!x", "y"));
        assert!(!like("!prod", "PROD") && !like("[p]rod", "prod") && like("a%_*", "A%_b"));
    }

    #[test]
    fn python_minds_case_and_knows_sets() {
        assert!(
            fnmatch("[p-q]rod", "prod") && fnmatch("[!x]*", "prod") && fnmatch("!PROD", "prod")
        );
        assert!(!fnmatch("PROD", "prod") && fnmatch("[", "[") && fnmatch("[]]", "]"));
    }
}
