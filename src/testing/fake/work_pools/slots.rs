//! The slots of pools and queues that flow runs hold.

use std::collections::HashMap;

use uuid::Uuid;

use super::row::{Pool, Queue};
use crate::testing::fake::flow_runs::Run;
use crate::testing::fake::world::World;
use crate::types::{StateType, WorkPoolResponse, WorkQueueResponse};

/// Whether a run holds a slot of its pool, and of its queue as far as workers are concerned.
pub(super) fn holds(run: &Run) -> bool {
    is_in(run, &[StateType::Pending, StateType::Running])
}

/// Whether a run holds a slot of its queue as far as the older routes are concerned.
pub(super) fn holds_of_old(run: &Run) -> bool {
    holds(run) || is_in(run, &[StateType::Cancelling])
}

fn is_in(run: &Run, states: &[StateType]) -> bool {
    let state = run.shown.state_type.as_ref();
    state.is_some_and(|state| states.contains(state))
}

/// How many runs hold slots, by queue.
pub(super) fn by_queue(world: &World, holds: fn(&Run) -> bool) -> HashMap<Uuid, i64> {
    let mut counts = HashMap::new();
    for run in world.flow_runs.rows.iter() {
        if let (Some(queue), true) = (*run.shown.work_queue_id, holds(run)) {
            *counts.entry(queue).or_default() += 1;
        }
    }
    counts
}

/// How many runs hold slots of the queues of a pool.
pub(super) fn of_pool(world: &World, pool: Uuid, by_queue: &HashMap<Uuid, i64>) -> i64 {
    let queues = world.work_pools.queues.iter();
    let queues = queues.filter(|queue| queue.pool == pool);
    queues
        .filter_map(|queue| by_queue.get(&queue.shown.id))
        .sum()
}

/// The pool as the server returns it.
pub(super) fn shown_pool(
    world: &World,
    pool: &Pool,
    by_queue: &HashMap<Uuid, i64>,
) -> WorkPoolResponse {
    let mut shown = pool.shown.clone();
    if pool.is_agents() {
        shown.status = None.into();
    }
    let slots = of_pool(world, pool.shown.id, by_queue);
    shown.active_slots = shown.concurrency_limit.map(|_| slots).into();
    shown
}

/// The queue as the server returns it.
pub(super) fn shown_queue(queue: &Queue, by_queue: &HashMap<Uuid, i64>) -> WorkQueueResponse {
    let mut shown = queue.shown.clone();
    let slots = by_queue.get(&queue.shown.id).copied().unwrap_or(0);
    shown.active_slots = shown.concurrency_limit.map(|_| slots).into();
    shown
}
