//! The queue into which a deployment is put.

use uuid::Uuid;

use crate::testing::fake::reply::Refusal;
use crate::testing::fake::work_pools::{NewQueue, create_queue, ensure_poolless_queue, is_plain};
use crate::testing::fake::world::World;

/// A queue by the names of it and of its pool; an empty name is none.
#[derive(Clone, Debug, Default)]
pub(super) struct TargetQueue {
    pool: Option<String>,
    queue: Option<String>,
}

impl TargetQueue {
    pub(super) fn new(pool: Option<&str>, queue: Option<&str>) -> Self {
        let given = |name: Option<&str>| name.filter(|name| !name.is_empty()).map(str::to_owned);
        Self {
            pool: given(pool),
            queue: given(queue),
        }
    }

    /// Refuses what `obtain` would refuse, before anything is changed.
    pub(super) fn check(&self, world: &World) -> Result<(), Refusal> {
        let pool = self.pool_id(world)?;
        let Some(name) = &self.queue else {
            return Ok(());
        };
        let is_there = match pool {
            Some(pool) => world.work_pools.queue_named(pool, name).is_some(),
            None => world.work_pools.has_poolless_queue(name),
        };
        match is_there || is_plain(name) {
            true => Ok(()),
            // The server creates a queue of that name, and fails in doing so.
            false => Err(Refusal::message(500, "Internal Server Error")),
        }
    }

    /// The id of the queue, which is created where it is not there; `None` where no queue is named.
    pub(super) fn obtain(&self, world: &mut World) -> Result<Option<Uuid>, Refusal> {
        match (self.pool_id(world)?, &self.queue) {
            (Some(pool), Some(name)) => {
                if let Some(queue) = world.work_pools.queue_named(pool, name) {
                    return Ok(Some(queue.shown.id));
                }
                create_queue(world, pool, NewQueue::named(name))
            }
            (Some(_), None) => {
                let pool = self
                    .pool
                    .as_deref()
                    .and_then(|name| world.work_pools.pool_named(name));
                Ok(pool.and_then(|pool| *pool.shown.default_queue_id))
            }
            (None, Some(name)) => ensure_poolless_queue(world, name).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn pool_id(&self, world: &World) -> Result<Option<Uuid>, Refusal> {
        let Some(name) = &self.pool else {
            return Ok(None);
        };
        match world.work_pools.pool_named(name) {
            Some(pool) => Ok(Some(pool.shown.id)),
            None => Err(Refusal::not_found(format!(
                "Work pool \"{name}\" not found."
            ))),
        }
    }
}
