//! Counts of task runs.

use std::collections::{BTreeMap, HashSet};

use serde_json::json;
use uuid::Uuid;

use super::matching::matching;
use crate::testing::fake::call::Call;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;
use crate::types::{CountTaskRunsByFlowRunRequest, StateType};

/// The most flow runs whose task runs are counted at a time.
const MAX_FLOW_RUNS: usize = 200;

pub(super) fn count(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::ok(&matching(world, &call.json()?)?.len()))
}

pub(super) fn by_state(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let mut counts: BTreeMap<&str, u64> = StateType::KNOWN
        .iter()
        .map(|kind| (kind.as_str(), 0))
        .collect();
    for row in matching(world, &call.json()?)? {
        let kind = row.shown.state_type.as_ref().map(StateType::as_str);
        if let Some(count) = kind.and_then(|kind| counts.get_mut(kind)) {
            *count += 1;
        }
    }
    Ok(Reply::ok(&counts))
}

/// The number of task runs of each flow run, without those that stand for subflows.
pub(super) fn by_flow_run(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: CountTaskRunsByFlowRunRequest = call.decode()?;
    if body.flow_run_ids.len() > MAX_FLOW_RUNS {
        let text = format!("List should have at most {MAX_FLOW_RUNS} items");
        return Err(Refusal::invalid(
            &["body", "flow_run_ids"],
            "too_long",
            text,
        ));
    }
    let runs = world.flow_runs.rows.iter();
    let parents: HashSet<Uuid> = runs
        .filter_map(|run| *run.shown.parent_task_run_id)
        .collect();
    let counts = body.flow_run_ids.iter().map(|run| {
        let rows = world.task_runs.of_flow_run(*run);
        let count = rows.filter(|row| !parents.contains(&row.shown.id)).count();
        (run.to_string(), json!(count))
    });
    Ok(Reply::ok(&counts.collect::<BTreeMap<_, _>>()))
}
