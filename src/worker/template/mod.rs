//! Renders the values of a job configuration from a work pool's base job template, as Prefect's own worker does.
//!
//! Nothing here asks the server. Between the steps, the caller reads what the step before has named:
//!
//! 1. [`Template::apply`] puts job variables and environment variables in.
//! 2. [`blocks`](applied::Applied::blocks) names the block documents to read;
//!    [`put_blocks`](applied::Applied::put_blocks) puts their data in.
//! 3. [`variables`](applied::Filled::variables) names the variables to read, which data of blocks may name, too;
//!    [`put_variables`](applied::Filled::put_variables) returns the values of the job configuration.
//! 4. [`render_name`] renders the job's name again, for the flow run.
//!
//! What Prefect does is odd in places; the cases in `tests/data/job_templates.json` are what Prefect 3.9.1 has rendered.

mod applied;
mod apply;
mod base_job_template;
mod blocks;
mod characters;
mod env;
mod error;
mod job_variables;
mod name;
mod path;
mod place;
mod placeholder;
mod python;
#[cfg(test)]
mod tests;
mod value;
mod variables;

pub(crate) use base_job_template::Template;
pub(crate) use blocks::BlockRef;
pub(crate) use name::render_name;
pub(crate) use value::Value;

/// The base job template of pools of type `process`, which a worker gives to a pool that has none.
pub(crate) const PROCESS_TEMPLATE: &str = include_str!("process.json");
