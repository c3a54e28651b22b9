//! Setting the state of a task run.

use uuid::Uuid;

use super::data::{Kind, kind};
use super::decision::{Decision, forced};
use super::effects;
use super::rules;
use super::state::Cached;
use crate::testing::fake::artifacts::of_result;
use crate::testing::fake::call::Call;
use crate::testing::fake::flow_runs::new_state;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::{World, row};
use crate::types::{
    Json, OrchestrationResult, SetTaskRunStateRequest, State, StateCreate, StateType,
};

pub(super) fn set(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    let body: SetTaskRunStateRequest = call.decode()?;
    check(&body.state)?;
    let details = call.json()?["state"].get("state_details").cloned();
    if details.is_some_and(|details| details.is_null()) {
        let text = "Input should be a valid dictionary";
        return Err(Refusal::invalid(
            &["body", "state", "state_details"],
            "model_type",
            text,
        ));
    }
    let state = new_state(world.now, body.state)?;
    let (result, written) = propose(world, id, state, body.force.unwrap_or(false))?;
    Ok(Reply::created_if(written, &result))
}

/// Refuses a state that the server cannot read.
pub(super) fn check(state: &StateCreate) -> Result<(), Refusal> {
    if !state.extra.is_empty() {
        let text = "Extra inputs are not permitted";
        return Err(Refusal::invalid(
            &["body", "state"],
            "extra_forbidden",
            text,
        ));
    }
    match &state.type_ {
        StateType::Unknown(_) => {
            let text = "Input should be the type of a state";
            Err(Refusal::invalid(&["body", "state", "type"], "enum", text))
        }
        _ => Ok(()),
    }
}

/// Proposes a state; returns the server's decision, and whether a state was written.
pub(super) fn propose(
    world: &mut World,
    id: Uuid,
    mut proposed: State,
    force: bool,
) -> Result<(OrchestrationResult, bool), Refusal> {
    // What the server does not know of the details, it drops.
    proposed.state_details.get_or_insert_default().extra.clear();
    let task = world
        .task_runs
        .rows
        .get(id)
        .cloned()
        .ok_or_else(|| Refusal::message(404, format!("Task run with id {id} not found")))?;
    let in_background = rules::is_deferred(&proposed);
    let decision = match force && !in_background {
        true => forced(&task, proposed),
        false => rules::all(world, &task, proposed, in_background)?,
    };
    let Decision {
        state,
        status,
        details,
        run_count,
        attempt,
        caches,
    } = decision;
    let written = state.is_some();
    let shown = match state {
        Some(state) => Some(write(world, id, state, run_count, attempt, caches)?),
        None => {
            // The server sets the count back, and then takes that back.
            if task.shown.run_count != Some(run_count)
                && let Some(task) = world.task_runs.rows.get_mut(id)
            {
                task.shown.updated = world.now.into();
            }
            task.shown.state.into_option()
        }
    };
    let result = OrchestrationResult {
        state: shown.into(),
        status,
        details: row(details)?,
        extra: Default::default(),
    };
    Ok((result, written))
}

/// Writes a state, with what comes with it; returns it as the reply shows it.
fn write(
    world: &mut World,
    id: Uuid,
    mut state: State,
    run_count: i64,
    attempt: Option<i64>,
    caches: bool,
) -> Result<State, Refusal> {
    let now = world.now;
    let task = world.task_runs.rows.get(id).ok_or_else(missing)?;
    let flow_run = *task.shown.flow_run_id;
    let tags = task.shown.tags.clone().unwrap_or_default();
    if !matches!(state.type_, StateType::Running | StateType::Cancelling) {
        world.limits.release_of_task(id, &tags, now)?;
    }
    let given = state.data.take().unwrap_or_default();
    let returned = keep_data(world, flow_run, id, &mut state, given)?;
    let task = world.task_runs.rows.get_mut(id).ok_or_else(missing)?;
    task.shown.run_count = Some(run_count);
    effects::enter(task, state, now);
    if attempt.is_some() {
        task.shown.flow_run_run_count = attempt;
    }
    let entered = task.shown.state.clone().into_option();
    let mut entered = entered.ok_or_else(missing)?;
    if caches {
        let details = entered.state_details.clone().unwrap_or_default();
        world.task_runs.cache.push(Cached {
            key: details.cache_key.into_option().unwrap_or_default(),
            expires: details.cache_expiration.into_option(),
            state: entered.id,
            task_run: id,
        });
    }
    entered.data = Some(returned);
    Ok(entered)
}

/// Makes an artifact of the data of a state, if it is to be kept; returns the data as the reply shows it.
fn keep_data(
    world: &mut World,
    flow_run: Option<Uuid>,
    id: Uuid,
    state: &mut State,
    given: Json,
) -> Result<Json, Refusal> {
    state.data = Some(Json::null());
    match kind(&given) {
        _ if given.is_null() => Ok(given),
        // It is returned once.
        Kind::Unpersisted => Ok(given),
        Kind::Persisted => {
            let kept = of_result(world, flow_run, Some(id), &given)?.data;
            state.data = Some(kept.clone());
            Ok(kept)
        }
        Kind::Other => {
            let kept = of_result(world, flow_run, Some(id), &given)?;
            state.data = Some(kept.data);
            Ok(given)
        }
    }
}

fn missing() -> Refusal {
    Refusal::not_found("Task not found")
}
