//! The events of deployments.

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::testing::fake::work_pools::{ServerEvent, changes, emit, plain};
use crate::testing::fake::world::World;

pub(super) fn created(world: &mut World, id: Uuid) {
    event(world, id, "created", json!({}));
}

pub(super) fn deleted(world: &mut World, id: Uuid) {
    event(world, id, "deleted", json!({}));
}

pub(super) fn ready(world: &mut World, id: Uuid, is_ready: bool) {
    let what = if is_ready { "ready" } else { "not-ready" };
    event(world, id, what, json!({}));
}

/// Tells of the fields that have changed since they were as they are given here.
pub(super) fn updated(world: &mut World, id: Uuid, before: Fields) {
    let Some(after) = fields(world, id) else {
        return;
    };
    let all = before.into_iter().zip(after);
    let changed = changes(
        all.map(|((name, from), (_, to))| (name, from, to))
            .collect(),
    );
    if let Some(changed) = changed {
        event(world, id, "updated", changed);
    }
}

/// The fields whose changes are told by an event.
pub(super) type Fields = Vec<(&'static str, Value)>;

/// Puts another value into the place of a field.
pub(super) fn set(fields: &mut Fields, name: &str, value: &impl Serialize) {
    for (_, held) in fields.iter_mut().filter(|(field, _)| *field == name) {
        *held = plain(value);
    }
}

pub(super) fn fields(world: &World, id: Uuid) -> Option<Fields> {
    let row = world.deployments.get(id)?;
    let shown = &row.shown;
    Some(vec![
        ("concurrency_limit_id", plain(&row.limit)),
        ("concurrency_options", plain(&shown.concurrency_options)),
        ("description", plain(&shown.description)),
        (
            "enforce_parameter_schema",
            plain(&shown.enforce_parameter_schema),
        ),
        ("entrypoint", plain(&shown.entrypoint)),
        ("infra_overrides", plain(&shown.job_variables)),
        ("labels", plain(&shown.labels)),
        (
            "parameter_openapi_schema",
            plain(&shown.parameter_openapi_schema),
        ),
        ("parameters", plain(&shown.parameters)),
        ("path", plain(&shown.path)),
        ("paused", plain(&shown.paused)),
        ("pull_steps", plain(&shown.pull_steps)),
        ("tags", plain(&shown.tags)),
        ("version", plain(&shown.version)),
        ("work_queue_id", plain(&shown.work_queue_id)),
    ])
}

fn event(world: &mut World, id: Uuid, what: &str, payload: Value) {
    let Some(row) = world.deployments.get(id) else {
        return;
    };
    let shown = &row.shown;
    let resource = json!({
        "prefect.resource.id": format!("prefect.deployment.{id}"), "prefect.resource.name": shown.name,
    });
    let mut event = ServerEvent::new(format!("prefect.deployment.{what}"), resource);
    event.payload = payload;
    event.related.push(json!({
        "prefect.resource.id": format!("prefect.flow.{}", shown.flow_id),
        "prefect.resource.name": row.flow_name, "prefect.resource.role": "flow",
    }));
    let queue = shown.work_queue_id;
    if let Some((queue, pool)) = queue.and_then(|id| world.work_pools.queue_and_pool(id)) {
        event.related.push(json!({
            "prefect.resource.id": format!("prefect.work-queue.{}", queue.shown.id),
            "prefect.resource.name": queue.shown.name, "prefect.resource.role": "work-queue",
        }));
        event.related.push(json!({
            "prefect.resource.id": format!("prefect.work-pool.{}", pool.shown.id),
            "prefect.resource.name": pool.shown.name, "prefect.work-pool.type": pool.shown.type_,
            "prefect.resource.role": "work-pool",
        }));
    }
    if let Some(limit) = row.limit.filter(|id| world.limits.get(*id).is_some()) {
        event.related.push(json!({
            "prefect.resource.id": format!("prefect.concurrency-limit.{limit}"),
            "prefect.resource.role": "concurrency-limit",
        }));
    }
    emit(world, event);
}
