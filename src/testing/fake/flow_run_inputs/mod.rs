//! The inputs of flow runs: values by key.

mod handlers;
mod state;

use super::world::Handler;

pub(crate) use state::Inputs;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("create_flow_run_input", handlers::create),
    ("filter_flow_run_input", handlers::list),
    ("read_flow_run_input", handlers::read),
    ("delete_flow_run_input", handlers::delete),
];
