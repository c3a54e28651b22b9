//! The flow runs that a list asks for.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::filters::fulfils;
use super::row::Run;
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::World;
use crate::testing::fake::{flows, task_runs, work_pools};

/// The runs that fulfil the filters of a list, in the order of their creation.
pub(super) fn matching<'a>(world: &'a World, body: &Value) -> Result<Vec<&'a Run>, Refusal> {
    let with_tasks = match &body["task_runs"] {
        Value::Null => None,
        filter => Some(task_runs::flow_runs_with(world, filter)?),
    };
    let fulfilled = |run: &'a Run| {
        Ok(fulfils(world, run, &body["flow_runs"])?
            && with_tasks
                .as_ref()
                .is_none_or(|ids: &HashSet<Uuid>| ids.contains(&run.shown.id))
            && is_of_flow(world, run, &body["flows"])?
            && is_of_deployment(world, run, &body["deployments"])?
            && is_in_queue(world, run, body)?)
    };
    // Who waits for runs asks for them by their ids, again and again.
    match ids(&body["flow_runs"]) {
        Some(ids) => {
            let mut rows = Vec::new();
            for run in ids.iter().filter_map(|id| world.flow_runs.rows.get(*id)) {
                if fulfilled(run)? {
                    rows.push(run);
                }
            }
            Ok(rows)
        }
        None => world.select(&world.flow_runs.rows, fulfilled),
    }
}

/// The runs by which flows and deployments are filtered: those that fulfil a filter of runs, and have a task run that fulfils one of task runs.
/// `None` where there is no filter.
pub(crate) fn of_lists<'a>(
    world: &'a World,
    runs: &Value,
    tasks: &Value,
) -> Result<Option<Vec<&'a Run>>, Refusal> {
    match (runs, tasks) {
        (Value::Null, Value::Null) => Ok(None),
        _ => matching(world, &json!({"flow_runs": runs, "task_runs": tasks})).map(Some),
    }
}

fn is_of_flow(world: &World, run: &Run, filter: &Value) -> Result<bool, Refusal> {
    match (filter, world.flows.get(run.shown.flow_id)) {
        (Value::Null, _) => Ok(true),
        (filter, Some(flow)) => flows::fulfils(world, flow, filter),
        (_, None) => Ok(false),
    }
}

fn is_of_deployment(world: &World, run: &Run, filter: &Value) -> Result<bool, Refusal> {
    match filter {
        Value::Null => Ok(true),
        filter => world.deployments.fulfils(*run.shown.deployment_id, filter),
    }
}

fn is_in_queue(world: &World, run: &Run, body: &Value) -> Result<bool, Refusal> {
    let (pools, queues) = (&body["work_pools"], &body["work_pool_queues"]);
    work_pools::is_in_queue(world, *run.shown.work_queue_id, pools, queues)
}

/// The ids that a filter restricts the runs to, without those that are named twice.
fn ids(filter: &Value) -> Option<BTreeSet<Uuid>> {
    if filter["operator"] == "or_" {
        return None;
    }
    let named = filter["id"]["any_"].as_array()?;
    named.iter().map(|id| id.as_str()?.parse().ok()).collect()
}
