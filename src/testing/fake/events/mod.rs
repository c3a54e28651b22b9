//! Events.

mod counting;
mod flow_run;
mod labels;
mod own;
mod pages;
mod receive;
mod selection;
mod state;

use super::world::Handler;

pub(super) use flow_run::flow_run_changed;
pub(super) use own::emit;
pub(crate) use selection::Selection;
pub(crate) use state::Events;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("create_events", receive::create),
    ("read_events", pages::first),
    ("read_account_events_page", pages::next),
    ("count_account_events", counting::count),
];
