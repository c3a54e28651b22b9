//! `Problem`: what does not conform to a schema, and which of several problems a message is about.

use std::cmp::Ordering;

use super::tree::Quoted;

/// A step of the way to a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Index(usize),
    Key(String),
}

/// What does not conform to a schema.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    /// The way to the value, from the one that the schema is for which the problem was found.
    pub path: Vec<Step>,
    pub keyword: &'static str,
    pub message: String,
    /// Whether the value is at least of the type that the schema of the keyword names.
    pub matches_type: bool,
    /// The problems with each of the alternatives.
    pub context: Vec<Problem>,
}

impl Problem {
    /// How relevant jsonschema holds the problem to be: it prefers what is not deep, later siblings, and what is no alternative.
    fn relevance(&self, other: &Problem) -> Ordering {
        let is_weak = |problem: &Problem| matches!(problem.keyword, "anyOf" | "oneOf");
        (other.path.len().cmp(&self.path.len()))
            .then_with(|| self.path.cmp(&other.path))
            .then_with(|| is_weak(other).cmp(&is_weak(self)))
            .then_with(|| other.matches_type.cmp(&self.matches_type))
    }
}

/// The message of Prefect about the most relevant of the problems, if there are any.
pub(super) fn describe(problems: Vec<Problem>) -> Option<String> {
    let mut best: Option<Problem> = None;
    for problem in problems {
        let is_better = best
            .as_ref()
            .is_none_or(|best| problem.relevance(best) == Ordering::Greater);
        if is_better {
            best = Some(problem);
        }
    }
    let mut best = best?;
    let mut path = std::mem::take(&mut best.path);
    // Of alternatives the deepest problem is meant, unless the two deepest are as deep.
    while !best.context.is_empty() {
        let mut context = std::mem::take(&mut best.context);
        context.sort_by(Problem::relevance);
        if let [first, second, ..] = &*context
            && first.relevance(second) == Ordering::Equal
        {
            break;
        }
        best = context.swap_remove(0);
        path.append(&mut best.path);
    }
    let place = match &*path {
        [] => String::new(),
        path => format!(" for field {}", Quoted(&json_path(path))),
    };
    Some(format!(
        "Validation failed{place}. Failure reason: {}",
        best.message
    ))
}

/// The path as jsonschema writes it, without the `$.` at its start.
fn json_path(path: &[Step]) -> String {
    let mut text = "$".to_owned();
    for step in path {
        match step {
            Step::Index(index) => text += &format!("[{index}]"),
            Step::Key(key) if is_plain(key) => text += &format!(".{key}"),
            Step::Key(key) => {
                let escaped = key.replace('\\', "\\\\").replace('\'', "\\'");
                text += &format!("['{escaped}']");
            }
        }
    }
    text.replace("$.", "")
}

fn is_plain(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
