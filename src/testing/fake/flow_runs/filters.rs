//! Which flow runs a filter selects.

use serde_json::{Value, json};

use super::row::Run;
use crate::testing::fake::filter::{self, Column};
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::World;

/// Whether a flow run fulfils a filter.
pub(crate) fn fulfils(world: &World, run: &Run, filter: &Value) -> Result<bool, Refusal> {
    let shown = &run.shown;
    filter::matches(filter, &|word, conditions| {
        Some(match word {
            "id" => Column::Id(Some(shown.id)),
            "name" => Column::Text(shown.name.as_deref()),
            "tags" => Column::Tags(shown.tags.as_deref().unwrap_or_default()),
            "deployment_id" => Column::Id(*shown.deployment_id),
            // The server filters by the name that it has stored, which is not always the one that it shows.
            "work_queue_name" => {
                let stored = world.work_pools.stored_names.get(&shown.id);
                Column::Text(stored.map(String::as_str))
            }
            "state.type" => Column::Text(shown.state_type.as_ref().map(|kind| kind.as_str())),
            "state.name" => Column::Text(shown.state_name.as_deref()),
            "flow_version" => Column::Text(shown.flow_version.as_deref()),
            "start_time" => Column::TimeOr(*shown.start_time, *shown.expected_start_time),
            "end_time" => Column::Time(*shown.end_time),
            "expected_start_time" => Column::Time(*shown.expected_start_time),
            "next_scheduled_start_time" => Column::Time(*shown.next_scheduled_start_time),
            "parent_task_run_id" => Column::Id(*shown.parent_task_run_id),
            "idempotency_key" => Column::Text(shown.idempotency_key.as_deref()),
            "parent_flow_run_id" => {
                let parent = shown
                    .parent_task_run_id
                    .and_then(|task| world.task_runs.flow_run_of(task));
                let wanted = conditions["any_"].as_array();
                Column::Judged(
                    wanted.is_none_or(|ids| {
                        parent.is_some_and(|parent| ids.contains(&json!(parent)))
                    }),
                )
            }
            _ => return None,
        })
    })
}
