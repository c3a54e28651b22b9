//! What the operations on flows do.

use std::collections::HashSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::filters::fulfils;
use crate::testing::fake::call::Call;
use crate::testing::fake::labels::check_labels;
use crate::testing::fake::lifecycle::{Change, Object, emit};
use crate::testing::fake::page;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::work_pools::no_null;
use crate::testing::fake::world::{World, row};
use crate::testing::fake::{deployments, flow_runs};
use crate::types::{Flow, FlowCreate, FlowUpdate};

/// The most flows that are deleted at a time.
const BULK_LIMIT: usize = 50;

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: FlowCreate = call.body()?;
    no_null(&call.json()?, &["tags"])?;
    check_labels(&body.labels)?;
    if let Some(flow) = world.flows.find(|flow| flow.name == body.name) {
        return Ok(Reply::ok(flow));
    }
    let id = Uuid::new_v4();
    let mut flow: Flow = row(json!({
        "id": id, "created": world.now, "updated": world.now, "name": body.name, "tags": [], "labels": {},
    }))?;
    flow.tags = Some(body.tags.unwrap_or_default());
    flow.labels = body.labels.into_option().unwrap_or_default().into();
    let reply = Reply::created(&flow);
    world.flows.insert(id, flow);
    tell(world, Change::Created, id);
    Ok(reply)
}

pub(super) fn read(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let flow = world.flows.get(call.id("id")?);
    flow.map(Reply::ok).ok_or_else(missing)
}

pub(super) fn read_by_name(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let name = call.text("name");
    let flow = world.flows.find(|flow| flow.name == name);
    flow.map(Reply::ok).ok_or_else(missing)
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    Ok(Reply::ok(&page::page(sorted(world, &body)?, &body)?))
}

pub(super) fn paginate(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    Ok(Reply::ok(&page::numbered(sorted(world, &body)?, &body)?))
}

pub(super) fn count(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::ok(&matching(world, &call.json()?)?.len()))
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let (id, body): (_, FlowUpdate) = (call.id("id")?, call.body()?);
    no_null(&call.json()?, &["tags"])?;
    let now = world.now;
    let flow = world.flows.get_mut(id).ok_or_else(missing)?;
    flow.updated = now.into();
    if let Some(tags) = body.tags {
        flow.tags = Some(tags);
    }
    tell(world, Change::Updated, id);
    Ok(Reply::no_content())
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    world.flows.get(id).ok_or_else(missing)?;
    remove(world, id);
    Ok(Reply::no_content())
}

pub(super) fn delete_many(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    let limit = page::bulk_limit(&body, BULK_LIMIT)?;
    let chosen = sorted(world, &json!({"flows": body["flows"], "sort": "NAME_ASC"}))?;
    let ids: Vec<Uuid> = chosen.iter().take(limit).map(|flow| flow.id).collect();
    for id in &ids {
        remove(world, *id);
    }
    Ok(Reply::ok(&json!({"deleted": ids})))
}

/// Removes a flow with its runs and its deployments.
fn remove(world: &mut World, id: Uuid) {
    tell(world, Change::Deleted, id);
    world.flows.remove(id);
    flow_runs::remove_all_of_flow(world, id);
    deployments::remove_all_of_flow(world, id);
}

/// Emits the event of a change.
fn tell(world: &mut World, change: Change, id: Uuid) {
    let Some(flow) = world.flows.get(id) else {
        return;
    };
    let name = flow.name.clone();
    let payload = json!({"name": name, "tags": flow.tags, "labels": *flow.labels});
    let object = Object {
        kind: "flow",
        id,
        name: &name,
        related: Vec::new(),
    };
    emit(world, change, object, &payload);
}

fn sorted<'a>(world: &'a World, body: &Value) -> Result<Vec<&'a Flow>, Refusal> {
    let mut rows = matching(world, body)?;
    match page::sort(body, "NAME_ASC") {
        "NAME_ASC" => rows.sort_by(|a, b| a.name.cmp(&b.name)),
        "NAME_DESC" => rows.sort_by(|a, b| b.name.cmp(&a.name)),
        "CREATED_DESC" => page::descending(&mut rows, |row| *row.created),
        "UPDATED_DESC" => page::descending(&mut rows, |row| *row.updated),
        other => return Err(Refusal::unsupported(format!("the order {other}"))),
    }
    Ok(rows)
}

fn matching<'a>(world: &'a World, body: &Value) -> Result<Vec<&'a Flow>, Refusal> {
    // Each run is looked at once, not once for each flow.
    let runs = flow_runs::of_lists(world, &body["flow_runs"], &body["task_runs"])?;
    let with_runs = runs.map(|runs| runs.into_iter().map(|run| run.shown.flow_id).collect());
    let with_deployments =
        deployments::flows_with(world, &body["deployments"], &body["work_pools"])?;
    let holds = |ids: &Option<HashSet<Uuid>>, id| ids.as_ref().is_none_or(|ids| ids.contains(&id));
    world.select(&world.flows, |flow| {
        Ok(fulfils(world, flow, &body["flows"])?
            && holds(&with_runs, flow.id)
            && holds(&with_deployments, flow.id))
    })
}

fn missing() -> Refusal {
    Refusal::not_found("Flow not found")
}
