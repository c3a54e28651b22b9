//! The task runs that a list asks for.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::filters::judge;
use super::state::TaskRow;
use crate::testing::fake::flow_runs::fulfils as is_selected;
use crate::testing::fake::flows::fulfils as is_flow_selected;
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::World;

/// What a filter of task runs can be about.
const WORDS: [&str; 9] = [
    "id",
    "name",
    "tags",
    "state",
    "start_time",
    "end_time",
    "expected_start_time",
    "subflow_runs",
    "flow_run_id",
];

/// The task runs that fulfil the filters of a list, in the order of their creation.
pub(super) fn matching<'a>(world: &'a World, body: &Value) -> Result<Vec<&'a TaskRow>, Refusal> {
    let filter = &body["task_runs"];
    check(filter)?;
    let parents: HashSet<Uuid> = match filter["subflow_runs"].is_object() {
        true => world
            .flow_runs
            .rows
            .iter()
            .filter_map(|run| *run.shown.parent_task_run_id)
            .collect(),
        false => HashSet::new(),
    };
    let mut flow_runs = HashMap::new();
    let mut found = Vec::new();
    for row in candidates(world, body) {
        let has_subflow = || parents.contains(&row.shown.id);
        if judge(row, filter, &has_subflow)? && is_of_flow_run(world, row, body, &mut flow_runs)? {
            found.push(row);
        }
    }
    Ok(found)
}

/// The flow runs that have a task run which fulfils a filter.
pub(crate) fn flow_runs_with(world: &World, filter: &Value) -> Result<HashSet<Uuid>, Refusal> {
    let rows = matching(world, &json!({"task_runs": filter}))?;
    Ok(rows
        .into_iter()
        .filter_map(|row| *row.shown.flow_run_id)
        .collect())
}

/// Whether the flow run of a task run fulfils the filters of a list; what is known of flow runs is remembered.
fn is_of_flow_run(
    world: &World,
    row: &TaskRow,
    body: &Value,
    known: &mut HashMap<Uuid, bool>,
) -> Result<bool, Refusal> {
    let (runs, flows, deployments) = (&body["flow_runs"], &body["flows"], &body["deployments"]);
    if runs.is_null() && flows.is_null() && deployments.is_null() {
        return Ok(true);
    }
    let Some(run) = row
        .shown
        .flow_run_id
        .and_then(|id| world.flow_runs.rows.get(id))
    else {
        return Ok(false);
    };
    if let Some(fulfilled) = known.get(&run.shown.id) {
        return Ok(*fulfilled);
    }
    let flow = world.flows.get(run.shown.flow_id);
    let deployment = *run.shown.deployment_id;
    let fulfilled = is_selected(world, run, runs)?
        && (flows.is_null()
            || flow.map_or(Ok(false), |flow| is_flow_selected(world, flow, flows))?)
        && (deployments.is_null() || world.deployments.fulfils(deployment, deployments)?);
    known.insert(run.shown.id, fulfilled);
    Ok(fulfilled)
}

/// The task runs among which those are that a list asks for: who waits for some asks for them by ids, again and again.
fn candidates<'a>(world: &'a World, body: &Value) -> Vec<&'a TaskRow> {
    let all = &world.task_runs;
    let filter = &body["task_runs"];
    if let Some(ids) = ids(filter, "id") {
        return ids.into_iter().filter_map(|id| all.rows.get(id)).collect();
    }
    let runs = ids(filter, "flow_run_id").or_else(|| ids(&body["flow_runs"], "id"));
    match runs {
        Some(runs) if filter["flow_run_id"]["is_null_"] != true => runs
            .into_iter()
            .flat_map(|run| all.of_flow_run(run))
            .collect(),
        _ => all.rows.iter().collect(),
    }
}

/// The ids that a filter restricts a word to.
fn ids(filter: &Value, word: &str) -> Option<BTreeSet<Uuid>> {
    if filter["operator"] == "or_" {
        return None;
    }
    let named = filter[word]["any_"].as_array()?;
    named.iter().map(|id| id.as_str()?.parse().ok()).collect()
}

/// Refuses words that the server does not know.
fn check(filter: &Value) -> Result<(), Refusal> {
    let mut words = filter.as_object().into_iter().flatten();
    let is_unknown = |word: &str, value: &Value| match word {
        "operator" => value != "and_" && value != "or_",
        word => !WORDS.contains(&word),
    };
    match words.find(|(word, value)| is_unknown(word, value)) {
        Some((word, _)) => {
            let text = "Extra inputs are not permitted";
            Err(Refusal::invalid(
                &["body", "task_runs", word],
                "extra_forbidden",
                text,
            ))
        }
        None => Ok(()),
    }
}
