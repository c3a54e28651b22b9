//! Which task runs a filter selects.

use serde_json::Value;
use uuid::Uuid;

use super::state::TaskRow;
use crate::testing::fake::filter::{self, Column};
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::World;

/// Whether a task run fulfils a filter.
pub(crate) fn fulfils(world: &World, row: &TaskRow, filter: &Value) -> Result<bool, Refusal> {
    let has_subflow = || {
        let id = row.shown.id;
        world
            .flow_runs
            .rows
            .iter()
            .any(|run| run.shown.parent_task_run_id == id)
    };
    judge(row, filter, &has_subflow)
}

/// Whether a task run fulfils a filter; whether it stands for a subflow, who asks knows.
pub(super) fn judge(
    row: &TaskRow,
    filter: &Value,
    has_subflow: &dyn Fn() -> bool,
) -> Result<bool, Refusal> {
    let shown = &row.shown;
    let state = |conditions: &Value| {
        filter::matches(conditions, &|word, conditions| {
            // The parts without a condition do not count.
            conditions["any_"].as_array()?;
            Some(match word {
                "type" => Column::Text(shown.state_type.as_ref().map(|kind| kind.as_str())),
                "name" => Column::Text(shown.state_name.as_deref()),
                _ => return None,
            })
        })
    };
    filter::matches(filter, &|word, conditions| {
        Some(match word {
            "id" => Column::Id(Some(shown.id)),
            "name" => Column::Text(shown.name.as_deref()),
            "tags" => Column::Tags(shown.tags.as_deref().unwrap_or_default()),
            "state" => Column::Judged(state(&with_conditions(conditions)).ok()?),
            "start_time" => Column::Time(*shown.start_time),
            "end_time" => Column::Time(*shown.end_time),
            "expected_start_time" => Column::Time(*shown.expected_start_time),
            "subflow_runs" => {
                let wanted = conditions["exists_"].as_bool();
                Column::Judged(wanted.is_none_or(|wanted| wanted == has_subflow()))
            }
            "flow_run_id" => Column::Judged(is_of(conditions, *shown.flow_run_id)),
            _ => return None,
        })
    })
}

/// A filter without the words that have no condition: the server leaves them out of an alternative.
fn with_conditions(filter: &Value) -> Value {
    let words = filter.as_object().into_iter().flatten();
    let given = words.filter(|(word, value)| {
        *word == "operator" || value["any_"].is_array() || has_other(value)
    });
    Value::Object(
        given
            .map(|(word, value)| (word.clone(), value.clone()))
            .collect(),
    )
}

fn has_other(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|words| words.keys().any(|word| word != "any_"))
}

/// Whether a task run is of one of these flow runs. Without any condition, it must be of some flow run.
fn is_of(conditions: &Value, flow_run: Option<Uuid>) -> bool {
    let wanted = conditions["any_"].as_array();
    let is_null = match conditions.get("is_null_") {
        None => Some(false),
        Some(given) => given.as_bool(),
    };
    match (is_null, wanted) {
        (Some(true), _) => flow_run.is_none(),
        (Some(false), None) => flow_run.is_some(),
        (None, None) => true,
        (_, Some(wanted)) => {
            let is = |id: &Value| id.as_str().and_then(|id| id.parse().ok()) == flow_run;
            flow_run.is_some() && wanted.iter().any(is)
        }
    }
}
