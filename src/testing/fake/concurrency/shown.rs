//! What the server returns of a limit: each of its routes has a form of its own.

use serde_json::json;
use uuid::Uuid;

use super::super::reply::Refusal;
use super::super::world::row;
use super::limit::Limit;
use crate::types::{
    ConcurrencyLimit, ConcurrencyLimitV2, GlobalConcurrencyLimitResponse,
    MinimalConcurrencyLimitResponse,
};

impl Limit {
    /// What the creation of a global limit returns.
    pub(super) fn whole(&self) -> Result<ConcurrencyLimitV2, Refusal> {
        row(json!({
            "id": self.id, "created": self.created, "updated": self.updated,
            "active": self.active, "name": self.name, "limit": self.limit,
            "active_slots": self.active_slots, "denied_slots": self.denied_slots,
            "slot_decay_per_second": self.slot_decay_per_second,
            "avg_slot_occupancy_seconds": self.avg_slot_occupancy_seconds,
        }))
    }

    /// A global limit, with so many slots in use.
    ///
    /// The routes of limits send what is [`occupied`](Limit::occupied); within a deployment it is `active_slots`, without decay.
    pub(crate) fn global(&self, slots: i64) -> Result<GlobalConcurrencyLimitResponse, Refusal> {
        row(json!({
            "id": self.id, "created": self.created, "updated": self.updated,
            "active": self.active, "name": self.name, "limit": self.limit,
            "active_slots": slots, "slot_decay_per_second": self.slot_decay_per_second,
        }))
    }

    /// The limit of a tag, with the task runs that hold its slots.
    pub(super) fn of_tag(&self, tag: &str, holders: &[Uuid]) -> Result<ConcurrencyLimit, Refusal> {
        row(json!({
            "id": self.id, "created": self.created, "updated": self.updated,
            "tag": tag, "concurrency_limit": self.limit, "active_slots": holders,
        }))
    }

    /// What taking slots and giving them back returns. The older route to take them names a limit by its tag.
    pub(super) fn brief(&self, name: &str) -> Result<MinimalConcurrencyLimitResponse, Refusal> {
        row(json!({"id": self.id, "name": name, "limit": self.limit}))
    }
}
