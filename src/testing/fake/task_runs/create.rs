//! The creation of task runs.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use uuid::Uuid;

use super::blank::blank;
use super::effects::at;
use super::request::checked;
use super::set_state::propose;
use super::state::TaskRow;
use crate::testing::fake::call::Call;
use crate::testing::fake::flow_runs::{new_state, random_name};
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;
use crate::types::{Scalar, StateCreate, TaskRun, TaskRunCreate};

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = checked(call)?;
    let flow_run = *body.flow_run_id;
    if flow_run.is_some_and(|run| !world.flow_runs.rows.contains(run)) {
        return Err(Refusal::integrity());
    }
    let existing = world
        .task_runs
        .by_key(flow_run, &body.task_key, &body.dynamic_key);
    let Some(id) = existing else {
        return create_new(world, body);
    };
    Ok(Reply::ok(&shown(world, id)?))
}

fn create_new(world: &mut World, body: TaskRunCreate) -> Result<Reply, Refusal> {
    let now = world.now;
    let id = body.id.unwrap_or_else(Uuid::new_v4);
    if world.task_runs.rows.contains(id) {
        return Err(Refusal::integrity());
    }
    let state = body
        .state
        .into_option()
        .unwrap_or_else(StateCreate::pending);
    let flow_run = *body.flow_run_id;
    let mut shown: TaskRun = blank(id, now)?;
    let name = body.name.filter(|name| !name.is_empty());
    shown.name = Some(name.unwrap_or_else(random_name));
    shown.flow_run_id = flow_run.into();
    shown.task_key = body.task_key;
    shown.dynamic_key = body.dynamic_key;
    shown.cache_key = body.cache_key.into_option().into();
    shown.cache_expiration = body.cache_expiration.into_option().into();
    shown.task_version = body.task_version.into_option().into();
    shown.empirical_policy = body.empirical_policy;
    shown.tags = Some(body.tags.unwrap_or_default());
    shown.labels = labels(world, flow_run, body.labels.into_option()).into();
    shown.task_inputs = Some(body.task_inputs.unwrap_or_default());
    let states = Vec::new();
    world.task_runs.put(TaskRow {
        shown,
        states,
        run_time: TimeDelta::zero(),
    });
    let has_data = state.data.as_ref().is_some_and(|data| !data.is_null());
    let state = new_state(now, state)?;
    propose(world, id, state, true)?;
    let shown = self::shown(world, id)?;
    // The server creates the task run, and then fails to read the data of its state.
    let is_kept = shown
        .state
        .as_ref()
        .is_some_and(|state| has_data && state.data.as_ref().is_some_and(|data| !data.is_null()));
    match is_kept {
        true => Err(Refusal::message(500, "Internal Server Error")),
        false => Ok(Reply::created(&shown)),
    }
}

/// The labels of the flow run, the server's own, and those that are given; later ones replace earlier ones.
fn labels(
    world: &World,
    flow_run: Option<Uuid>,
    given: Option<BTreeMap<String, Scalar>>,
) -> BTreeMap<String, Scalar> {
    let run = flow_run.and_then(|run| world.flow_runs.rows.get(run));
    let mut labels = run
        .and_then(|run| run.shown.labels.clone())
        .unwrap_or_default();
    if let Some(run) = flow_run {
        labels.insert("prefect.flow-run.id".to_owned(), run.to_string().into());
    }
    labels.extend(given.unwrap_or_default());
    labels
}

fn shown(world: &World, id: Uuid) -> Result<TaskRun, Refusal> {
    let row = world.task_runs.rows.get(id);
    row.map(|row| at(row, world.now))
        .ok_or_else(|| Refusal::not_found("Task not found"))
}
