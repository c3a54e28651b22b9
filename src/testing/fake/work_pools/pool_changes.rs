//! Creating pools, and changing their status.

use serde_json::json;
use uuid::Uuid;

use super::events;
use super::queue_changes::{NewQueue, add_queue};
use super::row::Pool;
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::{World, row};
use crate::types::{
    Json, WorkPoolCreate, WorkPoolResponse, WorkPoolStatus, WorkPoolStorageConfiguration,
};

/// Creates a pool with its default queue. Its name must be free.
pub(super) fn create_pool(world: &mut World, new: WorkPoolCreate) -> Result<Uuid, Refusal> {
    let id = Uuid::new_v4();
    let is_paused = new.is_paused.unwrap_or(false);
    let mut shown: WorkPoolResponse = row(json!({
        "id": id, "created": world.now, "updated": world.now, "name": new.name, "description": *new.description,
        "type": new.type_.unwrap_or_else(|| super::row::AGENT_TYPE.to_owned()), "base_job_template": {}, "is_paused": is_paused,
        "concurrency_limit": *new.concurrency_limit, "status": "NOT_READY", "default_queue_id": null,
        "storage_configuration": {}, "active_slots": null,
    }))?;
    if let Some(template) = new.base_job_template {
        shown.base_job_template = Some(template);
    }
    shown.storage_configuration = Some(storage(new.storage_configuration)?);
    let pool = Pool {
        shown,
        last_status: None,
    };
    let status = match is_paused && !pool.is_agents() {
        true => WorkPoolStatus::Paused,
        false => WorkPoolStatus::NotReady,
    };
    world.work_pools.pools.insert(id, pool);
    let description = "The work pool's default queue.".to_owned();
    let queue = NewQueue {
        description,
        ..NewQueue::named("default")
    };
    let queue = add_queue(world, id, queue)?;
    if let Some(pool) = world.work_pools.pools.get_mut(id) {
        pool.shown.status = status.into();
        pool.shown.default_queue_id = queue.into();
    }
    events::pool_created(world, id);
    Ok(id)
}

/// Sets the status of a pool, and tells of it.
pub(super) fn set_status(world: &mut World, id: Uuid, status: WorkPoolStatus) {
    let now = world.now;
    let Some(pool) = world.work_pools.pools.get_mut(id) else {
        return;
    };
    let event = Uuid::new_v4();
    let before = pool.last_status.replace((event, now));
    // A change that is long ago is surely known to all by now.
    let recent = before.filter(|(_, at)| now - *at < chrono::TimeDelta::minutes(10));
    pool.shown.status = status.into();
    pool.shown.updated = now.into();
    events::pool_status(world, id, event, recent.map(|(event, _)| event));
}

/// A storage configuration with all keys that the server returns.
pub(super) fn storage(
    given: Option<WorkPoolStorageConfiguration>,
) -> Result<WorkPoolStorageConfiguration, Refusal> {
    let mut all: WorkPoolStorageConfiguration = row(json!({
        "bundle_upload_step": null, "bundle_execution_step": null, "default_result_storage_block_id": null,
    }))?;
    if let Some(given) = given {
        if !given.extra.is_empty() {
            return Err(Refusal::invalid(
                &["body", "storage_configuration"],
                "extra_forbidden",
                "Extra inputs are not permitted",
            ));
        }
        let step = |step: crate::types::Field<Json>| step.into_option().into();
        all.bundle_upload_step = step(given.bundle_upload_step);
        all.bundle_execution_step = step(given.bundle_execution_step);
        all.default_result_storage_block_id =
            given.default_result_storage_block_id.into_option().into();
    }
    Ok(all)
}
