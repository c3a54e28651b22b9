//! Creating, changing and deleting queues, as the routes of pools and the older ones have in common.

use serde_json::{Value, json};
use uuid::Uuid;

use super::emit::changes;
use super::events;
use super::order::{free_priority, reorder};
use super::row::Queue;
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::{World, row};
use crate::types::{
    QueueFilter, WorkQueueCreate, WorkQueueResponse, WorkQueueStatus, WorkQueueUpdate,
};

/// For how many seconds a poll shows that a queue is looked after.
pub(super) const POLL_TIMEOUT: chrono::TimeDelta = chrono::TimeDelta::seconds(60);

/// What a new queue is made of.
pub(crate) struct NewQueue {
    pub name: String,
    pub description: String,
    pub is_paused: bool,
    pub concurrency_limit: Option<i64>,
    pub priority: Option<i64>,
    pub filter: Option<QueueFilter>,
}

impl NewQueue {
    pub(crate) fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            is_paused: false,
            concurrency_limit: None,
            priority: None,
            filter: None,
        }
    }
}

impl From<WorkQueueCreate> for NewQueue {
    fn from(body: WorkQueueCreate) -> Self {
        Self {
            name: body.name,
            description: body.description.into_option().unwrap_or_default(),
            is_paused: body.is_paused.unwrap_or(false),
            concurrency_limit: body.concurrency_limit.into_option(),
            priority: body.priority.into_option(),
            filter: body.filter.into_option(),
        }
    }
}

/// Creates a queue in a pool; `None` where its name is taken.
pub(crate) fn create_queue(
    world: &mut World,
    pool: Uuid,
    new: NewQueue,
) -> Result<Option<Uuid>, Refusal> {
    match world.work_pools.queue_named(pool, &new.name) {
        Some(_) => Ok(None),
        None => add_queue(world, pool, new).map(Some),
    }
}

/// Creates a queue in a pool whose name is free there.
pub(super) fn add_queue(world: &mut World, pool: Uuid, new: NewQueue) -> Result<Uuid, Refusal> {
    let id = Uuid::new_v4();
    let priority = new.priority.unwrap_or_else(|| free_priority(world, pool));
    let pool_name = world.work_pools.pools.get(pool);
    let pool_name = pool_name.map(|pool| pool.shown.name.clone());
    let mut shown: WorkQueueResponse = row(json!({
        "id": id, "created": world.now, "updated": world.now, "name": new.name, "description": new.description,
        "is_paused": new.is_paused, "concurrency_limit": new.concurrency_limit, "priority": priority, "work_pool_id": pool,
        "filter": null, "last_polled": null, "work_pool_name": pool_name, "status": "NOT_READY", "active_slots": null,
    }))?;
    shown.filter = new.filter.map(whole).into();
    let queue = Queue {
        shown,
        pool,
        priority,
    };
    world.work_pools.queues.insert(id, queue);
    if let Some(priority) = new.priority {
        reorder(world, pool, Some((id, priority)));
    }
    events::queue_created(world, id);
    Ok(id)
}

/// Changes a queue. Its new priority may be that of others, until one asks for the priorities to be made unique.
pub(super) fn update_queue(
    world: &mut World,
    id: Uuid,
    body: WorkQueueUpdate,
) -> Result<(), Refusal> {
    if body.name.is_null() || body.description.is_null() || body.priority.is_null() {
        return Err(Refusal::integrity());
    }
    let now = world.now;
    let Some(queue) = world.work_pools.queues.get(id) else {
        return Err(Refusal::integrity());
    };
    if let Some(name) = body.name.as_deref() {
        let other = world.work_pools.queue_named(queue.pool, name);
        if other.is_some_and(|other| other.shown.id != id) {
            return Err(Refusal::integrity());
        }
        if super::request::check_name(name).is_err() {
            return Err(Refusal::unsupported(
                "a new name of a queue that makes the server fail whenever it reads it",
            ));
        }
    }
    let Some(queue) = world.work_pools.queues.get_mut(id) else {
        return Err(Refusal::integrity());
    };
    let before = fields(&queue.shown);
    let is_renamed = body
        .name
        .as_deref()
        .is_some_and(|name| name != queue.shown.name);
    let shown = &mut queue.shown;
    shown.updated = now.into();
    if let Some(name) = body.name.into_option() {
        shown.name = name;
    }
    if let Some(description) = body.description.into_option() {
        shown.description = description.into();
    }
    if !body.concurrency_limit.is_unset() {
        shown.concurrency_limit = body.concurrency_limit;
    }
    if !body.filter.is_unset() {
        shown.filter = body.filter.into_option().map(whole).into();
    }
    if !body.last_polled.is_unset() {
        shown.last_polled = body.last_polled;
    }
    let priority = body.priority.into_option();
    if let Some(priority) = priority {
        shown.priority = Some(priority);
        queue.priority = priority;
    }
    let status = shown.status.clone().into_option();
    let is_held = status == Some(WorkQueueStatus::Paused);
    let new_status = match body.is_paused {
        Some(true) if !is_held => Some(WorkQueueStatus::Paused),
        Some(false) if is_held => Some(
            match shown.last_polled.is_some_and(|at| now - at <= POLL_TIMEOUT) {
                true => WorkQueueStatus::Ready,
                false => WorkQueueStatus::NotReady,
            },
        ),
        _ => None,
    };
    if let Some(is_paused) = body.is_paused {
        shown.is_paused = Some(is_paused);
    }
    let has_new_status = new_status.is_some();
    if let Some(status) = new_status {
        shown.status = status.into();
    }
    let after = fields(&queue.shown);
    let named = ["name", "description", "concurrency_limit", "priority"];
    let all = named.into_iter().zip(before.into_iter().zip(after));
    let changed = changes(all.map(|(name, (from, to))| (name, from, to)).collect());
    if let Some(changed) = changed {
        events::queue_updated(world, id, changed);
    }
    if has_new_status {
        events::queue_status(world, id);
    }
    if is_renamed {
        rename_in_runs(world, id);
    }
    Ok(())
}

/// The fields whose changes are told by an event.
fn fields(shown: &WorkQueueResponse) -> [Value; 4] {
    [
        json!(shown.name),
        json!(*shown.description),
        json!(*shown.concurrency_limit),
        json!(shown.priority),
    ]
}

/// The server returns of a run the name of its queue, whatever that was when the run was created.
fn rename_in_runs(world: &mut World, id: Uuid) {
    let Some(name) = world
        .work_pools
        .queues
        .get(id)
        .map(|q| q.shown.name.clone())
    else {
        return;
    };
    for run in world.flow_runs.rows.iter_mut() {
        if *run.shown.work_queue_id == Some(id) && run.shown.work_queue_name.as_ref() != Some(&name)
        {
            run.shown.work_queue_name = name.clone().into();
        }
    }
}

/// Removes a queue: what was in it belongs to none.
pub(super) fn remove_queue(world: &mut World, id: Uuid) {
    world.work_pools.queues.remove(id);
    let names = &world.work_pools.stored_names;
    for run in world.flow_runs.rows.iter_mut() {
        let shown = &mut run.shown;
        if *shown.work_queue_id == Some(id) {
            shown.work_queue_id = None.into();
            shown.work_queue_name = names.get(&shown.id).cloned().into();
            shown.work_pool_id = None.into();
            shown.work_pool_name = None.into();
        }
    }
    world.deployments.leave_queue(id);
}

/// A filter with all keys that the server returns.
fn whole(given: QueueFilter) -> QueueFilter {
    QueueFilter::new()
        .tags(given.tags.into_option())
        .deployment_ids(given.deployment_ids.into_option())
}
