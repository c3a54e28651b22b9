//! The flow runs that are due in pools and queues.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::legacy;
use super::polls;
use super::pools::named;
use super::queues::found;
use super::row::Queue;
use super::slots;
use crate::testing::fake::call::Call;
use crate::testing::fake::flow_runs::{Run, shown_at};
use crate::testing::fake::page;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;
use crate::types::{
    Field, FlowRun, FlowRunPolicyRetryType, FlowRunResponse, GetScheduledFlowRunsRequest,
    ReadWorkQueueRunsRequest, StateType, WorkerFlowRunResponse,
};

/// How many runs of a queue, and of a pool, the server looks at.
const MOST: usize = 1000;

pub(super) fn of_pool(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: GetScheduledFlowRunsRequest = call.decode()?;
    let limit = page::limit(&json!({"limit": body.limit}))?;
    let name = call.text("name");
    let pool = named(world, name)?;
    let names = body.work_queue_names.clone().unwrap_or_default();
    let queues = match names.is_empty() {
        true => world.work_pools.queues_of(pool.shown.id),
        false => names
            .iter()
            .map(|queue| found(world, name, queue))
            .collect::<Result<_, _>>()?,
    };
    let polled: Vec<Uuid> = queues.iter().map(|queue| queue.shown.id).collect();
    let counts = slots::by_queue(world, slots::holds);
    let mut due = due_by_queue(world, &body);
    let mut chosen: Vec<(&Queue, &Run)> = Vec::new();
    if !pool.is_paused() {
        let mut seen = Vec::new();
        for queue in queues {
            if queue.shown.is_paused == Some(true) || seen.contains(&queue.shown.id) {
                continue;
            }
            seen.push(queue.shown.id);
            let mut runs = due.remove(&queue.shown.id).unwrap_or_default();
            runs.sort_by_key(next_start);
            let held = counts.get(&queue.shown.id).copied().unwrap_or(0);
            runs.truncate(free(*queue.shown.concurrency_limit, held));
            chosen.extend(runs.into_iter().map(|run| (queue, run)));
        }
        chosen.sort_by_key(|(queue, run)| (queue.priority, next_start(run)));
        let held = slots::of_pool(world, pool.shown.id, &counts);
        chosen.truncate(free(*pool.shown.concurrency_limit, held).min(limit));
    }
    let replies: Result<Vec<_>, Refusal> = chosen
        .into_iter()
        .map(|(queue, run)| worker_run(world, queue, run))
        .collect();
    let reply = Reply::ok(&replies?);
    polls::record(world, &polled);
    Ok(reply)
}

/// The runs that wait in queues and are due in the time that is asked for. A run that its process retries is not for others.
fn due_by_queue<'a>(
    world: &'a World,
    body: &GetScheduledFlowRunsRequest,
) -> HashMap<Uuid, Vec<&'a Run>> {
    let mut due: HashMap<Uuid, Vec<&Run>> = HashMap::new();
    for run in world.flow_runs.rows.iter() {
        let Some(queue) = *run.shown.work_queue_id else {
            continue;
        };
        let start = next_start(&run);
        let is_late_enough = |after| start.is_some_and(|start| start >= after);
        let is_early_enough = |before| start.is_some_and(|start| start <= before);
        let retries = run.policy().retry_type.as_ref() == Some(&FlowRunPolicyRetryType::InProcess);
        if run.shown.state_type.as_ref() == Some(&StateType::Scheduled)
            && !retries
            && body.scheduled_after.is_none_or(is_late_enough)
            && body.scheduled_before.is_none_or(is_early_enough)
        {
            due.entry(queue).or_default().push(run);
        }
    }
    due
}

fn next_start(run: &&Run) -> Option<DateTime<Utc>> {
    *run.shown.next_scheduled_start_time
}

/// How many runs there is room for.
fn free(limit: Option<i64>, held: i64) -> usize {
    let free = limit.map(|limit| usize::try_from(limit - held).unwrap_or(0));
    free.unwrap_or(MOST).min(MOST)
}

/// A run with the name of the queue that its own row has, and nothing of the pool.
fn row_of(world: &World, run: &Run) -> FlowRunResponse {
    let mut shown = shown_at(run, world.now);
    let name = world.work_pools.stored_names.get(&shown.id);
    shown.work_queue_name = name.cloned().into();
    shown.work_pool_id = Field::NULL;
    shown.work_pool_name = Field::NULL;
    shown
}

fn worker_run(world: &World, queue: &Queue, run: &Run) -> Result<WorkerFlowRunResponse, Refusal> {
    let mut shown = row_of(world, run);
    // A run within the reply has no such keys.
    shown.work_pool_id = Field::default();
    shown.work_pool_name = Field::default();
    // By its text, which keeps the numbers of parameters.
    let text = serde_json::to_string(&shown).unwrap_or_default();
    let flow_run: FlowRun = serde_json::from_str(&text)
        .map_err(|error| Refusal::unsupported(format!("a flow run for a worker ({error})")))?;
    Ok(WorkerFlowRunResponse {
        work_pool_id: queue.pool,
        work_queue_id: queue.shown.id,
        flow_run,
        extra: Default::default(),
    })
}

pub(super) fn of_queue(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    let body: ReadWorkQueueRunsRequest = call.decode()?;
    let limit = page::limit(&json!({"limit": body.limit}))?;
    let queue = world
        .work_pools
        .queue(id)
        .ok_or_else(|| Refusal::message(404, format!("Work queue with id {id} not found.")))?;
    let before = body.scheduled_before;
    let mut runs = match queue.shown.is_paused == Some(true) {
        true => Vec::new(),
        false => match queue.shown.filter.as_ref() {
            Some(filter) => {
                let held = legacy::active_slots(world, filter)?;
                let most = free(*queue.shown.concurrency_limit, held).min(limit);
                let state = json!({"type": {"any_": ["SCHEDULED"]}});
                let runs = legacy::runs(world, filter, state)?;
                first_of(runs, before, most)
            }
            None => {
                let (waiting, held) = by_name(world, &queue.shown.name);
                let most = free(*queue.shown.concurrency_limit, held).min(limit);
                first_of(waiting, before, most)
            }
        },
    };
    runs.sort_by_key(next_start);
    let runs: Vec<_> = runs.iter().map(|run| row_of(world, run)).collect();
    let reply = Reply::ok(&runs);
    // The UI looks without polling.
    let is_ui = call.header("x-prefect-ui").is_some_and(|value| {
        matches!(
            &*value.to_lowercase(),
            "true" | "1" | "yes" | "on" | "t" | "y"
        )
    });
    if !is_ui {
        polls::record(world, &[id]);
    }
    Ok(reply)
}

/// The runs whose own row has a name of a queue, whatever pool they are in: those that wait, and how many hold slots.
fn by_name<'a>(world: &'a World, name: &str) -> (Vec<&'a Run>, i64) {
    let names = &world.work_pools.stored_names;
    let (mut waiting, mut held) = (Vec::new(), 0);
    for run in world.flow_runs.rows.iter() {
        if names.get(&run.shown.id).map(String::as_str) != Some(name) {
            continue;
        }
        held += i64::from(slots::holds_of_old(run));
        if run.shown.state_type.as_ref() == Some(&StateType::Scheduled) {
            waiting.push(run);
        }
    }
    (waiting, held)
}

fn first_of(mut runs: Vec<&Run>, before: Option<DateTime<Utc>>, most: usize) -> Vec<&Run> {
    let is_early_enough =
        |start: Option<DateTime<Utc>>, before| start.is_some_and(|start| start <= before);
    runs.retain(|run| before.is_none_or(|before| is_early_enough(next_start(run), before)));
    runs.sort_by_key(next_start);
    runs.truncate(most);
    runs
}
