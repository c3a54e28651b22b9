//! The graph of a flow run: its task runs and subflows, and which of them use the results of which.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::Call;
use super::flow_runs::Run;
use super::reply::{Refusal, Reply};
use super::task_runs::TaskRow;
use super::world::{Handler, World};
use crate::types::{StateType, TaskRunInput};

pub(super) const HANDLERS: &[(&str, Handler)] = &[("read_flow_run_graph_v2", graph)];

/// The most nodes of a graph (`PREFECT_API_MAX_FLOW_RUN_GRAPH_NODES`).
const MAX_NODES: usize = 10_000;

fn graph(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    let since = since(call)?;
    let run = world.flow_runs.rows.get(id);
    let run = run.ok_or_else(|| Refusal::message(404, format!("Flow run {id} not found")))?;
    let nodes = nodes(world, id);
    let edges = Edges::of(&nodes);
    let artifacts = artifacts(world, id);
    let mut shown: Vec<&Node<'_>> = nodes
        .iter()
        .filter(|node| {
            node.end
                .is_none_or(|end| since.is_none_or(|since| end >= since))
        })
        .collect();
    if shown.len() > MAX_NODES {
        let text = format!("The graph of flow run {id} has more than {MAX_NODES} nodes.");
        return Err(Refusal::detail(400, text));
    }
    shown.sort_by_key(|node| (node.start, node.end));
    let roots = shown
        .iter()
        .filter(|node| edges.parents(node.id).is_empty());
    let roots: Vec<Uuid> = roots.map(|node| node.id).collect();
    let of = |owner: Option<Uuid>| artifacts.get(&owner).cloned().unwrap_or_default();
    let shown: Vec<Value> = shown
        .iter()
        .map(|node| node.shown(&edges, of(Some(node.id))))
        .collect();
    let mut states: Vec<_> = run.states.iter().collect();
    states.sort_by_key(|state| state.timestamp);
    let states: Vec<Value> = states
        .into_iter()
        .map(|state| {
            json!({"id": state.id, "timestamp": state.timestamp, "type": state.type_, "name": state.name})
        })
        .collect();
    Ok(Reply::ok(&json!({
        "start_time": run.shown.start_time.or(*run.shown.expected_start_time), "end_time": run.shown.end_time,
        "root_node_ids": roots, "nodes": shown, "artifacts": of(None), "states": states,
    })))
}

/// From when on an ended run is shown.
fn since(call: &Call<'_>) -> Result<Option<DateTime<Utc>>, Refusal> {
    let Some(since) = call.query("since") else {
        return Ok(None);
    };
    let parsed = DateTime::parse_from_rfc3339(since);
    parsed.map(|since| Some(since.to_utc())).map_err(|error| {
        Refusal::invalid(&["query", "since"], "datetime_parsing", error.to_string())
    })
}

/// A task run, or the subflow that it stands for.
struct Node<'a> {
    id: Uuid,
    task: &'a TaskRow,
    subflow: Option<(&'a Run, String)>,
    start: DateTime<Utc>,
    end: Option<DateTime<Utc>>,
}

/// The nodes of a flow run: of task runs that are expected to start some time.
fn nodes(world: &World, id: Uuid) -> Vec<Node<'_>> {
    let mut subflows: BTreeMap<Uuid, Vec<&Run>> = BTreeMap::new();
    for run in world.flow_runs.rows.iter() {
        if let Some(task) = *run.shown.parent_task_run_id {
            subflows.entry(task).or_default().push(run);
        }
    }
    let mut nodes = Vec::new();
    for task in world.task_runs.of_flow_run(id) {
        let runs = subflows.get(&task.shown.id);
        match runs {
            None => nodes.extend(node(world, task, None)),
            Some(runs) => nodes.extend(runs.iter().filter_map(|run| node(world, task, Some(run)))),
        }
    }
    nodes.sort_by_key(|node| node.id);
    nodes
}

fn node<'a>(world: &'a World, task: &'a TaskRow, subflow: Option<&'a Run>) -> Option<Node<'a>> {
    let of_task = task.shown.start_time.or(*task.shown.expected_start_time);
    let of_subflow =
        subflow.and_then(|run| run.shown.start_time.or(*run.shown.expected_start_time));
    let expected = task
        .shown
        .expected_start_time
        .filter(|_| task.shown.state_type == StateType::Completed);
    let end_of_subflow = subflow.and_then(|run| *run.shown.end_time);
    let subflow = subflow.map(|run| {
        let flow = world
            .flows
            .get(run.shown.flow_id)
            .map_or("", |flow| flow.name.as_str());
        (
            run,
            format!("{flow} / {}", run.shown.name.as_deref().unwrap_or_default()),
        )
    });
    Some(Node {
        id: subflow
            .as_ref()
            .map_or(task.shown.id, |(run, _)| run.shown.id),
        task,
        subflow,
        start: of_subflow.or(of_task)?,
        end: end_of_subflow.or(*task.shown.end_time).or(expected),
    })
}

impl Node<'_> {
    fn shown(&self, edges: &Edges, artifacts: Vec<Value>) -> Value {
        let (kind, label) = match &self.subflow {
            Some((_, label)) => ("flow-run", label.as_str()),
            None => (
                "task-run",
                self.task.shown.name.as_deref().unwrap_or_default(),
            ),
        };
        let of_subflow = self
            .subflow
            .as_ref()
            .and_then(|(run, _)| run.shown.state_type.as_ref());
        let to = |ids: &[Uuid]| ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>();
        let around = edges.around.get(&self.id);
        let around: Vec<Uuid> = around.into_iter().flatten().copied().collect();
        json!([self.id, {
            "kind": kind, "id": self.id, "label": label,
            "state_type": of_subflow.or(self.task.shown.state_type.as_ref()),
            "start_time": self.start, "end_time": self.end,
            "parents": to(edges.parents(self.id)), "children": to(edges.children(self.id)),
            "encapsulating": to(&around), "artifacts": artifacts,
        }])
    }

    /// The inputs that are results of other runs; those of `__parents__` are runs in which this one runs.
    fn inputs(&self) -> impl Iterator<Item = (bool, Option<Uuid>)> {
        let inputs = self.task.shown.task_inputs.iter().flatten();
        inputs.flat_map(|(name, inputs)| {
            let is_around = name == "__parents__";
            // An input without values is a row of the query all the same.
            let none = inputs.is_empty().then_some((is_around, None));
            let ids = inputs.iter().map(move |input| match input {
                TaskRunInput::TaskRun(result) => (is_around, Some(result.id)),
                TaskRunInput::FlowRun(result) => (is_around, Some(result.id)),
                _ => (is_around, None),
            });
            none.into_iter().chain(ids)
        })
    }

    /// How many rows the query has for this node: as many as values of inputs.
    fn rows(&self) -> usize {
        self.inputs().count().max(1)
    }
}

/// Which nodes use the results of which. The query joins its rows with each other, so that an edge comes once for each row of the
/// parent.
#[derive(Default)]
struct Edges {
    parents: BTreeMap<Uuid, Vec<Uuid>>,
    children: BTreeMap<Uuid, Vec<Uuid>>,
    around: BTreeMap<Uuid, BTreeSet<Uuid>>,
}

impl Edges {
    fn of(nodes: &[Node<'_>]) -> Self {
        let rows: BTreeMap<Uuid, usize> = nodes.iter().map(|node| (node.id, node.rows())).collect();
        let mut edges = Self::default();
        for node in nodes {
            for (is_around, parent) in node.inputs() {
                let Some((parent, rows)) = parent.and_then(|id| rows.get_key_value(&id)) else {
                    continue;
                };
                if is_around {
                    edges.around.entry(node.id).or_default().insert(*parent);
                    continue;
                }
                for _ in 0..*rows {
                    edges.parents.entry(node.id).or_default().push(*parent);
                    edges.children.entry(*parent).or_default().push(node.id);
                }
            }
        }
        edges
    }

    fn parents(&self, id: Uuid) -> &[Uuid] {
        self.parents.get(&id).map_or(&[], Vec::as_slice)
    }

    fn children(&self, id: Uuid) -> &[Uuid] {
        self.children.get(&id).map_or(&[], Vec::as_slice)
    }
}

/// The artifacts of a flow run by their task runs, but for results and those without a type.
fn artifacts(world: &World, run: Uuid) -> BTreeMap<Option<Uuid>, Vec<Value>> {
    let collections = world.artifacts.collections.iter();
    let latest: BTreeSet<Uuid> = collections.map(|collection| collection.latest_id).collect();
    let mut of_tasks: BTreeMap<Option<Uuid>, Vec<Value>> = BTreeMap::new();
    let of_run = world
        .artifacts
        .rows
        .iter()
        .filter(|artifact| artifact.flow_run_id == run);
    let is_shown = |kind: &String| kind != "result";
    for artifact in of_run.filter(|artifact| artifact.type_.as_ref().is_some_and(is_shown)) {
        let data = artifact
            .data
            .as_ref()
            .filter(|_| artifact.type_ == "progress");
        let is_latest =
            artifact.key.is_none() || artifact.id.is_some_and(|id| latest.contains(&id));
        of_tasks.entry(*artifact.task_run_id).or_default().push(json!({
            "id": artifact.id, "created": artifact.created, "key": artifact.key, "type": artifact.type_,
            "is_latest": is_latest, "data": data,
        }));
    }
    of_tasks
}
