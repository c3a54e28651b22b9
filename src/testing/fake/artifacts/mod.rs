//! Artifacts, and the collection of the latest of each key.

mod affinity;
mod change;
mod collection;
mod create;
mod events;
mod filters;
mod latest;
mod read;
mod state;

use super::world::Handler;

pub(super) use affinity::stored;
pub(super) use create::of_result;
pub(crate) use state::Artifacts;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("create_artifact", create::create),
    ("read_artifact", read::read),
    ("read_artifacts", read::list),
    ("count_artifacts", read::count),
    ("read_latest_artifact", latest::read),
    ("read_latest_artifacts", latest::list),
    ("count_latest_artifacts", latest::count),
    ("update_artifact", change::update),
    ("delete_artifact", change::delete),
];
