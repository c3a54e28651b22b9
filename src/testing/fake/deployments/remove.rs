//! The deletion of deployments.

use serde_json::json;
use uuid::Uuid;

use super::events;
use super::list::sorted;
use super::read::found;
use super::waiting_runs::{Which, remove_waiting_runs};
use crate::testing::fake::call::Call;
use crate::testing::fake::page;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;

/// The most deployments that are deleted at a time.
const BULK_LIMIT: usize = 50;

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    found(world, id)?;
    remove(world, id);
    Ok(Reply::no_content())
}

pub(super) fn delete_many(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    let limit = page::bulk_limit(&body, BULK_LIMIT)?;
    let rows = sorted(world, &json!({"deployments": body["deployments"]}))?;
    let ids: Vec<Uuid> = rows.iter().take(limit).map(|row| row.id()).collect();
    for id in &ids {
        remove(world, *id);
    }
    Ok(Reply::ok(&json!({"deleted": ids})))
}

fn remove(world: &mut World, id: Uuid) {
    events::deleted(world, id);
    remove_waiting_runs(world, id, Which::All);
    if let Some(row) = world.deployments.rows.remove(id) {
        world.limits.remove_of_deployment(row.limit);
    }
}

/// Removes the deployments of a flow that is removed. The server leaves their limits, and emits no events.
pub(crate) fn remove_all_of_flow(world: &mut World, flow: Uuid) {
    let rows = world.deployments.rows.iter();
    let ids = rows.filter(|row| row.shown.flow_id == flow);
    let ids: Vec<Uuid> = ids.map(|row| row.id()).collect();
    for id in ids {
        world.deployments.rows.remove(id);
    }
}
