//! What the operations on work pools do.

use serde_json::Value;
use uuid::Uuid;

use super::emit::{changes, plain};
use super::events;
use super::filter::fulfils;
use super::pool_changes::{create_pool, set_status, storage};
use super::queue_changes::remove_queue;
use super::request::{at_least, check_name, no_null};
use super::row::Pool;
use super::slots::{by_queue, holds, shown_pool};
use crate::testing::fake::call::Call;
use crate::testing::fake::deployments::{check_defaults, check_template};
use crate::testing::fake::page;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;
use crate::types::{WorkPoolCreate, WorkPoolResponse, WorkPoolStatus, WorkPoolUpdate};

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: WorkPoolCreate = call.body()?;
    let keys = [
        "type",
        "base_job_template",
        "is_paused",
        "storage_configuration",
    ];
    no_null(&call.json()?, &keys)?;
    if body.name.chars().all(|c| matches!(c, ' ' | '"' | '\'')) {
        return Err(Refusal::invalid(
            &["body", "name"],
            "value_error",
            "Value error, name cannot be an empty string",
        ));
    }
    check_name(&body.name)?;
    at_least("concurrency_limit", *body.concurrency_limit, 0)?;
    storage(body.storage_configuration.clone())?;
    if let Some(template) = &body.base_job_template {
        check_template(template)?;
    }
    if is_reserved(&body.name) {
        return Err(Refusal::detail(
            403,
            "Work pools starting with 'Prefect' are reserved for internal use.",
        ));
    }
    if let Some(template) = &body.base_job_template {
        check_defaults(template)?;
    }
    if world.work_pools.pool_named(&body.name).is_some() {
        return Err(Refusal::detail(
            409,
            "A work pool with this name already exists.",
        ));
    }
    let id = create_pool(world, body)?;
    events::pool_status(world, id, Uuid::new_v4(), None);
    let pool = world.work_pools.pools.get(id);
    let pool = pool.ok_or_else(Refusal::integrity)?;
    let pool = shown_pool(world, pool, &Default::default());
    Ok(Reply::created(&as_known_to(call, pool)))
}

pub(super) fn read(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let pool = named(world, call.text("name"))?;
    let pool = shown_pool(world, pool, &by_queue(world, holds));
    Ok(Reply::ok(&as_known_to(call, pool)))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    let mut pools = matching(world, &body["work_pools"])?;
    pools.sort_by(|a, b| a.shown.name.cmp(&b.shown.name));
    let slots = by_queue(world, holds);
    let pools = page::page(pools, &body)?.into_iter();
    let pools: Vec<WorkPoolResponse> = pools
        .map(|pool| as_known_to(call, shown_pool(world, pool, &slots)))
        .collect();
    Ok(Reply::ok(&pools))
}

/// The pool without what an older version of Prefect would fail to read.
fn as_known_to(call: &Call<'_>, mut pool: WorkPoolResponse) -> WorkPoolResponse {
    let numbers = call.client_version().map(|version| {
        let parts = version.split('.').map_while(|part| part.parse().ok());
        parts.collect::<Vec<u32>>()
    });
    if numbers.is_some_and(|numbers| numbers.as_slice() <= [3, 3, 7].as_slice())
        && let Some(storage) = &mut pool.storage_configuration
    {
        storage.default_result_storage_block_id = Default::default();
    }
    pool
}

pub(super) fn count(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    Ok(Reply::ok(&matching(world, &body["work_pools"])?.len()))
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: WorkPoolUpdate = call.body()?;
    at_least("concurrency_limit", *body.concurrency_limit, 0)?;
    storage(body.storage_configuration.clone().into_option())?;
    match &*body.base_job_template {
        Some(template) => check_template(template)?,
        // The server's own check fails on null.
        None if body.base_job_template.is_null() => {
            return Err(Refusal::message(500, "Internal Server Error"));
        }
        None => {}
    }
    let name = call.text("name");
    let others = !body.description.is_unset()
        || !body.base_job_template.is_unset()
        || !body.storage_configuration.is_unset();
    if is_reserved(name) && others {
        return Err(Refusal::detail(
            403,
            "Work pools starting with 'Prefect' are reserved for internal use and can only be updated to set \
             concurrency limits or pause.",
        ));
    }
    let id = named(world, name)?.shown.id;
    if body.is_paused.is_null() || body.storage_configuration.is_null() {
        return Err(Refusal::integrity());
    }
    apply(world, id, body)
}

fn apply(world: &mut World, id: Uuid, body: WorkPoolUpdate) -> Result<Reply, Refusal> {
    let now = world.now;
    let has_worker = world
        .work_pools
        .workers
        .iter()
        .any(|worker| worker.shown.work_pool_id == id && worker.is_online);
    let storage = match body.storage_configuration.into_option() {
        Some(given) => Some(storage(Some(given))?),
        None => None,
    };
    let Some(pool) = world.work_pools.pools.get_mut(id) else {
        return Err(Refusal::integrity());
    };
    let is_agents = pool.is_agents();
    let shown = &mut pool.shown;
    let before = fields(shown);
    shown.updated = now.into();
    if !body.description.is_unset() {
        shown.description = body.description;
    }
    if let Some(template) = body.base_job_template.into_option() {
        shown.base_job_template = Some(template);
    }
    if !body.concurrency_limit.is_unset() {
        shown.concurrency_limit = body.concurrency_limit;
    }
    if storage.is_some() {
        shown.storage_configuration = storage;
    }
    let is_paused: Option<bool> = body.is_paused.into_option();
    if let Some(is_paused) = is_paused {
        shown.is_paused = Some(is_paused);
    }
    let after = fields(shown);
    let named = [
        "description",
        "base_job_template",
        "concurrency_limit",
        "storage_configuration",
    ];
    let all = named.into_iter().zip(before.into_iter().zip(after));
    let changed = changes(all.map(|(name, (from, to))| (name, from, to)).collect());
    if let Some(changed) = changed {
        events::pool_updated(world, id, changed);
    }
    match is_paused {
        Some(true) if !is_agents => set_status(world, id, WorkPoolStatus::Paused),
        Some(false) if !is_agents && has_worker => set_status(world, id, WorkPoolStatus::Ready),
        Some(false) if !is_agents => set_status(world, id, WorkPoolStatus::NotReady),
        _ => {}
    }
    Ok(Reply::no_content())
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let name = call.text("name");
    if is_reserved(name) {
        return Err(Refusal::detail(
            403,
            "Work pools starting with 'Prefect' are reserved for internal use and can not be deleted.",
        ));
    }
    let id = named(world, name)?.shown.id;
    let queues = world.work_pools.queues_of(id);
    let queues: Vec<Uuid> = queues.iter().map(|queue| queue.shown.id).collect();
    for queue in &queues {
        events::queue_deleted(world, *queue);
    }
    events::pool_deleted(world, id);
    for queue in queues {
        remove_queue(world, queue);
    }
    let workers = world.work_pools.workers.iter();
    let workers = workers.filter(|worker| worker.shown.work_pool_id == id);
    let workers: Vec<Uuid> = workers.map(|worker| worker.shown.id).collect();
    for worker in workers {
        world.work_pools.workers.remove(worker);
    }
    world.work_pools.pools.remove(id);
    Ok(Reply::no_content())
}

/// The pool of a name.
pub(super) fn named<'a>(world: &'a World, name: &str) -> Result<&'a Pool, Refusal> {
    let pool = world.work_pools.pool_named(name);
    pool.ok_or_else(|| Refusal::not_found(format!("Work pool \"{name}\" not found.")))
}

fn matching<'a>(world: &'a World, filter: &Value) -> Result<Vec<&'a Pool>, Refusal> {
    world.select(&world.work_pools.pools, |pool| fulfils(world, pool, filter))
}

fn is_reserved(name: &str) -> bool {
    name.to_lowercase().starts_with("prefect")
}

/// The fields whose changes are told by an event.
fn fields(shown: &WorkPoolResponse) -> [Value; 4] {
    [
        plain(&shown.description),
        plain(&shown.base_job_template),
        plain(&shown.concurrency_limit),
        plain(&shown.storage_configuration),
    ]
}
