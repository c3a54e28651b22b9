//! Queues without a pool of their own: the server keeps them in a pool for agents, which it creates with the first of them.

use uuid::Uuid;

use super::pool_changes::create_pool;
use super::queue_changes::{NewQueue, add_queue, create_queue};
use super::row::AGENT_POOL;
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::World;
use crate::types::WorkPoolCreate;

/// The queue of a name without a pool, which is created where there is none.
pub(crate) fn ensure_poolless_queue(world: &mut World, name: &str) -> Result<Uuid, Refusal> {
    if let Some(queue) = world.work_pools.poolless_queue(name) {
        return Ok(queue.shown.id);
    }
    let queue = NewQueue {
        priority: Some(1),
        ..NewQueue::named(name)
    };
    let created = create_poolless_queue(world, queue)?;
    created.ok_or_else(Refusal::integrity)
}

/// Creates a queue in the pool of those without one; `None` where its name is taken.
pub(super) fn create_poolless_queue(
    world: &mut World,
    new: NewQueue,
) -> Result<Option<Uuid>, Refusal> {
    if let Some(pool) = world.work_pools.pool_named(AGENT_POOL) {
        let pool = pool.shown.id;
        return create_queue(world, pool, new);
    }
    let pool = WorkPoolCreate::new(AGENT_POOL);
    let pool = create_pool(world, pool)?;
    match world.work_pools.queue_named(pool, &new.name) {
        // The pool has come with it.
        Some(queue) => Ok(Some(queue.shown.id)),
        None => add_queue(world, pool, new).map(Some),
    }
}
