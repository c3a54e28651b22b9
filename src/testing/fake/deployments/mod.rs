//! Deployments, their schedules, and the runs that are created of them.

#[cfg(feature = "schedules")]
mod calendar;
mod create;
mod dates;
mod events;
mod fields;
mod filter;
mod hydrate;
mod interval_step;
mod invalid_schedule;
mod job_variables;
mod limits;
mod list;
mod new_schedule;
mod planner;
mod read;
mod ready;
mod remove;
mod row;
mod run_input;
mod run_parts;
mod runs;
#[cfg(feature = "schedules")]
mod schedule_text;
#[cfg(not(feature = "schedules"))]
#[path = "schedule_text_refused.rs"]
mod schedule_text;
mod schedules;
mod schema;
mod slugs;
mod target_queue;
mod update;
mod waiting_runs;

use super::world::Handler;

pub(super) use fields::check_object;
pub(super) use job_variables::{check_defaults, check_template};
pub(super) use list::flows_with;
pub(super) use planner::tick;
pub(super) use ready::{Polled, mark_ready, mark_unpolled};
pub(super) use remove::remove_all_of_flow;
pub(crate) use row::Deployments;
pub(super) use run_input::{BadInput, check_input, filled_input};
pub(super) use schema::Quoted;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("create_deployment", create::create),
    ("read_deployment", read::read),
    ("read_deployment_by_name", read::read_by_name),
    ("read_deployments", list::list),
    ("count_deployments", list::count),
    ("paginate_deployments", list::paginate),
    ("update_deployment", update::update),
    ("delete_deployment", remove::delete),
    ("bulk_delete_deployments", remove::delete_many),
    ("pause_deployment", read::pause),
    ("resume_deployment", read::resume),
    ("work_queue_check_for_deployment", read::check_queues),
    ("read_deployment_schedules", schedules::list),
    ("create_deployment_schedules", schedules::create),
    ("update_deployment_schedule", schedules::update),
    ("delete_deployment_schedule", schedules::delete),
    ("schedule_deployment", planner::schedule),
    ("create_flow_run_from_deployment", runs::create),
    ("bulk_create_flow_runs_from_deployment", runs::create_many),
    ("get_scheduled_flow_runs_for_deployments", runs::scheduled),
];
