//! Whether values conform to a schema, in Prefect's ways of asking.

use super::super::super::reply::Refusal;
use super::check::{Checker, Stop};
use super::meta;
use super::preprocess::{preprocess, remove_required};
use super::problem::{Problem, describe};
use super::tree::Tree;

/// How values are validated.
#[derive(Clone, Copy, Default)]
pub(crate) struct How {
    /// Whether the schema is mended first, as one of pydantic 1.
    pub preprocess: bool,
    /// Whether values may lack what is required.
    pub ignore_required: bool,
    /// Whether null is allowed for what has a default.
    pub none_with_default: bool,
}

/// What comes of a validation.
#[derive(Debug)]
pub(crate) enum Conformity {
    Conforms,
    /// The values do not conform; the message is Prefect's.
    Violated(String),
    /// The schema is none.
    BadSchema,
    /// The schema refers to itself without end.
    Circular,
}

/// Validates values.
pub(crate) fn conform(values: &Tree, schema: &Tree, how: How) -> Result<Conformity, Refusal> {
    let schema = prepared(schema, how)?;
    if meta::check(&schema).is_err() {
        return Ok(Conformity::BadSchema);
    }
    match problems(values, &schema, false)? {
        None => Ok(Conformity::Circular),
        Some(problems) => Ok(describe(problems).map_or(Conformity::Conforms, Conformity::Violated)),
    }
}

/// The message of jsonschema about the first problem; a schema that is none is not checked here.
pub(crate) fn first_problem(
    values: &Tree,
    schema: &Tree,
    how: How,
) -> Result<Option<String>, Refusal> {
    let schema = prepared(schema, how)?;
    if meta::check(&schema).is_err() {
        return Err(Refusal::unsupported("a schema that is none"));
    }
    let problems = problems(values, &schema, true)?;
    let problems = problems.ok_or_else(|| Refusal::unsupported("a circular schema"))?;
    let first = problems.into_iter().next();
    Ok(first.map(|problem| problem.message))
}

/// Whether this is a schema; else what jsonschema says, as far as the fake knows.
pub(crate) fn is_schema(schema: &Tree) -> Result<(), Option<String>> {
    meta::check(schema).map_err(|bad| bad.why)
}

fn prepared(schema: &Tree, how: How) -> Result<Tree, Refusal> {
    let mut schema = schema.clone();
    if how.preprocess {
        preprocess(&mut schema, how.none_with_default)?;
    }
    if how.ignore_required {
        remove_required(&mut schema);
    }
    Ok(schema)
}

/// All problems, in jsonschema's order; `None` if the schema refers to itself without end.
fn problems(
    values: &Tree,
    schema: &Tree,
    with_formats: bool,
) -> Result<Option<Vec<Problem>>, Refusal> {
    match Checker::new(schema, with_formats).problems(values) {
        Ok(problems) => Ok(Some(problems)),
        Err(Stop::Circular) => Ok(None),
        Err(Stop::Unsupported(what)) => Err(Refusal::unsupported(what)),
    }
}
