//! Which flows a filter selects.

use serde_json::Value;

use crate::testing::fake::filter::{self, Column};
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::World;
use crate::types::Flow;

/// Whether a flow fulfils a filter.
pub(crate) fn fulfils(world: &World, flow: &Flow, filter: &Value) -> Result<bool, Refusal> {
    filter::matches(filter, &|word, conditions| {
        Some(match word {
            "id" => Column::Id(Some(flow.id)),
            "name" => Column::Text(Some(&flow.name)),
            "tags" => Column::Tags(flow.tags.as_deref().unwrap_or_default()),
            "deployment" => {
                let has_one = world.deployments.has_flow(flow.id);
                Column::Judged(conditions["is_null_"].as_bool() != Some(has_one))
            }
            _ => return None,
        })
    })
}
