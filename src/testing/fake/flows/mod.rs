//! Flows.

mod filters;
mod handlers;

use super::world::Handler;

pub(super) use filters::fulfils;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("create_flow", handlers::create),
    ("read_flow", handlers::read),
    ("read_flow_by_name", handlers::read_by_name),
    ("read_flows", handlers::list),
    ("paginate_flows", handlers::paginate),
    ("count_flows", handlers::count),
    ("update_flow", handlers::update),
    ("delete_flow", handlers::delete),
    ("bulk_delete_flows", handlers::delete_many),
];
