//! The priorities of the queues of a pool.

use uuid::Uuid;

use crate::testing::fake::world::World;

/// The priority of a new queue that asks for none: the first that is free.
pub(super) fn free_priority(world: &World, pool: Uuid) -> i64 {
    let queues = world.work_pools.queues_of(pool);
    let taken = queues.iter().map(|queue| queue.priority);
    let (mut free, mut highest) = (None, 0);
    for (expected, priority) in (1..).zip(taken) {
        if priority != expected && free.is_none() {
            free = Some(expected);
        }
        highest = highest.max(priority);
    }
    free.unwrap_or(highest + 1)
}

/// Makes the priorities of a pool unique again after one queue was put at a priority, with as few changes as the server makes.
pub(super) fn reorder(world: &mut World, pool: Uuid, moved: Option<(Uuid, i64)>) {
    let queues = world.work_pools.queues_of(pool);
    let mut order: Vec<(Uuid, i64)> = queues.iter().map(|q| (q.shown.id, q.priority)).collect();
    if let Some((id, priority)) = moved {
        order.retain(|(other, _)| *other != id);
        // Behind all others it has its place already.
        if let Some(place) = order.iter().position(|(_, held)| *held >= priority) {
            order.insert(place, (id, priority));
        }
    }
    let now = world.now;
    let mut last = 0;
    for (id, priority) in order {
        last = match priority <= last {
            true => last + 1,
            false => priority,
        };
        if let Some(queue) = world.work_pools.queues.get_mut(id)
            && queue.priority != last
        {
            queue.priority = last;
            queue.shown.priority = Some(last);
            queue.shown.updated = now.into();
        }
    }
}
