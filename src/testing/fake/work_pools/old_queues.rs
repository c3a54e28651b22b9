//! What the older operations on queues do, which know no pools.

use uuid::Uuid;

use super::events;
use super::filter::queue_fulfils;
use super::legacy;
use super::poolless::create_poolless_queue;
use super::queue_changes::{remove_queue, update_queue};
use super::queues::{change, creation};
use super::row::Queue;
use super::slots::{by_queue, holds_of_old, shown_queue};
use crate::testing::fake::call::Call;
use crate::testing::fake::page;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;
use crate::types::WorkQueueResponse;

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = creation(call)?;
    let id = create_poolless_queue(world, body.into())?
        .ok_or_else(|| Refusal::detail(409, "A work queue with this name already exists."))?;
    let queue = world.work_pools.queues.get(id);
    let queue = queue.ok_or_else(Refusal::integrity)?;
    Ok(Reply::created(&shown_queue(queue, &Default::default())))
}

pub(super) fn read(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let queue = found(world, call.id("id")?)?;
    Ok(Reply::ok(&shown(world, vec![queue])?.remove(0)))
}

pub(super) fn read_by_name(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let queue = world.work_pools.poolless_queue(call.text("name"));
    let queue = queue.ok_or_else(missing)?;
    Ok(Reply::ok(&shown(world, vec![queue])?.remove(0)))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    let filter = &body["work_queues"];
    let mut queues = world.select(&world.work_pools.queues, |queue| {
        queue_fulfils(world, queue, filter)
    })?;
    queues.sort_by(|a, b| a.shown.name.cmp(&b.shown.name));
    let queues = page::page(queues, &body)?;
    Ok(Reply::ok(&shown(world, queues)?))
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let (id, body) = (call.id("id")?, change(call)?);
    if world.work_pools.queues.get(id).is_none() {
        return Err(Refusal::not_found(format!("Work Queue {id} not found")));
    }
    update_queue(world, id, body)?;
    Ok(Reply::no_content())
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    found(world, id)?;
    events::queue_deleted(world, id);
    let pool = world.work_pools.queue_and_pool(id);
    if pool.is_some_and(|(_, pool)| *pool.shown.default_queue_id == Some(id)) {
        return Err(Refusal::integrity());
    }
    remove_queue(world, id);
    Ok(Reply::no_content())
}

fn found(world: &World, id: Uuid) -> Result<&Queue, Refusal> {
    world.work_pools.queues.get(id).ok_or_else(missing)
}

fn missing() -> Refusal {
    Refusal::not_found("work queue not found")
}

fn shown(world: &World, queues: Vec<&Queue>) -> Result<Vec<WorkQueueResponse>, Refusal> {
    let slots = by_queue(world, holds_of_old);
    let mut replies = Vec::new();
    for queue in queues {
        let mut reply = shown_queue(queue, &slots);
        if reply.active_slots.is_some()
            && let Some(filter) = queue.shown.filter.as_ref()
        {
            reply.active_slots = legacy::active_slots(world, filter)?.into();
        }
        replies.push(reply);
    }
    Ok(replies)
}
