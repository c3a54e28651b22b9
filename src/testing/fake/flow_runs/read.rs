//! Reading flow runs and their states.

use std::cmp::Reverse;

use serde_json::Value;
use uuid::Uuid;

use super::effects::{lateness as lateness_of, shown_at};
use super::matching::matching;
use super::row::Run;
use crate::testing::fake::call::Call;
use crate::testing::fake::page;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;
use crate::types::FlowRunResponse;

pub(super) fn read(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let run = world
        .flow_runs
        .rows
        .get(call.id("id")?)
        .ok_or_else(missing)?;
    Ok(Reply::ok(&shown_at(run, world.now)))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    let runs = page::page(sorted(world, &body)?, &body)?;
    Ok(Reply::ok(&shown(world, runs)))
}

pub(super) fn paginate(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    let runs = shown(world, sorted(world, &body)?);
    Ok(Reply::ok(&page::numbered(runs, &body)?))
}

pub(super) fn count(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::ok(&matching(world, &call.json()?)?.len()))
}

pub(super) fn lateness(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let runs = matching(world, &call.json()?)?;
    let total: f64 = runs.iter().map(|run| lateness_of(run, world.now)).sum();
    let average = (!runs.is_empty()).then(|| total / runs.len() as f64);
    Ok(Reply::ok(&average))
}

pub(super) fn states(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call
        .query("flow_run_id")
        .and_then(|id| Uuid::try_parse(id).ok());
    let id =
        id.ok_or_else(|| Refusal::invalid(&["query", "flow_run_id"], "missing", "Field required"))?;
    let run = world.flow_runs.rows.get(id);
    Ok(Reply::ok(run.map_or(&[][..], |run| &run.states)))
}

pub(super) fn state(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    let mut states = world.flow_runs.rows.iter().flat_map(|run| &run.states);
    let state = states.find(|state| state.id == id);
    state
        .map(Reply::ok)
        .ok_or_else(|| Refusal::not_found("Flow run state not found"))
}

/// The runs that a list asks for, in its order.
pub(super) fn sorted<'a>(world: &'a World, body: &Value) -> Result<Vec<&'a Run>, Refusal> {
    let mut runs = matching(world, body)?;
    let start = |run: &&Run| run.shown.start_time.or(*run.shown.expected_start_time);
    match page::sort(body, "ID_DESC") {
        "ID_DESC" => runs.sort_by_key(|run| Reverse(run.shown.id)),
        "START_TIME_ASC" => runs.sort_by_key(start),
        "START_TIME_DESC" => page::descending(&mut runs, start),
        "EXPECTED_START_TIME_ASC" => runs.sort_by_key(|run| *run.shown.expected_start_time),
        "EXPECTED_START_TIME_DESC" => {
            page::descending(&mut runs, |run| *run.shown.expected_start_time);
        }
        "NAME_ASC" => runs.sort_by(|a, b| a.shown.name.cmp(&b.shown.name)),
        "NAME_DESC" => runs.sort_by(|a, b| b.shown.name.cmp(&a.shown.name)),
        "NEXT_SCHEDULED_START_TIME_ASC" => {
            runs.sort_by_key(|run| *run.shown.next_scheduled_start_time);
        }
        "END_TIME_DESC" => page::descending(&mut runs, |run| *run.shown.end_time),
        other => return Err(Refusal::unsupported(format!("the order {other}"))),
    }
    Ok(runs)
}

fn shown(world: &World, runs: Vec<&Run>) -> Vec<FlowRunResponse> {
    runs.into_iter()
        .map(|run| shown_at(run, world.now))
        .collect()
}

pub(super) fn missing() -> Refusal {
    Refusal::not_found("Flow run not found")
}
