//! Reading task runs and their states.

use serde_json::json;
use uuid::Uuid;

use super::effects::at;
use crate::testing::fake::call::Call;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;
use crate::types::State;

pub(super) fn read(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let row = world
        .task_runs
        .rows
        .get(call.id("id")?)
        .ok_or_else(missing)?;
    Ok(Reply::ok(&at(row, world.now)))
}

pub(super) fn read_with_flow_run(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let row = world
        .task_runs
        .rows
        .get(call.id("id")?)
        .ok_or_else(missing)?;
    let run = row
        .shown
        .flow_run_id
        .and_then(|id| world.flow_runs.rows.get(id));
    let mut shown = serde_json::to_value(at(row, world.now)).unwrap_or_default();
    shown["flow_run_name"] = json!(run.and_then(|run| run.shown.name.as_deref()));
    Ok(Reply::ok(&shown))
}

/// The states of a task run, in the order of their times.
pub(super) fn states(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call
        .query("task_run_id")
        .and_then(|id| Uuid::try_parse(id).ok());
    let id =
        id.ok_or_else(|| Refusal::invalid(&["query", "task_run_id"], "missing", "Field required"))?;
    let row = world.task_runs.rows.get(id);
    let mut states: Vec<&State> = row.iter().flat_map(|row| &row.states).collect();
    states.sort_by_key(|state| state.timestamp);
    Ok(Reply::ok(&states))
}

pub(super) fn state(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    let mut states = world.task_runs.rows.iter().flat_map(|row| &row.states);
    let state = states.find(|state| state.id == id);
    // The server says flow run, too.
    state
        .map(Reply::ok)
        .ok_or_else(|| Refusal::not_found("Flow run state not found"))
}

pub(super) fn missing() -> Refusal {
    Refusal::not_found("Task not found")
}
