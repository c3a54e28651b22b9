//! Reading, pausing and resuming deployments.

use serde_json::Value;
use uuid::Uuid;

use super::row::Deployment;
use super::waiting_runs::{Which, remove_waiting_runs};
use crate::testing::fake::call::Call;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;
use crate::types::DeploymentResponse;

pub(super) fn read(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let row = found(world, call.id("id")?)?;
    Ok(Reply::ok(&shown(world, row)?))
}

pub(super) fn read_by_name(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let (flow, name) = (call.text("flow_name"), call.text("deployment_name"));
    let rows = &world.deployments.rows;
    let row = rows.find(|row| row.flow_name == flow && row.shown.name == name);
    let row = row.ok_or_else(|| Refusal::not_found("Deployment not found"))?;
    Ok(Reply::ok(&shown(world, row)?))
}

pub(super) fn pause(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    set_paused(world, id, true)?;
    remove_waiting_runs(world, id, Which::Auto);
    Ok(Reply::ok(&Value::Null))
}

pub(super) fn resume(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    set_paused(world, call.id("id")?, false)?;
    Ok(Reply::ok(&Value::Null))
}

fn set_paused(world: &mut World, id: Uuid, is_paused: bool) -> Result<(), Refusal> {
    found(world, id)?;
    let now = world.now;
    if let Some(row) = world.deployments.rows.get_mut(id)
        && row.shown.paused != Some(is_paused)
    {
        row.shown.paused = Some(is_paused);
        row.shown.updated = now.into();
    }
    Ok(())
}

pub(super) fn check_queues(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let row = found(world, call.id("id")?)?;
    let tags = row.shown.tags.as_deref().unwrap_or_default();
    Ok(Reply::ok(&world.work_pools.queues_for(row.shown.id, tags)))
}

pub(super) fn found(world: &World, id: Uuid) -> Result<&Deployment, Refusal> {
    let row = world.deployments.rows.get(id);
    row.ok_or_else(|| Refusal::not_found("Deployment not found"))
}

/// The deployment as the server returns it.
pub(super) fn shown(world: &World, row: &Deployment) -> Result<DeploymentResponse, Refusal> {
    let mut shown = row.shown.clone();
    let queue = shown
        .work_queue_id
        .and_then(|id| world.work_pools.queue_and_pool(id));
    if let Some((queue, pool)) = queue {
        shown.work_queue_name = queue.shown.name.clone().into();
        shown.work_pool_name = pool.shown.name.clone().into();
    }
    // A limit that was deleted is none any more.
    if let Some(limit) = row.limit.and_then(|id| world.limits.get(id)) {
        shown.global_concurrency_limit = limit.global(limit.active_slots)?.into();
    }
    Ok(shown)
}
