//! The deletion of flow runs.

use std::collections::BTreeSet;

use serde_json::json;
use uuid::Uuid;

use super::matching::matching;
use super::read::missing;
use super::slots;
use crate::testing::fake::call::Call;
use crate::testing::fake::page;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;
use crate::types::Field;

/// The most runs that are deleted at a time.
const BULK_LIMIT: usize = 50;

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    slots::give_back(world, id);
    match remove(world, id) {
        true => {
            world.logs.remove_of_flow_run(id);
            Ok(Reply::no_content())
        }
        false => Err(missing()),
    }
}

pub(super) fn delete_many(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    let limit = page::bulk_limit(&body, BULK_LIMIT)?;
    let runs = matching(world, &json!({"flow_runs": body["flow_runs"]}))?;
    let mut ids: Vec<Uuid> = runs.iter().map(|run| run.shown.id).collect();
    ids.sort_by(|a, b| b.cmp(a));
    ids.truncate(limit);
    for id in &ids {
        slots::give_back(world, *id);
        remove(world, *id);
        world.logs.remove_of_flow_run(*id);
    }
    Ok(Reply::ok(&json!({"deleted": ids})))
}

/// Removes the runs of a flow that is removed.
pub(crate) fn remove_all_of_flow(world: &mut World, flow: Uuid) {
    let runs = world
        .flow_runs
        .rows
        .iter()
        .filter(|run| run.shown.flow_id == flow);
    let ids: Vec<Uuid> = runs.map(|run| run.shown.id).collect();
    for id in ids {
        remove(world, id);
    }
}

/// Removes a run with what belongs to it; whether there was one. Its lines stay, unless it is the run itself that is deleted.
pub(crate) fn remove(world: &mut World, id: Uuid) -> bool {
    let Some(run) = world.flow_runs.rows.remove(id) else {
        return false;
    };
    if let Some(key) = run.shown.idempotency_key.into_option() {
        world.flow_runs.by_key.remove(&(run.shown.flow_id, key));
    }
    let tasks = world.task_runs.remove_of_flow_run(id);
    orphan_subflows(world, &tasks);
    world.inputs.remove_of_flow_run(id);
    true
}

/// The subflow of a task run outlives it.
pub(crate) fn orphan_subflows(world: &mut World, task_runs: &BTreeSet<Uuid>) {
    for run in world.flow_runs.rows.iter_mut() {
        let parent = *run.shown.parent_task_run_id;
        if parent.is_some_and(|parent| task_runs.contains(&parent)) {
            run.shown.parent_task_run_id = Field::NULL;
        }
    }
}
