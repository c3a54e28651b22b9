//! Whether deployments are ready: somebody has asked for their runs.

use chrono::TimeDelta;
use uuid::Uuid;

use super::events;
use crate::testing::fake::world::World;
use crate::types::DeploymentStatus;

/// What was polled for runs.
#[derive(Clone, Copy)]
pub(crate) enum Polled<'a> {
    Deployments(&'a [Uuid]),
    Queues(&'a [Uuid]),
}

/// Records that deployments were polled.
pub(crate) fn mark_ready(world: &mut World, polled: Polled<'_>) {
    let now = world.now;
    let mut changed = Vec::new();
    for row in world.deployments.rows.iter_mut() {
        let is_polled = match polled {
            Polled::Deployments(ids) => ids.contains(&row.shown.id),
            Polled::Queues(ids) => row.shown.work_queue_id.is_some_and(|id| ids.contains(&id)),
        };
        if !is_polled {
            continue;
        }
        row.shown.last_polled = now.into();
        if row.shown.status.as_ref() != Some(&DeploymentStatus::Ready) {
            row.shown.status = DeploymentStatus::Ready.into();
            changed.push(row.shown.id);
        }
    }
    for id in changed {
        events::ready(world, id, true);
    }
}

/// Deployments that nobody has polled for so long, nor their queue, are not ready.
pub(crate) fn mark_unpolled(world: &mut World, timeout: TimeDelta) {
    let now = world.now;
    let is_old = |at: chrono::DateTime<chrono::Utc>| now - at > timeout;
    let rows = world.deployments.rows.iter();
    let unpolled = rows.filter(|row| {
        let queue = row.shown.work_queue_id;
        let queue = queue.and_then(|id| world.work_pools.queue(id));
        let queue_polled = queue.and_then(|queue| *queue.shown.last_polled);
        row.shown.status.as_ref() == Some(&DeploymentStatus::Ready)
            && row.shown.last_polled.is_some_and(is_old)
            && queue_polled.is_none_or(is_old)
    });
    let unpolled: Vec<Uuid> = unpolled.map(|row| row.shown.id).collect();
    for id in unpolled {
        if let Some(row) = world.deployments.rows.get_mut(id) {
            row.shown.status = DeploymentStatus::NotReady.into();
        }
        events::ready(world, id, false);
    }
}
