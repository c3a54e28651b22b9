//! Which pools, queues and workers a filter selects.

use serde_json::Value;
use uuid::Uuid;

use super::row::{Pool, Queue, Worker};
use crate::testing::fake::filter::{self, Column};
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::World;

/// Whether a pool fulfils a filter.
pub(super) fn fulfils(_: &World, pool: &Pool, filter: &Value) -> Result<bool, Refusal> {
    filter::matches(filter, &|word, _| {
        Some(match word {
            "id" => Column::Id(Some(pool.shown.id)),
            "name" => Column::Text(Some(&pool.shown.name)),
            "type" => Column::Text(Some(&pool.shown.type_)),
            _ => return None,
        })
    })
}

/// Whether a queue fulfils a filter.
pub(super) fn queue_fulfils(_: &World, queue: &Queue, filter: &Value) -> Result<bool, Refusal> {
    if filter["name"]["startswith_"] == Value::Array(Vec::new()) {
        // The server cannot put no alternatives into a query.
        return Err(Refusal::message(500, "Internal Server Error"));
    }
    filter::matches(filter, &|word, _| {
        Some(match word {
            "id" => Column::Id(Some(queue.shown.id)),
            "name" => Column::Text(Some(&queue.shown.name)),
            _ => return None,
        })
    })
}

/// Whether this is a queue that fulfils these filters of queues and their pools; without filters, there need be none.
pub(crate) fn is_in_queue(
    world: &World,
    queue: Option<Uuid>,
    pools: &Value,
    queues: &Value,
) -> Result<bool, Refusal> {
    if pools.is_null() && queues.is_null() {
        return Ok(true);
    }
    match queue.and_then(|id| world.work_pools.queue_and_pool(id)) {
        Some((queue, pool)) => {
            Ok(queue_fulfils(world, queue, queues)? && fulfils(world, pool, pools)?)
        }
        None => Ok(false),
    }
}

/// Whether a worker fulfils a filter. Its status is that of the server's table, which is not always the one that it returns.
pub(super) fn worker_fulfils(worker: &Worker, filter: &Value) -> Result<bool, Refusal> {
    filter::matches(filter, &|word, _| {
        Some(match word {
            "status" => Column::Text(Some(match worker.is_online {
                true => "ONLINE",
                false => "OFFLINE",
            })),
            "last_heartbeat_time" => Column::Time(Some(worker.last_heartbeat)),
            _ => return None,
        })
    })
}
