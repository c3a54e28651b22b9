//! Queues with a filter of their own, by which they take runs: the way before deployments named their queue.

use serde_json::{Value, json};
use uuid::Uuid;

use super::row::{Queue, WorkPools};
use crate::testing::fake::flow_runs::{self, Run};
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::World;
use crate::types::QueueFilter;

/// What an older route does not return of a queue.
const NEWER_KEYS: [&str; 3] = ["work_pool_name", "status", "active_slots"];

/// How many of a queue's runs hold slots.
pub(super) fn active_slots(world: &World, filter: &QueueFilter) -> Result<i64, Refusal> {
    let state = json!({"type": {"any_": ["PENDING", "RUNNING"]}});
    let runs = runs(world, filter, state)?;
    Ok(i64::try_from(runs.len()).unwrap_or(i64::MAX))
}

/// The runs of a queue in certain states.
pub(super) fn runs<'a>(
    world: &'a World,
    filter: &QueueFilter,
    state: Value,
) -> Result<Vec<&'a Run>, Refusal> {
    let wanted = json!({
        "tags": {"all_": *filter.tags},
        "deployment_id": {"any_": *filter.deployment_ids, "is_null_": false},
        "state": state,
    });
    world.select(&world.flow_runs.rows, |run| {
        flow_runs::fulfils(world, run, &wanted)
    })
}

impl WorkPools {
    /// The queues that would take the runs of a deployment by their filters, as an older route tells.
    pub(crate) fn queues_for(&self, deployment: Uuid, tags: &[String]) -> Vec<Value> {
        let takes = |queue: &&Queue| {
            queue.shown.filter.as_ref().is_none_or(|filter| {
                let wanted = filter.tags.as_deref().unwrap_or_default();
                let ids = filter.deployment_ids.as_deref().unwrap_or_default();
                wanted.iter().all(|tag| tags.contains(tag))
                    && (ids.is_empty() || ids.contains(&deployment))
            })
        };
        let shown = self.queues.iter().filter(takes).map(|queue| {
            let mut shown = serde_json::to_value(&queue.shown).unwrap_or_default();
            if let Value::Object(keys) = &mut shown {
                keys.retain(|key, _| !NEWER_KEYS.contains(&key.as_str()));
            }
            shown
        });
        shown.collect()
    }
}
