//! The slot of a deployment's limit that a run takes at PENDING and gives back at its end.

use std::time::Duration;

use chrono::TimeDelta;
use uuid::Uuid;

use super::row::Run;
use super::state::own_state;
use super::transition::Transition;
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::World;
use crate::types::{
    ConcurrencyLeaseHolder, ConcurrencyLeaseHolderType, SetStateStatus, State, StateType,
};

/// After how many seconds a run that found no slot is tried again.
const SLOT_WAIT: TimeDelta = TimeDelta::seconds(30);

/// The lease of the deployment's slot that a state carries.
pub(super) fn lease_of(state: &State) -> Option<Uuid> {
    let details = state.state_details.as_ref()?;
    *details.deployment_concurrency_lease_id
}

/// A limit of a deployment, as far as its runs are concerned.
pub(crate) struct DeploymentLimit {
    pub id: Uuid,
    pub limit: i64,
    /// A run that finds no slot is cancelled, and does not wait.
    pub cancels_new: bool,
    /// How long the lease of a slot lasts at first.
    pub grace: Duration,
}

/// Takes a slot for a run that is claimed.
pub(super) fn secure(world: &mut World, transition: &mut Transition) -> Result<(), Refusal> {
    let deployment = deployment_of(world, transition.run);
    if transition.caller.takes_slots {
        return Ok(());
    }
    let Some((initial, _)) = transition.between(&[], &[StateType::Pending]) else {
        return Ok(());
    };
    let holds_one = [
        StateType::Pending,
        StateType::Running,
        StateType::Cancelling,
    ];
    let (false, Some(deployment)) = (holds_one.contains(&initial.type_), deployment) else {
        return Ok(());
    };
    if world.deployments.get(deployment).is_none() {
        transition.abort("Deployment not found.");
        return Ok(());
    }
    let Some(limit) = world.deployments.limit_of(deployment, &world.limits) else {
        return Ok(());
    };
    if limit.limit == 0 {
        transition.abort(
            "The deployment concurrency limit is 0. The flow will deadlock if submitted again.",
        );
        return Ok(());
    }
    let reason = "Deployment concurrency limit reached.";
    match world
        .limits
        .acquire(limit.id, 1, limit.grace, world.now, None)
    {
        Some(lease) => {
            if let Some(proposed) = &mut transition.proposed {
                let details = proposed.state_details.get_or_insert_default();
                details.deployment_concurrency_lease_id = lease.into();
            }
            transition.after.acquired = Some((limit.id, lease));
        }
        None if limit.cancels_new => {
            let mut cancelled = own_state(world.now, StateType::Cancelled, "Cancelled")?;
            cancelled.message = reason.into();
            transition.reject(Some(cancelled), reason);
        }
        None => {
            let mut waiting =
                own_state(world.now, StateType::Scheduled, "AwaitingConcurrencySlot")?;
            let details = waiting.state_details.get_or_insert_default();
            details.scheduled_time = (world.now + SLOT_WAIT).into();
            transition.reject(Some(waiting), reason);
        }
    }
    Ok(())
}

/// Renews the lease of a run that begins; one that is lost is replaced, if there is still a slot.
pub(super) fn validate_at_running(
    world: &mut World,
    transition: &mut Transition,
) -> Result<(), Refusal> {
    let (run, renews) = (transition.run, transition.caller.renews_leases);
    let deployment = deployment_of(world, run);
    let Some((initial, proposed)) =
        transition.between(&[StateType::Pending], &[StateType::Running])
    else {
        return Ok(());
    };
    let lease = lease_of(initial);
    let details = proposed.state_details.get_or_insert_default();
    details.deployment_concurrency_lease_id = lease.into();
    let (Some(lease), true, Some(deployment)) = (lease, renews, deployment) else {
        return Ok(());
    };
    let Some(limit) = world.deployments.limit_of(deployment, &world.limits) else {
        return Ok(());
    };
    if world.limits.renew(lease, limit.grace, world.now) {
        return Ok(());
    }
    let holder = ConcurrencyLeaseHolder::new(ConcurrencyLeaseHolderType::FlowRun, run);
    match world
        .limits
        .acquire(limit.id, 1, limit.grace, world.now, Some(holder))
    {
        Some(lease) => details.deployment_concurrency_lease_id = lease.into(),
        None => {
            let mut cancelled = own_state(world.now, StateType::Cancelled, "Cancelled")?;
            cancelled.message = "Deployment concurrency slot lost during provisioning - no slots available to continue execution".into();
            transition.reject(
                Some(cancelled),
                "Deployment concurrency limit reached after lease expiry.",
            );
        }
    }
    Ok(())
}

/// A client that does not renew leases loses that of the claim; its slot stays counted.
pub(super) fn revoke_of_old_clients(transition: &mut Transition) {
    let to = [StateType::Running, StateType::Cancelling];
    if !transition.caller.renews_leases && transition.between(&[StateType::Pending], &to).is_some()
    {
        transition.after.revokes_lease = true;
    }
}

/// What becomes of slots after a transition.
pub(super) fn release(world: &mut World, transition: &Transition) -> Result<(), Refusal> {
    let initial = transition.initial.as_ref();
    let lease = initial.and_then(lease_of);
    if transition.after.revokes_lease
        && transition.is_as_intended()
        && let Some(lease) = lease
    {
        world.limits.revoke(lease);
    }
    // Another rule has changed a transition that had taken a slot.
    if !transition.is_as_intended()
        && let Some((limit, lease)) = transition.after.acquired
    {
        world.limits.release(lease, Some(limit), world.now)?;
    }
    let Some(entered) = &transition.proposed else {
        return Ok(());
    };
    let holds = |state: &State| {
        matches!(
            state.type_,
            StateType::Pending | StateType::Running | StateType::Cancelling
        )
    };
    let keeps = entered.name.as_deref() == Some("AwaitingRetry")
        && entered.type_ == StateType::Scheduled
        && transition.status == SetStateStatus::Reject;
    if !initial.is_some_and(holds) || holds(entered) || keeps {
        return Ok(());
    }
    give_back_slot(world, transition.run, lease)
}

/// Gives back the slot of a run that is deleted. Its lease stays, and the slot is given back again when that ends.
pub(super) fn give_back(world: &mut World, run: Uuid) {
    let holds = [
        StateType::Pending,
        StateType::Running,
        StateType::Cancelling,
    ];
    let state = world.flow_runs.rows.get(run).and_then(Run::state);
    if !state.is_some_and(|state| holds.contains(&state.type_)) {
        return;
    }
    let deployment = deployment_of(world, run);
    let limit = deployment.and_then(|id| world.deployments.limit_of(id, &world.limits));
    if let Some(limit) = limit {
        // One that is switched off has no slots to give back.
        drop(world.limits.decrement(&[limit.id], 1, world.now));
    }
}

fn give_back_slot(world: &mut World, run: Uuid, lease: Option<Uuid>) -> Result<(), Refusal> {
    let Some(deployment) = deployment_of(world, run) else {
        return Ok(());
    };
    let limit = world.deployments.limit_of(deployment, &world.limits);
    let limit = limit.map(|limit| limit.id);
    match (lease, limit) {
        (Some(lease), limit) => world.limits.release(lease, limit, world.now),
        (None, Some(limit)) => world.limits.decrement(&[limit], 1, world.now),
        (None, None) => Ok(()),
    }
}

fn deployment_of(world: &World, run: Uuid) -> Option<Uuid> {
    *world.flow_runs.rows.get(run)?.shown.deployment_id
}
