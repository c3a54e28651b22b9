//! The creation of deployments: a deployment of the same flow and name is updated.

use std::collections::BTreeMap;

use serde_json::json;
use uuid::Uuid;

use super::events;
use super::fields::{check_keys, check_limits, check_object, empty_object, normal_schema, whole};
use super::job_variables::{Unfit, check_variables};
use super::new_schedule::new_schedule;
use super::read::shown;
use super::row::Deployment;
use super::schedules::check_slugs;
use super::schema::{Conformity, How, Tree, conform, is_schema};
use super::target_queue::TargetQueue;
use super::waiting_runs::{Which, remove_waiting_runs};
use crate::testing::fake::call::Call;
use crate::testing::fake::labels::check_labels;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::work_pools::{is_plain, no_null};
use crate::testing::fake::world::{World, row};
use crate::types::{DeploymentCreate, DeploymentResponse, DeploymentSchedule, Scalar};

/// The keys that take no null.
const NOT_NULL: [&str; 6] = [
    "paused",
    "schedules",
    "enforce_parameter_schema",
    "parameters",
    "tags",
    "job_variables",
];

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: DeploymentCreate = call.decode()?;
    validate(call, &body)?;
    let existing = world.deployments.named(body.flow_id, &body.name);
    let held = existing.map(|row| (row.id(), row.limit));
    let id = held.map_or_else(Uuid::new_v4, |(id, _)| id);
    let schedules = new_schedules(world, id, &body)?;
    let queue = TargetQueue::new(
        body.work_pool_name.as_deref(),
        body.work_queue_name.as_deref(),
    );
    queue.check(world)?;
    check_job_variables(world, &body)?;
    check_references(world, &body)?;
    check_slugs(&schedules)?;
    let mut limit = held.and_then(|(_, limit)| limit);
    if !body.global_concurrency_limit_id.is_unset() {
        limit = *body.global_concurrency_limit_id;
    }
    if !body.concurrency_limit.is_unset() {
        let wanted = *body.concurrency_limit;
        limit = world
            .limits
            .set_of_deployment(id, limit, wanted, world.now)?;
    }
    let queue = queue.obtain(world)?;
    let before = events::fields(world, id);
    if held.is_none() {
        let row = new_row(world, id, &body)?;
        world.deployments.rows.insert(id, row);
    }
    let labels = labels(world, &body);
    let now = world.now;
    if let Some(row) = world.deployments.rows.get_mut(id) {
        apply(&mut row.shown, body);
        row.shown.labels = Some(labels);
        row.shown.updated = now.into();
        row.shown.schedules = Some(schedules);
        row.limit = limit;
        if queue.is_some() {
            row.shown.work_queue_id = queue.into();
        }
    }
    remove_waiting_runs(world, id, Which::AutoInFuture);
    match before {
        Some(before) => events::updated(world, id, before),
        None => events::created(world, id),
    }
    let row = world.deployments.rows.get(id);
    let row = row.ok_or_else(Refusal::integrity)?;
    Ok(Reply::created_if(held.is_none(), &shown(world, row)?))
}

fn validate(call: &Call<'_>, body: &DeploymentCreate) -> Result<(), Refusal> {
    check_keys(body.extra.keys())?;
    no_null(&call.json()?, &NOT_NULL)?;
    check_limits(
        *body.concurrency_limit,
        body.concurrency_options.as_ref(),
        body.global_concurrency_limit_id.is_some(),
    )?;
    let schema = body.parameter_openapi_schema.as_ref();
    check_labels(&body.labels)?;
    check_object("parameters", body.parameters.as_ref())?;
    check_object("job_variables", body.job_variables.as_ref())?;
    check_object("parameter_openapi_schema", schema)?;
    // Only one who asks for it in the request has the parameters checked at once.
    let (Some(true), Some(schema)) = (body.enforce_parameter_schema, schema) else {
        return Ok(());
    };
    let schema = Tree::parse(schema);
    let parameters = body.parameters.clone().unwrap_or_else(empty_object);
    let how = How {
        ignore_required: true,
        ..How::default()
    };
    let refuse = |text: &str| {
        let text = format!("Value error, {text}");
        Err(Refusal::invalid(&["body"], "value_error", text))
    };
    let bad = "The provided schema is not a valid json schema.";
    match conform(&Tree::parse(&parameters), &schema, how)? {
        Conformity::Violated(why) => return refuse(&why),
        Conformity::BadSchema => return refuse(bad),
        Conformity::Circular => return Err(Refusal::message(500, "Internal Server Error")),
        Conformity::Conforms => {}
    }
    is_schema(&schema).or_else(|_| refuse(bad))
}

fn check_job_variables(world: &World, body: &DeploymentCreate) -> Result<(), Refusal> {
    let pool = body.work_pool_name.as_deref();
    let pool = pool.filter(|name| *name != "default-agent-pool");
    let pool = pool.and_then(|name| world.work_pools.pool_named(name));
    let (Some(pool), Some(variables)) = (pool, &body.job_variables) else {
        return Ok(());
    };
    if matches!(Tree::parse(variables).entries(), Some([])) {
        return Ok(());
    }
    let template = pool.shown.base_job_template.as_ref();
    check_variables(template, &[variables], true).map_err(|unfit| match unfit {
        Unfit::Violated(why) => Refusal::detail(422, format!("Error creating deployment: {why}")),
        Unfit::Refused(refusal) => refusal,
    })
}

/// The schedules, the last one first. The server forgets how many runs each may plan.
fn new_schedules(
    world: &World,
    id: Uuid,
    body: &DeploymentCreate,
) -> Result<Vec<DeploymentSchedule>, Refusal> {
    let mut schedules = Vec::new();
    for new in body.schedules.iter().flatten() {
        let mut schedule = new_schedule(world.now, id, new.clone())?;
        schedule.max_scheduled_runs = None.into();
        schedules.insert(0, schedule);
    }
    Ok(schedules)
}

/// Refuses what refers to something that is not there, in the server's order.
fn check_references(world: &World, body: &DeploymentCreate) -> Result<(), Refusal> {
    if let Some(limit) = *body.global_concurrency_limit_id
        && world.limits.get(limit).is_none()
    {
        return Err(Refusal::not_found("Concurrency limit not found"));
    }
    if !is_plain(&body.name) {
        return Err(Refusal::message(500, "Internal Server Error"));
    }
    // The fake has no blocks.
    let blocks = [
        ("infrastructure", *body.infrastructure_document_id),
        ("storage", *body.storage_document_id),
    ];
    for (kind, block) in blocks {
        if let Some(block) = block {
            return Err(Refusal::detail(
                409,
                format!(
                    "Error creating deployment. Could not find {kind} block with id: {block}. This usually occurs when \
                     applying a deployment specification that was built against a different Prefect database / workspace."
                ),
            ));
        }
    }
    match world.flows.contains(body.flow_id) {
        true => Ok(()),
        false => Err(Refusal::integrity()),
    }
}

fn new_row(world: &World, id: Uuid, body: &DeploymentCreate) -> Result<Deployment, Refusal> {
    let flow = world
        .flows
        .get(body.flow_id)
        .ok_or_else(Refusal::integrity)?;
    let shown: DeploymentResponse = row(json!({
        "id": id, "created": world.now, "updated": world.now, "name": body.name, "version": null, "description": null,
        "flow_id": body.flow_id, "paused": false, "schedules": [], "concurrency_limit": null,
        "global_concurrency_limit": null, "concurrency_options": null, "job_variables": {}, "parameters": {}, "tags": [],
        "labels": {}, "work_queue_name": null, "work_queue_id": null, "last_polled": null, "parameter_openapi_schema": {},
        "path": null, "pull_steps": [], "entrypoint": null, "storage_document_id": null,
        "infrastructure_document_id": null, "created_by": null, "updated_by": null, "work_pool_name": null,
        "status": "NOT_READY", "enforce_parameter_schema": true,
    }))?;
    Ok(Deployment {
        shown,
        flow_name: flow.name.clone(),
        limit: None,
    })
}

/// The labels: those of the flow, one of the server, and those of the request, of which later ones win.
fn labels(world: &World, body: &DeploymentCreate) -> BTreeMap<String, Scalar> {
    let flow = world.flows.get(body.flow_id);
    let labels = flow.and_then(|flow| flow.labels.clone().into_option());
    let mut labels = labels.unwrap_or_default();
    labels.insert(
        "prefect.flow.id".to_owned(),
        body.flow_id.to_string().into(),
    );
    labels.extend(body.labels.clone().into_option().unwrap_or_default());
    labels
}

/// Sets what the request names.
fn apply(shown: &mut DeploymentResponse, body: DeploymentCreate) {
    macro_rules! set {
        ($($field:ident)*) => {
            $(if !body.$field.is_unset() {
                shown.$field = body.$field;
            })*
        };
    }
    set!(version description path entrypoint pull_steps work_queue_name);
    if !body.concurrency_options.is_unset() {
        shown.concurrency_options = whole(body.concurrency_options);
    }
    if !body.parameter_openapi_schema.is_unset() {
        let schema = body.parameter_openapi_schema.into_option();
        shown.parameter_openapi_schema = schema.map(normal_schema).into();
    }
    macro_rules! set_given {
        ($($field:ident)*) => {
            $(if body.$field.is_some() {
                shown.$field = body.$field;
            })*
        };
    }
    set_given!(paused enforce_parameter_schema tags job_variables);
    // An update that names no parameters takes away those that there are.
    shown.parameters = Some(body.parameters.unwrap_or_else(empty_object));
}
