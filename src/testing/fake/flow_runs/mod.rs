//! Flow runs and their states.

mod caller;
mod change;
mod create;
mod deadlines;
mod effects;
mod filters;
mod matching;
mod names;
mod read;
mod remove;
mod request;
mod resume;
mod row;
mod rules;
mod services;
mod set_state;
mod slots;
mod state;
mod transition;

use super::world::Handler;

pub(super) use caller::Caller;
pub(super) use create::{NewRun, create_run};
pub(super) use effects::shown_at;
pub(super) use filters::fulfils;
pub(super) use matching::of_lists;
pub(super) use names::random_name;
pub(super) use remove::{orphan_subflows, remove, remove_all_of_flow};
pub(super) use request::check_state;
pub(crate) use row::{FlowRuns, Run};
pub(super) use services::tick;
pub(super) use set_state::propose;
pub(super) use slots::DeploymentLimit;
pub(super) use state::new_state;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("create_flow_run", create::create),
    ("read_flow_run", read::read),
    ("read_flow_runs", read::list),
    ("paginate_flow_runs", read::paginate),
    ("count_flow_runs", read::count),
    ("average_flow_run_lateness", read::lateness),
    ("read_flow_run_states", read::states),
    ("read_flow_run_state", read::state),
    ("update_flow_run", change::update),
    ("update_flow_run_labels", change::update_labels),
    ("set_flow_run_state", set_state::set),
    ("bulk_set_flow_run_state", set_state::set_many),
    ("resume_flow_run", resume::resume),
    ("delete_flow_run", remove::delete),
    ("bulk_delete_flow_runs", remove::delete_many),
];
