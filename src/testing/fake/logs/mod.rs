//! Log lines.

mod download;
mod handlers;
mod state;
mod text;

use super::world::Handler;

pub(crate) use state::Logs;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("create_logs", handlers::create),
    ("read_logs", handlers::list),
    ("download_logs", download::download),
];
