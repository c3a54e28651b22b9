//! What a test sees of the fake.

use uuid::Uuid;

use super::flow_runs::{Caller, propose, shown_at};
use super::world::World;
use crate::types::{FlowRunResponse, ReceivedEvent, StateCreate, TaskRun};

pub(crate) fn flow_run(world: &World, id: Uuid) -> Option<FlowRunResponse> {
    let run = world.flow_runs.rows.get(id)?;
    Some(shown_at(run, world.now))
}

pub(crate) fn flow_runs(world: &World) -> Vec<FlowRunResponse> {
    let runs = world.flow_runs.rows.iter();
    runs.map(|run| shown_at(run, world.now)).collect()
}

pub(crate) fn state_names(world: &World, id: Uuid) -> Option<Vec<String>> {
    let run = world.flow_runs.rows.get(id)?;
    let names = run
        .states
        .iter()
        .map(|state| state.name.clone().unwrap_or_default());
    Some(names.collect())
}

pub(crate) fn task_runs_of(world: &World, flow_run: Uuid) -> Vec<TaskRun> {
    let runs = world.task_runs.rows.iter().map(|row| &row.shown);
    runs.filter(|run| run.flow_run_id == flow_run)
        .cloned()
        .collect()
}

pub(crate) fn lines_of(world: &World, flow_run: Uuid) -> Vec<String> {
    let mut lines = world.logs.of_flow_run(flow_run);
    lines.sort_by_key(|line| line.timestamp);
    lines.into_iter().map(|line| line.message.clone()).collect()
}

pub(crate) fn all_events(world: &World) -> Vec<ReceivedEvent> {
    world.events.all().to_vec()
}

/// Proposes a state as a client that does not renew leases; `false` where there is no such run.
pub(crate) fn propose_state(world: &mut World, id: Uuid, state: StateCreate) -> bool {
    propose(world, id, state, false, Caller::default()).is_ok()
}
