//! Concurrency limits, slots and leases.

mod deployment_limits;
mod events;
mod global_limits;
mod lease;
mod limit;
mod limits;
mod run_slots;
mod shown;
mod slots;
mod tag_limits;
mod tag_slots;
mod task_slots;

use super::world::{Handler, World};

pub(crate) use limits::Limits;
pub(super) use task_slots::TaskSlots;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("create_concurrency_limit", tag_limits::create),
    ("read_concurrency_limit", tag_limits::read),
    ("read_concurrency_limit_by_tag", tag_limits::read_by_tag),
    ("read_concurrency_limits", tag_limits::list),
    ("reset_concurrency_limit_by_tag", tag_limits::reset),
    ("delete_concurrency_limit", tag_limits::delete),
    ("delete_concurrency_limit_by_tag", tag_limits::delete_by_tag),
    ("increment_concurrency_limits_v1", tag_slots::increment),
    ("decrement_concurrency_limits_v1", tag_slots::decrement),
    ("create_concurrency_limit_v2", global_limits::create),
    ("read_concurrency_limit_v2", global_limits::read),
    ("read_all_concurrency_limits_v2", global_limits::list),
    ("update_concurrency_limit_v2", global_limits::update),
    ("delete_concurrency_limit_v2", global_limits::delete),
    ("bulk_increment_active_slots", slots::increment),
    (
        "bulk_increment_active_slots_with_lease",
        slots::increment_with_lease,
    ),
    ("bulk_decrement_active_slots", slots::decrement),
    (
        "bulk_decrement_active_slots_with_lease",
        slots::decrement_with_lease,
    ),
    ("renew_concurrency_lease", slots::renew),
];

/// Takes back the slots of the leases that have ended.
pub(super) fn tick(world: &mut World) {
    let now = world.now;
    world.limits.expire(now);
}
