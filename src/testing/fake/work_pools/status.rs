//! Who holds the slots of pools and queues, and how queues do.

use std::collections::HashMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::pools::named;
use super::slots::{by_queue, holds, holds_of_old, of_pool as slots_of_pool};
use crate::testing::fake::call::Call;
use crate::testing::fake::flow_runs::Run;
use crate::testing::fake::page;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;

/// How many runs of a queue are listed unless the request says otherwise.
const RUNS_A_QUEUE: u64 = 10;

/// How long after its last poll a queue is healthy, in seconds.
const MAX_SECONDS_SINCE_POLL: i64 = 60;

pub(super) fn of_pool(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    let (page, limit) = (number(&body, "page", 1, 1..=u64::MAX)?, page::limit(&body)?);
    let most = number(&body, "flow_run_limit", RUNS_A_QUEUE, 0..=200)?;
    let name = call.text("name");
    let pool = named(world, name)
        .map_err(|_| Refusal::not_found(format!("Work pool {} not found.", quoted(name))))?;
    let counts = by_queue(world, holds);
    let mut runs: HashMap<Uuid, Vec<Value>> = HashMap::new();
    let holders = world.flow_runs.rows.iter().filter(|run| holds(run));
    for run in by_id(holders) {
        if let Some(queue) = *run.shown.work_queue_id {
            runs.entry(queue).or_default().push(summary(world, run));
        }
    }
    let all = world.work_pools.queues_of(pool.shown.id);
    let count = all.len();
    let queues = all.into_iter().skip(skipped(page, limit)).take(limit);
    let queues: Vec<Value> = queues
        .map(|queue| {
            let id = queue.shown.id;
            let active = counts.get(&id).copied().unwrap_or(0);
            let mut runs = runs.remove(&id).unwrap_or_default();
            runs.truncate(usize::try_from(most).unwrap_or(usize::MAX));
            json!({
                "queue_id": id, "queue_name": queue.shown.name, "active_slots": active,
                "concurrency_limit": *queue.shown.concurrency_limit, "flow_runs": runs, "flow_run_count": active,
            })
        })
        .collect();
    Ok(Reply::ok(&json!({
        "active_slots": slots_of_pool(world, pool.shown.id, &counts),
        "concurrency_limit": *pool.shown.concurrency_limit, "queues": queues, "count": count,
        "limit": limit, "pages": pages(count, limit), "page": page,
    })))
}

pub(super) fn of_queue(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    let body = call.json()?;
    let (page, limit) = (number(&body, "page", 1, 1..=u64::MAX)?, page::limit(&body)?);
    let queue = world.work_pools.queue(id);
    let queue = queue.ok_or_else(|| Refusal::not_found("Work queue not found."))?;
    let names = &world.work_pools.stored_names;
    let is_in_queue = |run: &&Run| match *run.shown.work_queue_id {
        Some(of) => of == id,
        None => names.get(&run.shown.id) == Some(&queue.shown.name),
    };
    let runs = world.flow_runs.rows.iter();
    let runs = by_id(runs.filter(|run| holds_of_old(run)).filter(is_in_queue));
    let count = runs.len();
    let runs = runs.into_iter().skip(skipped(page, limit)).take(limit);
    let runs: Vec<Value> = runs.map(|run| summary(world, run)).collect();
    Ok(Reply::ok(&json!({
        "active_slots": count, "concurrency_limit": *queue.shown.concurrency_limit, "flow_runs": runs, "count": count,
        "limit": limit, "pages": pages(count, limit), "page": page,
    })))
}

pub(super) fn health(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    let queue = world
        .work_pools
        .queue(id)
        .ok_or_else(|| Refusal::message(404, format!("Work queue with id {id} not found")))?;
    let is_late = |run: &&Run| {
        *run.shown.work_queue_id == Some(id) && run.shown.state_name.as_deref() == Some("Late")
    };
    let late = world.flow_runs.rows.iter().filter(is_late).count();
    let polled = *queue.shown.last_polled;
    let limit = chrono::TimeDelta::seconds(MAX_SECONDS_SINCE_POLL);
    let is_polled = polled.is_some_and(|polled| world.now - polled <= limit);
    Ok(Reply::ok(&json!({
        "healthy": late == 0 && is_polled, "late_runs_count": late, "last_polled": polled,
        "health_check_policy": {
            "maximum_late_runs": 0, "maximum_seconds_since_last_polled": MAX_SECONDS_SINCE_POLL,
        },
    })))
}

fn by_id<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<&'a Run> {
    let mut runs: Vec<_> = runs.collect();
    runs.sort_by_key(|run| run.shown.id);
    runs
}

fn summary(world: &World, run: &Run) -> Value {
    let since = run.state().and_then(|state| state.timestamp);
    json!({
        "id": run.shown.id, "name": run.shown.name, "state_type": *run.shown.state_type,
        "state_name": *run.shown.state_name, "start_time": *run.shown.start_time, "state_timestamp": since,
        "time_in_current_state": since.map(|since| (world.now - since).as_seconds_f64()),
    })
}

/// A number of the body within a range.
fn number(
    body: &Value,
    key: &str,
    default: u64,
    range: std::ops::RangeInclusive<u64>,
) -> Result<u64, Refusal> {
    let number = match &body[key] {
        Value::Null => Some(default),
        number => number.as_u64(),
    };
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            let text = format!(
                "Input should be between {} and {}",
                range.start(),
                range.end()
            );
            Refusal::invalid(&["body", key], "value_error", text)
        })
}

fn skipped(page: u64, limit: usize) -> usize {
    usize::try_from(page - 1)
        .unwrap_or(usize::MAX)
        .saturating_mul(limit)
}

fn pages(count: usize, limit: usize) -> usize {
    match limit {
        0 => 0,
        limit => count.div_ceil(limit),
    }
}

/// The text as Python quotes it.
fn quoted(text: &str) -> String {
    crate::testing::fake::deployments::Quoted(text).to_string()
}
