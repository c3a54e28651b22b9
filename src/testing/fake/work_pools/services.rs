//! What the service that looks after workers does when time passes.

use chrono::TimeDelta;
use uuid::Uuid;

use super::events;
use super::pool_changes::set_status;
use super::queue_changes::POLL_TIMEOUT;
use super::workers::is_lost;
use crate::testing::fake::deployments::mark_unpolled;
use crate::testing::fake::world::World;
use crate::types::{WorkPoolStatus, WorkQueueStatus};

/// How often the service looks.
const INTERVAL: TimeDelta = TimeDelta::seconds(15);

/// Does what the service would have done by now.
pub(crate) fn tick(world: &mut World) {
    let last = *world.work_pools.checked.get_or_insert(world.now);
    if world.now - last < INTERVAL {
        return;
    }
    world.work_pools.checked = Some(world.now);
    lose_workers(world);
    stop_pools(world);
    mark_unpolled(world, POLL_TIMEOUT);
    stop_queues(world);
}

/// Workers without a heartbeat are offline.
fn lose_workers(world: &mut World) {
    let workers = world.work_pools.workers.iter();
    let lost = workers.filter(|worker| worker.is_online && is_lost(world, worker));
    let lost: Vec<Uuid> = lost.map(|worker| worker.shown.id).collect();
    let now = world.now;
    for id in lost {
        if let Some(worker) = world.work_pools.workers.get_mut(id) {
            worker.is_online = false;
            worker.shown.updated = now.into();
        }
    }
}

/// Pools without a worker are not ready.
fn stop_pools(world: &mut World) {
    let has_worker = |pool: Uuid| {
        let mut workers = world.work_pools.workers.iter();
        workers.any(|worker| worker.is_online && worker.shown.work_pool_id == pool)
    };
    let pools = world.work_pools.pools.iter();
    let stopped =
        pools.filter(|pool| pool.has_status(WorkPoolStatus::Ready) && !has_worker(pool.shown.id));
    let stopped: Vec<Uuid> = stopped.map(|pool| pool.shown.id).collect();
    for id in stopped {
        set_status(world, id, WorkPoolStatus::NotReady);
    }
}

/// Queues that nobody polls are not ready.
fn stop_queues(world: &mut World) {
    let now = world.now;
    let mut stopped = Vec::new();
    for queue in world.work_pools.queues.iter_mut() {
        let shown = &mut queue.shown;
        let is_unpolled = shown.last_polled.is_some_and(|at| now - at > POLL_TIMEOUT);
        if shown.status.as_ref() == Some(&WorkQueueStatus::Ready) && is_unpolled {
            shown.status = WorkQueueStatus::NotReady.into();
            shown.updated = now.into();
            stopped.push(shown.id);
        }
    }
    for id in stopped {
        events::queue_status(world, id);
    }
}
