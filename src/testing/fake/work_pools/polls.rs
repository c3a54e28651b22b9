//! Polls for work: they show that queues, and their deployments, are looked after.

use uuid::Uuid;

use super::events;
use crate::testing::fake::deployments::{Polled, mark_ready};
use crate::testing::fake::world::World;
use crate::types::WorkQueueStatus;

/// Records that these queues were polled.
pub(super) fn record(world: &mut World, queues: &[Uuid]) {
    let now = world.now;
    for id in queues {
        let Some(queue) = world.work_pools.queues.get_mut(*id) else {
            continue;
        };
        queue.shown.last_polled = now.into();
        queue.shown.updated = now.into();
        // A queue that is held stays so.
        if queue.shown.status.as_ref() == Some(&WorkQueueStatus::NotReady) {
            queue.shown.status = WorkQueueStatus::Ready.into();
            events::queue_status(world, *id);
        }
    }
    mark_ready(world, Polled::Queues(queues));
}
