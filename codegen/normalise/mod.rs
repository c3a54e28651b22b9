//! The general rules that lower FastAPI's OpenAPI 3.1 to the 3.0 that progenitor reads.
//!
//! Each rule holds for any FastAPI document; corrections that are specific to Prefect are in
//! `openapi/overlay.yaml`. The order matters: a rule may rely on the ones above it.

mod annotations;
mod bodies;
mod durations;
mod inline;
mod names;
mod nullable;
mod objects;
mod pairs;
mod parameters;
mod paths;
mod prose;
mod responses;
mod scalars;
mod unions;

use serde_json::{Value, json};

use super::names as names_table;
use super::problem::Result;

pub use inline::{INLINE_AT, is_type};
pub use names::pascal_case;
pub use parameters::drop_beside_body;
pub use paths::strip_api_prefix;

/// A named rule: changes the document and counts what it changed.
pub struct Rule {
    pub name: &'static str,
    pub apply: fn(&mut Value) -> Result<usize>,
}

macro_rules! rules {
    ($($module:ident :: $rule:ident),* $(,)?) => {
        &[$(Rule { name: stringify!($rule), apply: $module::$rule }),*]
    };
}

/// All rules, in the order in which they run.
pub const RULES: &[Rule] = rules![
    parameters::drop_transport_headers,
    parameters::untyped_path_parameters,
    parameters::absent_instead_of_null,
    responses::drop_error_responses,
    responses::any_success_status,
    bodies::require_bodies,
    names::operation_names,
    names::body_names,
    durations::durations,
    pairs::merge_input_and_output,
    names::type_names,
    annotations::drop_titles,
    annotations::drop_defaults,
    annotations::drop_bounds,
    annotations::drop_annotations,
    prose::tidy_descriptions,
    nullable::wrap_reference_siblings,
    nullable::nullable_instead_of_null,
    objects::forbidden_extras,
    objects::constants,
    scalars::tuples,
    scalars::formats,
    unions::drop_inline_copies,
    unions::any_json_unions,
    unions::merge_scalar_members,
    scalars::numbers,
    objects::free_json,
    inline::hoist,
];

/// How often each rule matched.
pub type Report = Vec<(&'static str, usize)>;

/// Runs all rules, of which the last names inline types, and declares the result to be OpenAPI 3.0.
pub fn normalise(document: &mut Value, names: &Value) -> Result<(Report, names_table::Unmatched)> {
    let mut report = Report::new();
    let mut unmatched = names_table::Unmatched::default();
    for rule in RULES {
        if rule.name == "hoist" {
            unmatched.obsolete = names_table::apply(document, names)?;
        }
        report.push((rule.name, (rule.apply)(document)?));
    }
    unmatched.unpinned = names_table::unpinned(document);
    scalars::declare_built_in(document)?;
    document["openapi"] = json!("3.0.3");
    Ok((report, unmatched))
}
