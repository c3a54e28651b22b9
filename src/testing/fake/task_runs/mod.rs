//! Task runs and their states.

mod blank;
mod change;
mod counts;
mod create;
mod data;
mod decision;
mod effects;
mod filters;
mod history;
mod inputs;
mod lists;
mod matching;
mod policy;
mod read;
mod recorder;
mod request;
mod rules;
mod set_state;
mod state;
mod subflow;

use super::world::Handler;

pub(super) use filters::fulfils;
pub(super) use matching::flow_runs_with;
pub(super) use recorder::record;
pub(crate) use state::{TaskRow, TaskRuns};
pub(super) use subflow::mirror_subflow;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("create_task_run", create::create),
    ("read_task_run", read::read),
    ("read_task_run_with_flow_run_name", read::read_with_flow_run),
    ("read_task_runs", lists::list),
    ("paginate_task_runs", lists::paginate),
    ("count_task_runs", counts::count),
    ("count_task_runs_by_flow_run", counts::by_flow_run),
    ("read_task_run_counts_by_state", counts::by_state),
    ("task_run_history", history::history),
    ("read_task_run_states", read::states),
    ("read_task_run_state", read::state),
    ("update_task_run", change::update),
    ("delete_task_run", change::delete),
    ("set_task_run_state", set_state::set),
];
