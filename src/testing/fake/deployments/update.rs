//! Updates of deployments.

use uuid::Uuid;

use super::events;
use super::fields::{check_keys, check_limits, check_object, normal_schema, whole};
use super::hydrate::{Unfilled, hydrate};
use super::job_variables::first_unfit;
use super::row::Deployment;
use super::schedules::{Change, check_slugs};
use super::schema::{Conformity, How, Tree, conform};
use super::slugs;
use super::target_queue::TargetQueue;
use super::waiting_runs::{Which, remove_waiting_runs};
use crate::testing::fake::call::Call;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::work_pools::no_null;
use crate::testing::fake::world::World;
use crate::types::{DeploymentResponse, DeploymentSchedule, DeploymentUpdate, Field, Json};

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    let mut body: DeploymentUpdate = call.decode()?;
    let changes = validate(world, call, &mut body)?;
    let row = found(world, id)?;
    let held_limit = row.limit;
    let schedules = slugs::updated(world.now, id, row.schedules(), changes)?;
    check_job_variables(world, &body)?;
    if let Some(parameters) = body.parameters.as_ref() {
        let filled = hydrate(world, parameters).map_err(|unfilled| match unfilled {
            Unfilled::Message(why) => {
                let start = "Error hydrating deployment parameters";
                Refusal::detail(400, format!("{start}: {why}"))
            }
            Unfilled::Refused(refusal) => refusal,
        })?;
        body.parameters = Field::value(filled);
    }
    check_parameters(found(world, id)?, &body)?;
    if let Some(limit) = *body.global_concurrency_limit_id
        && world.limits.get(limit).is_none()
    {
        return Err(Refusal::not_found("Concurrency limit not found"));
    }
    let queue = TargetQueue::new(
        body.work_pool_name.as_deref(),
        body.work_queue_name.as_deref(),
    );
    let leaves_pool = body.work_pool_name.is_null();
    if !leaves_pool {
        queue.check(world)?;
    }
    check_columns(&body, schedules.as_deref())?;
    let (mut limit, mut has_new_limit) = (held_limit, false);
    if !body.global_concurrency_limit_id.is_unset() {
        limit = *body.global_concurrency_limit_id;
    }
    if !body.concurrency_limit.is_unset() {
        let wanted = *body.concurrency_limit;
        let held = limit;
        limit = world
            .limits
            .set_of_deployment(id, limit, wanted, world.now)?;
        has_new_limit = held.is_none() && limit.is_some();
    }
    let queue = match leaves_pool {
        true => None,
        false => queue.obtain(world)?,
    };
    let mut before = events::fields(world, id);
    if has_new_limit && let Some(before) = &mut before {
        // The event does not tell of a limit that the request creates: the server looks before it is there.
        events::set(before, "concurrency_limit_id", &limit);
    }
    let now = world.now;
    if let Some(row) = world.deployments.rows.get_mut(id) {
        apply(&mut row.shown, body);
        row.shown.updated = now.into();
        row.limit = limit;
        if schedules.is_some() {
            row.shown.schedules = schedules;
        }
        if queue.is_some() || leaves_pool {
            row.shown.work_queue_id = queue.into();
        }
    }
    remove_waiting_runs(world, id, Which::AutoInFuture);
    if let Some(before) = before {
        events::updated(world, id, before);
    }
    Ok(Reply::no_content())
}

/// Refuses what the server's validation refuses; the changes of schedules, if there are any.
fn validate(
    world: &World,
    call: &Call<'_>,
    body: &mut DeploymentUpdate,
) -> Result<Option<Vec<Change>>, Refusal> {
    check_keys(body.extra.keys())?;
    let json = call.json()?;
    no_null(&json, &["paused", "schedules", "tags"])?;
    for schedule in json["schedules"].as_array().into_iter().flatten() {
        no_null(schedule, &["parameters"])?;
    }
    check_limits(
        *body.concurrency_limit,
        body.concurrency_options.as_ref(),
        body.global_concurrency_limit_id.is_some(),
    )?;
    check_object("parameters", body.parameters.as_ref())?;
    check_object("job_variables", body.job_variables.as_ref())?;
    let schema = body.parameter_openapi_schema.as_ref();
    check_object("parameter_openapi_schema", schema)?;
    let schedules = body.schedules.take();
    let changes = schedules.map(|schedules| {
        let changes = schedules.into_iter();
        changes.map(|change| Change::new(world, change)).collect()
    });
    changes.transpose()
}

fn check_job_variables(world: &World, body: &DeploymentUpdate) -> Result<(), Refusal> {
    let Some(name) = body
        .work_pool_name
        .as_deref()
        .filter(|name| !name.is_empty())
    else {
        return Ok(());
    };
    // The server forgets that there may be no such pool.
    let pool = world.work_pools.pool_named(name);
    let pool = pool.ok_or_else(|| Refusal::message(500, "Internal Server Error"))?;
    let template = pool.shown.base_job_template.as_ref();
    let (Some(template), Some(variables)) = (template, body.job_variables.as_ref()) else {
        return Ok(());
    };
    match first_unfit(template, variables)? {
        None => Ok(()),
        Some(why) => {
            let why = super::schema::Quoted(&why);
            let why = format!("Error creating deployment: <ValidationError: {why}>");
            Err(Refusal::detail(409, why))
        }
    }
}

/// The parameters that the deployment will have must conform to the schema that it will have, if it enforces it then.
fn check_parameters(row: &Deployment, body: &DeploymentUpdate) -> Result<(), Refusal> {
    let held = row.shown.enforce_parameter_schema;
    if body.enforce_parameter_schema.or(held) != Some(true) {
        return Ok(());
    }
    let given = body.parameter_openapi_schema.clone().into_option();
    let schema = given.map(normal_schema);
    let schema = schema.or_else(|| row.shown.parameter_openapi_schema.clone().into_option());
    let schema = schema.map(|schema: Json| Tree::parse(&schema));
    let schema = schema
        .filter(|schema| schema.entries().is_some())
        .ok_or_else(no_schema)?;
    let parameters = body.parameters.as_ref().or(row.shown.parameters.as_ref());
    let how = How {
        preprocess: true,
        ignore_required: true,
        ..How::default()
    };
    let parameters = parameters.map_or(Tree::Object(Vec::new()), Tree::parse);
    match conform(&parameters, &schema, how)? {
        Conformity::Conforms => Ok(()),
        Conformity::Violated(why) => Err(Refusal::detail(
            409,
            format!("Error updating deployment: {why}"),
        )),
        Conformity::BadSchema => Err(Refusal::message(500, "Internal Server Error")),
        Conformity::Circular => Err(circular()),
    }
}

/// The refusal of a deployment that enforces a schema which it does not have.
pub(super) fn no_schema() -> Refusal {
    Refusal::detail(
        409,
        "Error updating deployment: Cannot update parameters because parameter schema enforcement is enabled and the \
         deployment does not have a valid parameter schema.",
    )
}

pub(super) fn circular() -> Refusal {
    Refusal::detail(
        422,
        "Invalid schema: Unable to validate schema with circular references.",
    )
}

/// Refuses what the columns of the table do not take.
fn check_columns(
    body: &DeploymentUpdate,
    schedules: Option<&[DeploymentSchedule]>,
) -> Result<(), Refusal> {
    let has_block = body.storage_document_id.is_some() || body.infrastructure_document_id.is_some();
    if body.parameters.is_null() || body.enforce_parameter_schema.is_null() || has_block {
        return Err(Refusal::integrity());
    }
    check_slugs(schedules.unwrap_or_default())
}

/// Sets what the request names. Job variables cannot be emptied by null.
fn apply(shown: &mut DeploymentResponse, body: DeploymentUpdate) {
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
    set_given!(paused tags);
    macro_rules! set_value {
        ($($field:ident)*) => {
            $(if let Some(value) = body.$field.into_option() {
                shown.$field = Some(value);
            })*
        };
    }
    set_value!(parameters job_variables enforce_parameter_schema);
}

fn found(world: &World, id: Uuid) -> Result<&Deployment, Refusal> {
    let row = world.deployments.rows.get(id);
    row.ok_or_else(|| Refusal::not_found("Deployment not found."))
}
