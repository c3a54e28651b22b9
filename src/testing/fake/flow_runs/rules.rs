//! The rules of the server for transitions of flow runs, in its own order.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use uuid::Uuid;

use super::slots;
use super::state::{has_persisted_result, is_persisted, own_state};
use super::transition::{Pause, Transition};
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::World;
use crate::types::{Field, FlowRunPolicyRetryType, State, StateType};

/// All rules: a transition that a client proposes.
pub(super) fn all(world: &mut World, transition: &mut Transition) -> Result<(), Refusal> {
    keep_lease(transition);
    prevent_duplicates(transition);
    leave_terminal_states(world, transition);
    finish_cancelling(transition);
    cancel_without_infrastructure(world, transition)?;
    prevent_pending(transition);
    slots::validate_at_running(world, transition)?;
    slots::secure(world, transition)?;
    slots::revoke_of_old_clients(transition);
    mark_only_scheduled_runs_late(transition);
    pause(world, transition);
    leave_pause(world, transition)?;
    copy_scheduled_time(transition);
    wait_for_scheduled_time(world, transition);
    retry_failed(world, transition)
}

/// The rules that hold for forced transitions, too.
pub(super) fn forced(world: &mut World, transition: &mut Transition) -> Result<(), Refusal> {
    keep_lease(transition);
    if let Some((initial, proposed)) =
        transition.between(&[StateType::Completed], &[StateType::Completed])
        && has_persisted_result(initial)
        && !is_persisted(proposed.data.as_ref())
    {
        transition.reject(None, WOULD_LOSE_RESULT);
    }
    cancel_without_infrastructure(world, transition)
}

const WOULD_LOSE_RESULT: &str =
    "Cannot overwrite a COMPLETED state that carries persisted result data with one that does not.";

/// The lease of the deployment's slot stays with the run.
fn keep_lease(transition: &mut Transition) {
    let Some((initial, proposed)) = transition.between(&[], &[]) else {
        return;
    };
    let lease = slots::lease_of(initial);
    let details = proposed.state_details.get_or_insert_default();
    if lease.is_some() && details.deployment_concurrency_lease_id.is_none() {
        details.deployment_concurrency_lease_id = lease.into();
    }
}

fn prevent_duplicates(transition: &mut Transition) {
    let Some((initial, proposed)) = transition.between(&[], &[]) else {
        return;
    };
    let id = |state: &State| {
        state
            .state_details
            .as_ref()
            .and_then(|details| *details.transition_id)
    };
    if id(initial).is_some() && id(initial) == id(proposed) {
        transition.reject(None, "This run has already made this state transition.");
    }
}

fn leave_terminal_states(world: &World, transition: &mut Transition) {
    let policy = transition.policy.clone();
    let has_deployment =
        run_of(world, transition).is_some_and(|run| run.shown.deployment_id.is_some());
    let Some((initial, proposed)) = transition.between(&StateType::TERMINAL, &[]) else {
        return;
    };
    let (from, to) = (initial.type_.clone(), proposed.type_.clone());
    let was_completed = from == StateType::Completed && has_persisted_result(initial);
    let keeps_result = is_persisted(proposed.data.as_ref());
    transition.after.original_policy = Some(policy);
    match to {
        StateType::Cancelling | StateType::Paused | StateType::Crashed => {
            transition.abort(format!(
                "Run is already in terminal state {}.",
                from.as_str()
            ));
        }
        ref to if was_completed && !to.is_terminal() => {
            transition.reject(None, "Run is already COMPLETED.");
        }
        StateType::Completed if was_completed && !keeps_result => {
            transition.reject(None, WOULD_LOSE_RESULT);
        }
        StateType::Scheduled if !has_deployment => {
            transition.abort("Cannot reschedule a run without an associated deployment.");
        }
        to if !to.is_terminal() => {
            let kind = (to == StateType::Scheduled).then_some(FlowRunPolicyRetryType::Reschedule);
            forget_pauses(transition);
            transition.policy.retry_type = kind.into();
        }
        _ => {}
    }
}

fn forget_pauses(transition: &mut Transition) {
    transition.policy.resuming = false.into();
    transition.policy.pause_keys = Field::value(Vec::new());
}

fn finish_cancelling(transition: &mut Transition) {
    let others = |state: &StateType| *state != StateType::Cancelled;
    if transition
        .between(&[StateType::Cancelling], &[])
        .is_some_and(|(_, proposed)| others(&proposed.type_))
    {
        transition.reject(
            None,
            "Cannot transition flows that are cancelling to a state other than Cancelled.",
        );
    }
}

/// What has no infrastructure is cancelled at once.
fn cancel_without_infrastructure(
    world: &World,
    transition: &mut Transition,
) -> Result<(), Refusal> {
    let pid = run_of(world, transition).and_then(|run| run.shown.infrastructure_pid.as_deref());
    let has_infrastructure = pid.is_some_and(|pid| !pid.is_empty());
    let from = [StateType::Scheduled, StateType::Paused];
    let Some((initial, _)) = transition.between(&from, &[StateType::Cancelling]) else {
        return Ok(());
    };
    let is_scheduled = initial.type_ == StateType::Scheduled;
    let is_resuming = initial.name.as_deref() == Some("Resuming");
    let details = initial.state_details.as_ref();
    let is_suspended =
        !is_scheduled && details.and_then(|details| details.pause_reschedule) == Some(true);
    let reason = if is_scheduled && !has_infrastructure || is_resuming {
        "Scheduled flow run has no infrastructure to terminate."
    } else if is_suspended {
        "Suspended flow run has no infrastructure to terminate."
    } else {
        return Ok(());
    };
    let cancelled = own_state(world.now, StateType::Cancelled, "Cancelled")?;
    transition.reject(Some(cancelled), reason);
    Ok(())
}

/// PENDING is a claim: only the first one has it.
fn prevent_pending(transition: &mut Transition) {
    let from = [
        StateType::Pending,
        StateType::Cancelling,
        StateType::Running,
        StateType::Cancelled,
    ];
    let Some((initial, proposed)) = transition.between(&from, &[StateType::Pending]) else {
        return;
    };
    let is_progress = initial.type_ == StateType::Pending
        && *initial.name != *proposed.name
        && proposed.name.as_deref() != Some("Pending");
    if is_progress {
        let scheduled = initial
            .state_details
            .as_ref()
            .and_then(|details| *details.scheduled_time);
        let lease = slots::lease_of(initial);
        let details = proposed.state_details.get_or_insert_default();
        details.scheduled_time = scheduled.into();
        details.deployment_concurrency_lease_id = lease.into();
        return;
    }
    let from = initial.type_.as_str().to_owned();
    transition.abort(format!(
        "This run is in a {from} state and cannot transition to a PENDING state."
    ));
}

fn mark_only_scheduled_runs_late(transition: &mut Transition) {
    let Some((initial, proposed)) = transition.between(&[], &[StateType::Scheduled]) else {
        return;
    };
    if proposed.name.as_deref() != Some("Late") {
        return;
    }
    if initial.type_ != StateType::Scheduled {
        transition.reject(None, "Only scheduled flows can be marked late.");
    } else if initial.name.as_deref() == Some("Late") {
        transition.reject(None, "This flow run is already marked late.");
    }
}

fn pause(world: &World, transition: &mut Transition) {
    let run = run_of(world, transition);
    let is_subflow = run.is_some_and(|run| run.shown.parent_task_run_id.is_some());
    let has_deployment = run.is_some_and(|run| run.shown.deployment_id.is_some());
    let fired = transition.policy.pause_keys.clone().unwrap_or_default();
    let Some((initial, proposed)) = transition.between(&[], &[StateType::Paused]) else {
        return;
    };
    let suspends = proposed.name.as_deref() == Some("Suspended");
    let verb = if suspends { "suspend" } else { "pause" };
    if initial.type_ != StateType::Running {
        transition.reject(
            None,
            format!("Cannot {verb} flows that are not currently running."),
        );
        return;
    }
    let details = proposed.state_details.get_or_insert_default();
    let key = details.pause_key.clone().into_option();
    let reschedules = details.pause_reschedule == Some(true);
    // A pause without a key has one that never fires again.
    let key = key.unwrap_or_else(|| Uuid::new_v4().to_string());
    let keyset = details.run_input_keyset.clone().into_option();
    if fired.contains(&key) {
        transition.reject(None, format!("This {verb} has already fired."));
    } else if reschedules && is_subflow {
        transition.abort(format!("Cannot {verb} subflows."));
    } else if reschedules && !has_deployment {
        transition.abort(format!("Cannot {verb} flows without a deployment."));
    } else {
        transition.after.pause = Some(Pause {
            key,
            inputs: keyset.into_iter().flat_map(BTreeMap::into_values).collect(),
        });
    }
}

fn leave_pause(world: &World, transition: &mut Transition) -> Result<(), Refusal> {
    let has_deployment =
        run_of(world, transition).is_some_and(|run| run.shown.deployment_id.is_some());
    let Some((initial, proposed)) = transition.between(&[StateType::Paused], &[]) else {
        return Ok(());
    };
    let to = proposed.type_.clone();
    let name = proposed
        .name
        .as_deref()
        .unwrap_or(to.as_str())
        .to_lowercase();
    let suspends = proposed.name.as_deref() == Some("Suspended");
    let details = initial.state_details.clone().unwrap_or_default();
    transition.after.leaves_pause = true;
    let may_follow = to.is_terminal()
        || matches!(
            to,
            StateType::Running | StateType::Scheduled | StateType::Cancelling
        );
    if !may_follow {
        let reason = format!(
            "This run cannot transition to the StateType.{} state from the StateType.PAUSED state.",
            to.as_str()
        );
        transition.reject(None, reason);
    } else if details.pause_reschedule == Some(true) && !has_deployment {
        let reason = format!("Cannot reschedule a {name} flow run without a deployment.");
        transition.reject(None, reason);
    } else if to != StateType::Cancelling
        && details
            .pause_timeout
            .is_some_and(|timeout| timeout < world.now)
    {
        let verb = if suspends { "suspend" } else { "pause" };
        let mut failed = own_state(world.now, StateType::Failed, "Failed")?;
        failed.message = format!("The flow was {name} and never resumed.").into();
        let reason = format!("The flow run {verb} has timed out and can no longer resume.");
        transition.reject(Some(failed), reason);
    }
    Ok(())
}

fn copy_scheduled_time(transition: &mut Transition) {
    let between = transition.between(&[StateType::Scheduled], &[StateType::Pending]);
    if let Some((initial, proposed)) = between {
        let scheduled = initial
            .state_details
            .as_ref()
            .and_then(|details| *details.scheduled_time);
        let details = proposed.state_details.get_or_insert_default();
        if details.scheduled_time.is_none() {
            details.scheduled_time = scheduled.into();
        }
    }
}

fn wait_for_scheduled_time(world: &World, transition: &mut Transition) {
    let from = [StateType::Scheduled, StateType::Pending];
    let Some((initial, _)) = transition.between(&from, &[StateType::Running]) else {
        return;
    };
    let scheduled = initial
        .state_details
        .as_ref()
        .and_then(|details| *details.scheduled_time);
    let delay = scheduled.map_or(TimeDelta::zero(), |at| at - world.now);
    // The server rounds to whole seconds.
    let seconds = (delay.num_milliseconds() as f64 / 1000.0).round() as i64;
    if seconds > 0 {
        transition.wait(seconds, "Scheduled time is in the future");
    }
}

fn retry_failed(world: &World, transition: &mut Transition) -> Result<(), Refusal> {
    let count = run_of(world, transition)
        .and_then(|run| run.shown.run_count)
        .unwrap_or(0);
    let (retries, delay) = (*transition.policy.retries, *transition.policy.retry_delay);
    let between = transition.between(&[StateType::Running], &[StateType::Failed]);
    let Some((initial, proposed)) = between else {
        return Ok(());
    };
    if retries.is_none_or(|retries| count > retries) {
        transition.policy.retry_type = None.into();
        return Ok(());
    }
    let mut retry = own_state(world.now, StateType::Scheduled, "AwaitingRetry")?;
    retry.message = proposed.message.clone();
    retry.data = proposed.data.clone();
    let details = retry.state_details.get_or_insert_default();
    let delay = TimeDelta::try_seconds(delay.unwrap_or(0)).unwrap_or(TimeDelta::MAX);
    let at = world.now.checked_add_signed(delay);
    details.scheduled_time = at.unwrap_or(world.now).into();
    details.deployment_concurrency_lease_id = slots::lease_of(initial).into();
    forget_pauses(transition);
    transition.policy.retry_type = FlowRunPolicyRetryType::InProcess.into();
    transition.reject(Some(retry), "Retrying");
    Ok(())
}

fn run_of<'a>(world: &'a World, transition: &Transition) -> Option<&'a super::row::Run> {
    world.flow_runs.rows.get(transition.run)
}
