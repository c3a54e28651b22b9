//! The rules that govern the transitions of task runs, in the order in which the server asks them.

use chrono::{DateTime, TimeDelta, Utc};

use super::data::{Kind, is_empty, kind};
use super::decision::{Decision, details, forced};
use super::policy::{self, delay};
use super::state::TaskRow;
use crate::testing::fake::concurrency::TaskSlots;
use crate::testing::fake::flow_runs::new_state;
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::World;
use crate::types::{State, StateCreate, StateType};

/// The most characters of a cache key.
const MAX_CACHE_KEY: usize = 2000;

/// Asks all rules. Those for background tasks are a few others.
pub(super) fn all(
    world: &mut World,
    row: &TaskRow,
    proposed: State,
    in_background: bool,
) -> Result<Decision, Refusal> {
    let now = world.now;
    let to = proposed.type_.clone();
    let initial = row.state().cloned();
    let mut decision = forced(row, proposed.clone());
    if let Some(from) = initial
        .as_ref()
        .filter(|_| in_background && to == StateType::Pending)
        && let Some(reason) = already_pending(from, &mut decision)
    {
        return Ok(decision.aborted(reason));
    }
    if to == StateType::Running
        && let Some(cached) = cached(world, &proposed)?
    {
        return Ok(decision.rejected(Some(cached), "Retrieved state from cache"));
    }
    if let Some(from) = initial.as_ref().filter(|from| from.is_terminal()) {
        match leave_end(world, row, from, &mut decision)? {
            Leave::Yes => {}
            Leave::Abort(reason) => return Ok(decision.aborted(reason)),
            Leave::Completed => {
                return Ok(decision.rejected(None, "This run is already completed."));
            }
        }
    }
    if to == StateType::Running && !in_background {
        if let Some((instead, reason)) = flow_is_stopped(world, row)? {
            return Ok(match instead {
                Some(paused) => {
                    // It has not left its end.
                    decision.run_count = row.shown.run_count.unwrap_or(0);
                    decision.rejected(Some(paused), reason)
                }
                None => decision.aborted(reason),
            });
        }
        return running(world, row, initial.as_ref(), decision);
    }
    match (initial.as_ref().map(|from| &from.type_), &to) {
        (_, StateType::Running) => return starting(world, row, initial.as_ref(), decision),
        (Some(StateType::Scheduled), StateType::Pending) => {
            copy_details(initial.as_ref(), &mut decision, in_background);
        }
        (Some(StateType::Pending), StateType::Pending) if in_background => {
            copy_parameters(initial.as_ref(), &mut decision);
        }
        (Some(StateType::Running), StateType::Failed) => return failing(row, now, decision),
        (_, StateType::Completed) => {
            let key = details(&proposed)
                .cache_key
                .into_option()
                .unwrap_or_default();
            decision.caches = !key.is_empty();
            if key.chars().count() > MAX_CACHE_KEY {
                let reason = format!(
                    "Cache key exceeded maximum allowed length of {MAX_CACHE_KEY} characters."
                );
                return Ok(decision.rejected(Some(proposed), reason));
            }
        }
        _ => {}
    }
    Ok(decision)
}

/// Of two who claim a run, the second is told so. A name other than `Pending` is progress.
fn already_pending(from: &State, decision: &mut Decision) -> Option<String> {
    let kinds = [
        StateType::Pending,
        StateType::Cancelling,
        StateType::Running,
        StateType::Cancelled,
    ];
    if !kinds.contains(&from.type_) {
        return None;
    }
    let proposed = decision.state.as_mut()?;
    let is_progress = proposed.name != from.name.as_deref().unwrap_or_default()
        && proposed.name != "Pending"
        && from.type_ == StateType::Pending;
    if is_progress {
        let (before, after) = (
            details(from),
            proposed.state_details.get_or_insert_default(),
        );
        after.scheduled_time = before.scheduled_time;
        after.deployment_concurrency_lease_id = before.deployment_concurrency_lease_id;
        return None;
    }
    Some(format!(
        "This run is in a {} state and cannot transition to a PENDING state.",
        from.type_.as_str()
    ))
}

/// The completed state that a task run with the same cache key has left.
fn cached(world: &World, proposed: &State) -> Result<Option<State>, Refusal> {
    let wanted = details(proposed);
    let key = wanted.cache_key.as_deref().unwrap_or_default();
    if key.is_empty() || wanted.refresh_cache == true {
        return Ok(None);
    }
    let lives = |expires: Option<DateTime<Utc>>| expires.is_none_or(|at| at > world.now);
    let mut found = world.task_runs.cache.iter().rev();
    let Some(found) = found.find(|cached| cached.key == key && lives(cached.expires)) else {
        return Ok(None);
    };
    let owner = world.task_runs.rows.get(found.task_run);
    let state = owner.and_then(|row| row.states.iter().find(|state| state.id == found.state));
    state
        .map(|state| {
            let fresh = new_state(
                world.now,
                StateCreate::new(StateType::Completed).name("Cached"),
            )?;
            Ok(State {
                id: fresh.id,
                name: fresh.name,
                timestamp: fresh.timestamp,
                ..state.clone()
            })
        })
        .transpose()
}

enum Leave {
    Yes,
    Abort(String),
    Completed,
}

/// Whether a task run may leave its end.
fn leave_end(
    world: &World,
    row: &TaskRow,
    from: &State,
    decision: &mut Decision,
) -> Result<Leave, Refusal> {
    let Some(proposed) = decision.state.as_mut() else {
        return Ok(Leave::Yes);
    };
    let never = [StateType::Cancelling, StateType::Paused, StateType::Crashed];
    if never.contains(&proposed.type_) {
        return Ok(Leave::Abort(format!(
            "Run is already {}.",
            from.type_.as_str()
        )));
    }
    if from.type_ == StateType::Completed && !is_empty(from.data.as_ref()) {
        match from.data.as_ref().map_or(Kind::Unpersisted, kind) {
            Kind::Unpersisted => {}
            Kind::Persisted => return Ok(Leave::Completed),
            // The server asks any data for its type, and only objects have one.
            Kind::Other => return Err(Refusal::message(500, "Internal Server Error")),
        }
    }
    if !proposed.is_terminal() {
        // The task run may be retried as often as before.
        decision.run_count = 0;
    }
    let flow_run = row
        .shown
        .flow_run_id
        .and_then(|id| world.flow_runs.rows.get(id));
    let attempt = flow_run.and_then(|run| run.shown.run_count).unwrap_or(0);
    if proposed.type_ == StateType::Running
        && flow_run.is_some()
        && row.shown.flow_run_run_count.unwrap_or(0) < attempt
    {
        proposed.name = "Retrying".into();
    }
    Ok(Leave::Yes)
}

/// Why no task may run in its flow run: with a state instead where the flow run is paused.
fn flow_is_stopped(
    world: &World,
    row: &TaskRow,
) -> Result<Option<(Option<State>, String)>, Refusal> {
    let Some(run) = row
        .shown
        .flow_run_id
        .and_then(|id| world.flow_runs.rows.get(id))
    else {
        return Ok(None);
    };
    let state = run.shown.state.as_ref();
    match state.map(|state| &state.type_) {
        Some(StateType::Running) => Ok(None),
        Some(StateType::Paused) => {
            let paused = state.map(details).unwrap_or_default();
            let mut instead = new_state(
                world.now,
                StateCreate::new(StateType::Paused).name("NotReady"),
            )?;
            let details = instead.state_details.get_or_insert_default();
            details.pause_timeout = paused.pause_timeout.into_option().into();
            details.pause_reschedule = Some(paused.pause_reschedule.unwrap_or(false));
            let reason = format!(
                "The flow is paused, new tasks can execute after resuming flow run: {}.",
                run.shown.id
            );
            Ok(Some((Some(instead), reason)))
        }
        _ => {
            let reason = "The enclosing flow must be running to begin task execution.";
            Ok(Some((None, reason.to_owned())))
        }
    }
}

/// RUNNING, of a task that is not run in the background: the slots of its tags are taken.
fn running(
    world: &mut World,
    row: &TaskRow,
    initial: Option<&State>,
    decision: Decision,
) -> Result<Decision, Refusal> {
    let (id, now) = (row.shown.id, world.now);
    let tags = row.shown.tags.clone().unwrap_or_default();
    let slots = world.limits.acquire_of_task(id, &tags, now);
    match slots {
        TaskSlots::Never { reason } => return Ok(decision.aborted(reason)),
        TaskSlots::Full { wait, reason } => return Ok(decision.waits(wait as i64, reason)),
        TaskSlots::Unlimited | TaskSlots::Acquired(_) => {}
    }
    let decision = starting(world, row, initial, decision)?;
    if let (TaskSlots::Acquired(lease), None) = (slots, &decision.state) {
        world.limits.release(lease, None, now)?;
    }
    Ok(decision)
}

/// RUNNING: not before its time, and by the name of what it is.
fn starting(
    world: &World,
    row: &TaskRow,
    initial: Option<&State>,
    mut decision: Decision,
) -> Result<Decision, Refusal> {
    if let Some(from) = initial
        && matches!(from.type_, StateType::Scheduled | StateType::Pending)
    {
        let wait = details(from)
            .scheduled_time
            .map_or(0, |at| whole_seconds(at - world.now));
        if wait > 0 {
            return Ok(decision.waits(wait, "Scheduled time is in the future"));
        }
        copy_parameters_if_deferred(from, &mut decision);
    }
    if let Some(from) = initial
        && decision.run_count > 0
        && let Some(proposed) = decision.state.as_mut()
    {
        let is_retry = from.name == "AwaitingRetry";
        proposed.name = if is_retry { "Retrying" } else { "Rerunning" }.into();
    }
    if let Some(run) = *row.shown.flow_run_id {
        let run = world.flow_runs.rows.get(run).ok_or_else(|| {
            let id = row.shown.id;
            Refusal::message(
                404,
                format!(
                    "Unable to read flow run associated with task run: {id}, this flow run might have been deleted"
                ),
            )
        })?;
        decision.attempt = Some(run.shown.run_count.unwrap_or(0));
    }
    Ok(decision)
}

/// FAILED: another attempt, if one is left.
fn failing(row: &TaskRow, now: DateTime<Utc>, decision: Decision) -> Result<Decision, Refusal> {
    let policy = policy::complete(row.shown.empirical_policy.clone())?;
    let delay = delay(&policy, decision.run_count)?;
    let Some(failed) = decision.state.as_ref() else {
        return Ok(decision);
    };
    let is_retriable = details(failed).retriable != false;
    let is_left = policy
        .retries
        .is_some_and(|retries| decision.run_count <= retries);
    if !is_retriable || !is_left {
        return Ok(decision);
    }
    let mut retry = new_state(
        now,
        StateCreate::new(StateType::Scheduled).name("AwaitingRetry"),
    )?;
    retry.message = failed.message.clone();
    retry.data = failed.data.clone();
    let delay = TimeDelta::microseconds((delay * 1e6) as i64);
    let at = now.checked_add_signed(delay).unwrap_or(now);
    retry.state_details.get_or_insert_default().scheduled_time = at.into();
    Ok(decision.rejected(Some(retry), "Retrying"))
}

/// PENDING keeps the time of SCHEDULED.
fn copy_details(initial: Option<&State>, decision: &mut Decision, in_background: bool) {
    if let (Some(from), Some(proposed)) = (initial, decision.state.as_mut()) {
        let after = proposed.state_details.get_or_insert_default();
        if after.scheduled_time.is_none() {
            after.scheduled_time = details(from).scheduled_time;
        }
    }
    if in_background {
        copy_parameters(initial, decision);
    }
}

/// The parameters of a background task are found by an id, which its states hand on.
fn copy_parameters(initial: Option<&State>, decision: &mut Decision) {
    if let (Some(from), Some(proposed)) = (initial, decision.state.as_mut()) {
        let after = proposed.state_details.get_or_insert_default();
        if after.task_parameters_id.is_none() {
            after.task_parameters_id = details(from).task_parameters_id;
        }
    }
}

fn copy_parameters_if_deferred(from: &State, decision: &mut Decision) {
    let is_deferred = decision.state.as_ref().is_some_and(is_deferred);
    if is_deferred {
        copy_parameters(Some(from), decision);
    }
}

/// Whether a state is one of a task that is run in the background.
pub(super) fn is_deferred(state: &State) -> bool {
    details(state).deferred == true
}

/// Seconds, rounded as the server does: a half to the even side.
fn whole_seconds(delay: TimeDelta) -> i64 {
    let micros = delay.num_microseconds().unwrap_or(i64::MAX);
    let rest = micros.rem_euclid(1_000_000);
    micros.div_euclid(1_000_000) + i64::from(rest > 500_000)
}
