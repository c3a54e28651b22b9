//! Lists of deployments.

use serde_json::{Value, json};

use super::filter::{fulfils, without_limit};
use super::read::shown;
use super::row::Deployment;
use crate::testing::fake::call::Call;
use crate::testing::fake::page;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::work_pools::is_in_queue;
use crate::testing::fake::world::{World, row};
use crate::testing::fake::{flow_runs, flows};
use crate::types::{DeploymentPaginationResponse, DeploymentResponse};

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    let rows = page::page(sorted(world, &body)?, &body)?;
    Ok(Reply::ok(&all_shown(world, rows)?))
}

pub(super) fn count(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::ok(&matching(world, &call.json()?)?.len()))
}

pub(super) fn paginate(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    let rows = sorted(world, &body)?;
    let limit = page::limit(&body)?;
    let number = match &body["page"] {
        Value::Null => Some(1),
        page => page.as_u64().filter(|page| *page >= 1),
    };
    let number = number.ok_or_else(|| {
        let text = "Input should be greater than or equal to 1";
        Refusal::invalid(&["body", "page"], "greater_than_equal", text)
    })?;
    let count = rows.len();
    let pages = if limit == 0 { 0 } else { count.div_ceil(limit) };
    let skipped = usize::try_from(number - 1).unwrap_or(usize::MAX);
    let rows = rows.into_iter().skip(skipped.saturating_mul(limit));
    let mut reply: DeploymentPaginationResponse = row(json!({
        "results": [], "count": count, "limit": limit, "pages": pages, "page": number,
    }))?;
    reply.results = all_shown(world, rows.take(limit).collect())?;
    Ok(Reply::ok(&reply))
}

fn all_shown(world: &World, rows: Vec<&Deployment>) -> Result<Vec<DeploymentResponse>, Refusal> {
    rows.into_iter().map(|row| shown(world, row)).collect()
}

/// The deployments that a list asks for, in its order.
pub(super) fn sorted<'a>(world: &'a World, body: &Value) -> Result<Vec<&'a Deployment>, Refusal> {
    let mut rows = matching(world, body)?;
    match page::sort(body, "NAME_ASC") {
        "NAME_ASC" => rows.sort_by(|a, b| a.shown.name.cmp(&b.shown.name)),
        "NAME_DESC" => rows.sort_by(|a, b| b.shown.name.cmp(&a.shown.name)),
        "CREATED_DESC" => page::descending(&mut rows, |row| *row.shown.created),
        "UPDATED_DESC" => page::descending(&mut rows, |row| *row.shown.updated),
        _ => {
            let text = "Input should be 'CREATED_DESC', 'UPDATED_DESC', 'NAME_ASC' or 'NAME_DESC'";
            return Err(Refusal::invalid(&["body", "sort"], "enum", text));
        }
    }
    Ok(rows)
}

/// The deployments that fulfil the filters of a list, in the order of their creation.
fn matching<'a>(world: &'a World, body: &Value) -> Result<Vec<&'a Deployment>, Refusal> {
    let own = without_limit(&body["deployments"]);
    let flow_ids = match &body["flows"] {
        Value::Null => None,
        filter => {
            let flows = world.select(&world.flows, |flow| flows::fulfils(world, flow, filter))?;
            Some(ids(flows.into_iter().map(|flow| flow.id)))
        }
    };
    // Each run is looked at once, not once for each deployment.
    let runs = flow_runs::of_lists(world, &body["flow_runs"], &body["task_runs"])?;
    let with_runs = runs.map(|runs| {
        let of = runs.into_iter().filter_map(|run| *run.shown.deployment_id);
        ids(of)
    });
    let (pools, queues) = (&body["work_pools"], &body["work_pool_queues"]);
    world.select(&world.deployments.rows, |row| {
        let holds = |ids: &Option<Ids>, id| ids.as_ref().is_none_or(|ids| ids.contains(&id));
        Ok(fulfils(row, &own)?
            && holds(&flow_ids, row.shown.flow_id)
            && holds(&with_runs, row.shown.id)
            && is_in_queue(world, *row.shown.work_queue_id, pools, queues)?)
    })
}

/// The flows that have a deployment which fulfils these filters; `None` where there is no filter.
pub(crate) fn flows_with(
    world: &World,
    own: &Value,
    pools: &Value,
) -> Result<Option<Ids>, Refusal> {
    if own.is_null() && pools.is_null() {
        return Ok(None);
    }
    let rows = matching(world, &json!({"deployments": own, "work_pools": pools}))?;
    Ok(Some(ids(rows.into_iter().map(|row| row.shown.flow_id))))
}

type Ids = std::collections::HashSet<uuid::Uuid>;

fn ids(ids: impl Iterator<Item = uuid::Uuid>) -> Ids {
    ids.collect()
}
