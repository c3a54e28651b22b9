//! What the operations on the queues of a pool do.

use uuid::Uuid;

use super::events;
use super::filter::queue_fulfils;
use super::order::reorder;
use super::pools::named;
use super::queue_changes::{create_queue, remove_queue, update_queue};
use super::request::{at_least, check_name, no_null};
use super::row::Queue;
use super::slots::{by_queue, holds, shown_queue};
use crate::testing::fake::call::Call;
use crate::testing::fake::page;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;
use crate::types::{WorkQueueCreate, WorkQueueResponse, WorkQueueUpdate};

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = creation(call)?;
    let pool = named(world, call.text("work_pool_name"))?.shown.id;
    let id = create_queue(world, pool, body.into())?.ok_or_else(|| {
        // The server forgets to fill in the name.
        let text = "A work queue with this name already exists in work pool {work_pool_name!r}.";
        Refusal::detail(409, text)
    })?;
    let queue = world.work_pools.queues.get(id);
    let queue = queue.ok_or_else(Refusal::integrity)?;
    Ok(Reply::created(&shown_queue(queue, &Default::default())))
}

/// The body of a request that creates a queue.
pub(super) fn creation(call: &Call<'_>) -> Result<WorkQueueCreate, Refusal> {
    let body: WorkQueueCreate = call.body()?;
    no_null(&call.json()?, &["is_paused"])?;
    check_name(&body.name)?;
    at_least("concurrency_limit", *body.concurrency_limit, 0)?;
    at_least("priority", *body.priority, 1)?;
    Ok(body)
}

/// The body of a request that changes a queue.
pub(super) fn change(call: &Call<'_>) -> Result<WorkQueueUpdate, Refusal> {
    let body: WorkQueueUpdate = call.body()?;
    no_null(&call.json()?, &["is_paused"])?;
    at_least("concurrency_limit", *body.concurrency_limit, 0)?;
    at_least("priority", *body.priority, 1)?;
    Ok(body)
}

pub(super) fn read(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let queue = found(world, call.text("work_pool_name"), call.text("name"))?;
    Ok(Reply::ok(&shown_queue(queue, &by_queue(world, holds))))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    page::limit(&body)?;
    let pool = named(world, call.text("work_pool_name"))?.shown.id;
    let mut queues = Vec::new();
    for queue in world.work_pools.queues_of(pool) {
        if queue_fulfils(world, queue, &body["work_queues"])? {
            queues.push(queue);
        }
    }
    let slots = by_queue(world, holds);
    let queues = page::page(queues, &body)?.into_iter();
    let queues: Vec<WorkQueueResponse> = queues.map(|queue| shown_queue(queue, &slots)).collect();
    Ok(Reply::ok(&queues))
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = change(call)?;
    let id = of_pool(world, call)?;
    let priority = *body.priority;
    update_queue(world, id, body)?;
    let pool = world.work_pools.queue(id).map(|queue| queue.pool);
    if let (Some(pool), Some(priority)) = (pool, priority) {
        reorder(world, pool, Some((id, priority)));
    }
    Ok(Reply::no_content())
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = of_pool(world, call)?;
    events::queue_deleted(world, id);
    let pool = world.work_pools.queue_and_pool(id);
    let (pool, is_default) = pool
        .map(|(_, pool)| (pool.shown.id, *pool.shown.default_queue_id == Some(id)))
        .ok_or_else(Refusal::integrity)?;
    if is_default {
        return Err(Refusal::message(500, "Internal Server Error"));
    }
    remove_queue(world, id);
    reorder(world, pool, None);
    Ok(Reply::no_content())
}

/// The queue in the path, whose pool is looked for first.
fn of_pool(world: &World, call: &Call<'_>) -> Result<Uuid, Refusal> {
    let pool = call.text("work_pool_name");
    named(world, pool)?;
    Ok(found(world, pool, call.text("name"))?.shown.id)
}

/// The queue of a name in the pool of a name.
pub(super) fn found<'a>(world: &'a World, pool: &str, name: &str) -> Result<&'a Queue, Refusal> {
    let found = world.work_pools.pool_named(pool);
    let queue = found.and_then(|pool| world.work_pools.queue_named(pool.shown.id, name));
    let text = || format!("Work pool queue '{pool}/{name}' not found.");
    queue.ok_or_else(|| Refusal::not_found(text()))
}
