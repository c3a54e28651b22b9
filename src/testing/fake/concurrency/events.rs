//! The events of changes of limits. Those of deployments have none when the server makes them, nor do slots.

use serde_json::json;

use super::limit::Limit;
use crate::testing::fake::lifecycle::{self, Change, Object};
use crate::testing::fake::world::World;

pub(super) fn emit(world: &mut World, change: Change, limit: &Limit) {
    let object = Object {
        kind: "concurrency-limit",
        id: limit.id,
        name: &limit.name,
        related: Vec::new(),
    };
    let payload = json!({
        "name": limit.name, "limit": limit.limit, "active": limit.active,
        "slot_decay_per_second": limit.slot_decay_per_second,
    });
    lifecycle::emit(world, change, object, &payload);
}
