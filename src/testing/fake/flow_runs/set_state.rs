//! Setting the state of a flow run.

use serde_json::json;
use uuid::Uuid;

use super::caller::Caller;
use super::deadlines::deadline_of;
use super::effects;
use super::matching::matching;
use super::request::check_state;
use super::row::Run;
use super::rules;
use super::slots;
use super::state::new_state;
use super::transition::Transition;
use crate::testing::fake::call::Call;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;
use crate::testing::fake::{artifacts, events, page, task_runs};
use crate::types::{
    Field, FlowRunPolicyRetryType, OrchestrationResult, SetFlowRunStateRequest, State, StateCreate,
    StateType,
};

/// The most runs whose state is set at a time.
const BULK_LIMIT: usize = 50;

pub(super) fn set(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    let body: SetFlowRunStateRequest = call.decode()?;
    check_state(&body.state, &call.json()?["state"])?;
    let force = body.force.unwrap_or(false);
    let (result, written) = propose(world, id, body.state, force, Caller::of(call))?;
    Ok(Reply::created_if(written, &result))
}

pub(super) fn set_many(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    let state: StateCreate = serde_json::from_value(body["state"].clone())
        .map_err(|error| Refusal::invalid(&["body", "state"], "value_error", error.to_string()))?;
    check_state(&state, &body["state"])?;
    let force = body["force"].as_bool().unwrap_or(false);
    let limit = page::bulk_limit(&body, BULK_LIMIT)?;
    let runs = matching(world, &json!({"flow_runs": body["flow_runs"]}))?;
    let mut ids: Vec<Uuid> = runs.iter().map(|run| run.shown.id).collect();
    ids.sort_by(|a, b| b.cmp(a));
    let mut results = Vec::new();
    for id in ids.into_iter().take(limit) {
        let (result, _) = propose(world, id, state.clone(), force, Caller::of(call))?;
        let mut result = serde_json::to_value(result).unwrap_or_default();
        result["flow_run_id"] = json!(id);
        results.push(result);
    }
    Ok(Reply::ok(&json!({"results": results})))
}

/// Proposes a state; returns the server's decision, and whether a state was written.
pub(crate) fn propose(
    world: &mut World,
    id: Uuid,
    proposed: StateCreate,
    force: bool,
    caller: Caller,
) -> Result<(OrchestrationResult, bool), Refusal> {
    let run = world
        .flow_runs
        .rows
        .get(id)
        .ok_or_else(|| Refusal::message(404, format!("Flow run with id {id} not found")))?;
    let state = new_state(world.now, proposed)?;
    let mut transition = Transition::new(id, run.state().cloned(), state, run.policy(), caller);
    match force {
        true => rules::forced(world, &mut transition)?,
        false => rules::all(world, &mut transition)?,
    }
    finish(world, transition)
}

/// Sets a state by the server's own rules for what must be.
pub(crate) fn force_state(world: &mut World, id: Uuid, state: StateCreate) -> Result<(), Refusal> {
    propose(world, id, state, true, Caller::default()).map(|_| ())
}

/// Writes what the rules have left, and does what they do afterwards.
fn finish(
    world: &mut World,
    mut transition: Transition,
) -> Result<(OrchestrationResult, bool), Refusal> {
    let id = transition.run;
    let mut is_touched = false;
    if !transition.is_as_intended()
        && let Some(original) = transition.after.original_policy.take()
    {
        // The server writes the policy, and then writes it back.
        is_touched = transition.policy != original;
        transition.policy = original;
    }
    // If that fails, nothing is written.
    slots::release(world, &transition)?;
    let returned = transition.proposed.clone();
    let written = returned.is_some();
    let Some(run) = world.flow_runs.rows.get_mut(id) else {
        return Err(Refusal::not_found("Flow run not found"));
    };
    let mut state = None;
    if let Some(mut proposed) = returned {
        let time = proposed.timestamp.unwrap_or(world.now);
        proposed.timestamp = Some(effects::unique_time(run, time));
        let data = proposed.data.clone();
        effects::enter(run, proposed, &mut transition.policy);
        run.shown.updated = world.now.into();
        state = run
            .state()
            .cloned()
            .map(|entered| State { data, ..entered });
    }
    let before = run.policy();
    remember_pauses(run, &mut transition);
    if is_touched || before != run.policy() {
        run.shown.updated = world.now.into();
    }
    let mut shown = state.or_else(|| run.state().cloned());
    if written {
        keep_result(world, id, &mut shown)?;
        announce(world, id, &transition)?;
    }
    for key in transition
        .after
        .pause
        .iter()
        .flat_map(|pause| &pause.inputs)
    {
        world.inputs.remove(id, key);
    }
    let result = OrchestrationResult {
        state: shown.into(),
        details: transition.details()?,
        status: transition.status,
        extra: Default::default(),
    };
    Ok((result, written))
}

fn remember_pauses(run: &mut Run, transition: &mut Transition) {
    let after = &mut transition.after;
    let mut policy = transition.policy.clone();
    if let Some(pause) = &after.pause {
        let keys = policy.pause_keys.get_or_default();
        if !keys.contains(&pause.key) {
            keys.push(pause.key.clone());
        }
    }
    if after.leaves_pause {
        let entered = run.state();
        let was_blocking = transition.initial.as_ref().is_some_and(|state| {
            state
                .state_details
                .as_ref()
                .and_then(|details| details.pause_reschedule)
                != Some(true)
        });
        let is_scheduled = entered.is_some_and(|state| state.type_ == StateType::Scheduled);
        if was_blocking && is_scheduled {
            policy.resuming = false.into();
            policy.pause_keys = Field::value(Vec::new());
            policy.retry_type = FlowRunPolicyRetryType::Reschedule.into();
        } else {
            policy.resuming = true.into();
        }
    }
    run.shown.empirical_policy = Some(policy);
}

/// Keeps the data of a state as the server does: in an artifact.
fn keep_result(world: &mut World, id: Uuid, shown: &mut Option<State>) -> Result<(), Refusal> {
    let run = world.flow_runs.rows.get(id);
    let data = run
        .and_then(|run| run.state())
        .and_then(|state| state.data.clone());
    let Some(data) = data.filter(|data| !data.is_null()) else {
        return Ok(());
    };
    let result = artifacts::of_result(world, Some(id), None, &data)?;
    if let Some(run) = world.flow_runs.rows.get_mut(id) {
        let kept = run
            .states
            .last_mut()
            .into_iter()
            .chain(run.shown.state.as_mut());
        kept.chain(shown.as_mut())
            .for_each(|state| state.data = Some(result.data.clone()));
    }
    Ok(())
}

/// Tells of the new state: an event, the task run that stands for a subflow, the services that watch it.
fn announce(world: &mut World, id: Uuid, transition: &Transition) -> Result<(), Refusal> {
    let Some(run) = world.flow_runs.rows.get(id) else {
        return Ok(());
    };
    let Some(state) = run.state().cloned() else {
        return Ok(());
    };
    if let Some(at) = deadline_of(&state) {
        world.flow_runs.deadlines.insert((at, id, state.id));
    }
    let parent = *run.shown.parent_task_run_id;
    // The scheduler plans runs without a word.
    if run.shown.auto_scheduled == Some(true) && transition.initial.is_none() {
        return Ok(());
    }
    events::flow_run_changed(world, id, transition.initial.as_ref(), &state);
    match parent {
        Some(task_run) => task_runs::mirror_subflow(world, task_run, id, &state),
        None => Ok(()),
    }
}
