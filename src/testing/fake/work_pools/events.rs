//! The events of work pools and queues.

use serde_json::{Value, json};
use uuid::Uuid;

use super::emit::{ServerEvent, emit};
use super::row::{Pool, Queue};
use crate::testing::fake::world::World;

pub(super) fn pool_created(world: &mut World, pool: Uuid) {
    pool_event(world, pool, "created");
}

pub(super) fn pool_deleted(world: &mut World, pool: Uuid) {
    pool_event(world, pool, "deleted");
}

fn pool_event(world: &mut World, pool: Uuid, what: &str) {
    let Some(pool) = world.work_pools.pools.get(pool) else {
        return;
    };
    let mut event = ServerEvent::new(format!("prefect.work-pool.{what}"), in_role(pool));
    if let Some(queue) = *pool.shown.default_queue_id {
        event.related.push(json!({
            "prefect.resource.id": format!("prefect.work-queue.{queue}"),
            "prefect.resource.role": "default-queue",
        }));
    }
    let storage = pool.shown.storage_configuration.as_ref();
    if let Some(block) = storage.and_then(|storage| *storage.default_result_storage_block_id) {
        event.related.push(json!({
            "prefect.resource.id": format!("prefect.block-document.{block}"),
            "prefect.resource.role": "result-storage",
        }));
    }
    emit(world, event);
}

pub(super) fn pool_updated(world: &mut World, pool: Uuid, changes: Value) {
    if let Some(pool) = world.work_pools.pools.get(pool) {
        let mut event = ServerEvent::new("prefect.work-pool.updated", in_role(pool));
        event.payload = changes;
        emit(world, event);
    }
}

/// Tells of the status that a pool has, by the event with this id.
pub(super) fn pool_status(world: &mut World, pool: Uuid, id: Uuid, follows: Option<Uuid>) {
    let Some(pool) = world.work_pools.pools.get(pool) else {
        return;
    };
    let status = pool
        .shown
        .status
        .as_ref()
        .map_or_else(String::new, |s| kebab(s.as_str()));
    let resource = json!({
        "prefect.resource.id": format!("prefect.work-pool.{}", pool.shown.id),
        "prefect.resource.name": pool.shown.name,
        "prefect.work-pool.type": pool.shown.type_,
    });
    let event = ServerEvent {
        id,
        follows,
        ..ServerEvent::new(format!("prefect.work-pool.{status}"), resource)
    };
    emit(world, event);
}

pub(super) fn queue_created(world: &mut World, queue: Uuid) {
    queue_event(world, queue, "created", json!({}));
}

pub(super) fn queue_deleted(world: &mut World, queue: Uuid) {
    queue_event(world, queue, "deleted", json!({}));
}

pub(super) fn queue_updated(world: &mut World, queue: Uuid, changes: Value) {
    queue_event(world, queue, "updated", changes);
}

/// Tells of the status that a queue has.
pub(super) fn queue_status(world: &mut World, queue: Uuid) {
    let row = world.work_pools.queues.get(queue);
    let status = row.and_then(|row| Some(kebab(row.shown.status.as_ref()?.as_str())));
    if let Some(status) = status {
        queue_event(world, queue, &status, json!({}));
    }
}

fn queue_event(world: &mut World, queue: Uuid, what: &str, payload: Value) {
    let Some((queue, pool)) = world.work_pools.queue_and_pool(queue) else {
        return;
    };
    let mut event = ServerEvent::new(format!("prefect.work-queue.{what}"), of_queue(queue));
    event.related.push(in_role(pool));
    event.payload = payload;
    emit(world, event);
}

fn of_queue(queue: &Queue) -> Value {
    json!({
        "prefect.resource.id": format!("prefect.work-queue.{}", queue.shown.id),
        "prefect.resource.name": queue.shown.name,
        "prefect.resource.role": "work-queue",
    })
}

fn in_role(pool: &Pool) -> Value {
    json!({
        "prefect.resource.id": format!("prefect.work-pool.{}", pool.shown.id),
        "prefect.resource.name": pool.shown.name,
        "prefect.work-pool.type": pool.shown.type_,
        "prefect.resource.role": "work-pool",
    })
}

/// `NOT_READY` → `not-ready`.
fn kebab(status: &str) -> String {
    status.to_lowercase().replace('_', "-")
}
