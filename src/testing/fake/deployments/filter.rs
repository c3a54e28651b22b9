//! Which deployments a filter selects.

use serde_json::Value;
use uuid::Uuid;

use super::row::{Deployment, Deployments};
use crate::testing::fake::filter::{self, Column, like};
use crate::testing::fake::reply::Refusal;

impl Deployments {
    /// Whether there is a deployment of this id that fulfils a filter.
    pub(crate) fn fulfils(&self, id: Option<Uuid>, filter: &Value) -> Result<bool, Refusal> {
        match id.and_then(|id| self.rows.get(id)) {
            Some(row) => fulfils(row, &without_limit(filter)),
            None => Ok(false),
        }
    }
}

/// Whether a deployment fulfils a filter.
pub(super) fn fulfils(row: &Deployment, filter: &Value) -> Result<bool, Refusal> {
    let shown = &row.shown;
    filter::matches(filter, &|word, conditions| {
        Some(match word {
            "id" => Column::Id(Some(shown.id)),
            "name" => Column::Text(Some(&shown.name)),
            "paused" => Column::Bool(shown.paused),
            "tags" => Column::Tags(shown.tags.as_deref().unwrap_or_default()),
            "work_queue_name" => Column::Text(shown.work_queue_name.as_deref()),
            "flow_or_deployment_name" => {
                let pattern = format!("%{}%", conditions["like_"].as_str().unwrap_or_default());
                Column::Judged(like(&pattern, &shown.name) || like(&pattern, &row.flow_name))
            }
            _ => return None,
        })
    })
}

/// The filter without `concurrency_limit`, which the server ignores.
pub(super) fn without_limit(filter: &Value) -> Value {
    let mut filter = filter.clone();
    if let Some(words) = filter.as_object_mut() {
        words.remove("concurrency_limit");
    }
    filter
}
