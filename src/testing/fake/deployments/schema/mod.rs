//! JSON Schema, as far as Prefect's server validates parameters and job variables by it.

mod check;
mod conform;
mod meta;
mod preprocess;
mod problem;
mod tree;

pub(crate) use conform::{Conformity, How, conform, first_problem, is_schema};
pub(crate) use tree::{Quoted, Tree};
