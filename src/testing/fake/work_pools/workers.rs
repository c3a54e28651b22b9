//! What the operations on workers do.

use chrono::TimeDelta;
use serde_json::json;
use uuid::Uuid;

use super::filter::worker_fulfils;
use super::pool_changes::set_status;
use super::pools::named;
use super::row::Worker;
use crate::testing::fake::call::Call;
use crate::testing::fake::page;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::{World, row};
use crate::types::{WorkPoolStatus, WorkerHeartbeatRequest, WorkerResponse, WorkerStatus};

/// How often a worker that does not say so is heard of, in seconds.
const HEARTBEAT_INTERVAL: i64 = 30;

/// After how many intervals without a heartbeat a worker is offline.
const MISSED_HEARTBEATS: i64 = 3;

pub(super) fn heartbeat(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: WorkerHeartbeatRequest = call.decode()?;
    let pool = named(world, call.text("work_pool_name"))?;
    let (pool, is_waiting) = (pool.shown.id, pool.has_status(WorkPoolStatus::NotReady));
    beat(world, pool, &body.name, *body.heartbeat_interval_seconds)?;
    if is_waiting {
        set_status(world, pool, WorkPoolStatus::Ready);
    }
    Ok(Reply::no_content())
}

/// Records that a worker was heard of.
fn beat(world: &mut World, pool: Uuid, name: &str, interval: Option<i64>) -> Result<(), Refusal> {
    let now = world.now;
    world.work_pools.beats += 1;
    let beat = world.work_pools.beats;
    let known = find(world, pool, name);
    if let Some(worker) = known.and_then(|id| world.work_pools.workers.get_mut(id)) {
        worker.shown.last_heartbeat_time = now.into();
        if interval.is_some() {
            worker.shown.heartbeat_interval_seconds = interval.into();
        }
        worker.last_heartbeat = now;
        worker.beat = beat;
        worker.is_online = true;
        return Ok(());
    }
    let id = Uuid::new_v4();
    let shown: WorkerResponse = row(json!({
        "id": id, "created": now, "updated": now, "name": name, "work_pool_id": pool, "last_heartbeat_time": now,
        "heartbeat_interval_seconds": interval, "status": "OFFLINE",
    }))?;
    let worker = Worker {
        shown,
        last_heartbeat: now,
        beat,
        is_online: true,
    };
    world.work_pools.workers.insert(id, worker);
    Ok(())
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    page::limit(&body)?;
    let pool = named(world, call.text("work_pool_name"))?.shown.id;
    let mut workers = world.select(&world.work_pools.workers, |worker| {
        Ok(worker.shown.work_pool_id == pool && worker_fulfils(worker, &body["workers"])?)
    })?;
    workers.sort_by_key(|worker| std::cmp::Reverse((worker.last_heartbeat, worker.beat)));
    let workers = page::page(workers, &body)?.into_iter();
    let workers: Vec<WorkerResponse> = workers.map(|worker| shown(world, worker)).collect();
    Ok(Reply::ok(&workers))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let pool = named(world, call.text("work_pool_name"))?.shown.id;
    let worker = find(world, pool, call.text("name"));
    let removed = worker.and_then(|id| world.work_pools.workers.remove(id));
    let removed = removed.map(|_| Reply::no_content());
    removed.ok_or_else(|| Refusal::not_found("Worker not found."))
}

fn find(world: &World, pool: Uuid, name: &str) -> Option<Uuid> {
    let worker = world
        .work_pools
        .workers
        .find(|worker| worker.shown.work_pool_id == pool && worker.shown.name == name);
    worker.map(|worker| worker.shown.id)
}

/// The worker as the server returns it: its status follows from its last heartbeat, whatever the table says.
fn shown(world: &World, worker: &Worker) -> WorkerResponse {
    let mut shown = worker.shown.clone();
    let interval = *shown.heartbeat_interval_seconds;
    let interval = interval.filter(|seconds| *seconds != 0);
    let silence = interval.unwrap_or(HEARTBEAT_INTERVAL) * MISSED_HEARTBEATS;
    let is_online = world.now - worker.last_heartbeat < TimeDelta::seconds(silence);
    shown.status = Some(match is_online {
        true => WorkerStatus::Online,
        false => WorkerStatus::Offline,
    });
    shown
}

/// Whether the service that looks after workers takes one for lost.
pub(super) fn is_lost(world: &World, worker: &Worker) -> bool {
    let interval = *worker.shown.heartbeat_interval_seconds;
    let silence = interval.unwrap_or(HEARTBEAT_INTERVAL) * MISSED_HEARTBEATS;
    world.now - worker.last_heartbeat > TimeDelta::seconds(silence)
}
