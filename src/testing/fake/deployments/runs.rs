//! Flow runs of deployments: creating them, and finding those that are due.

use serde_json::{Value, json};
use uuid::Uuid;

use super::fields::{check_object, empty_object};
use super::hydrate::{Unfilled, hydrate};
use super::job_variables::{Unfit, check_variables};
use super::read::found;
use super::ready::{Polled, mark_ready};
use super::row::Deployment;
use super::run_parts::{keep_name, merged, run_labels};
use super::schema::{Conformity, How, Tree, conform};
use super::target_queue::TargetQueue;
use super::update::{circular, no_schema};
use crate::testing::fake::call::Call;
use crate::testing::fake::flow_runs::{NewRun, Run, check_state, create_run, shown_at};
use crate::testing::fake::labels::check_labels;
use crate::testing::fake::page;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::work_pools::no_null;
use crate::testing::fake::world::World;
use crate::types::{
    DeploymentFlowRunCreate, GetScheduledFlowRunsForDeploymentsRequest, Json, StateCreate,
    StateType,
};

/// The most runs that are created at a time.
const BULK_LIMIT: usize = 100;

/// The keys that take no null.
const NOT_NULL: [&str; 4] = ["parameters", "context", "empirical_policy", "tags"];

/// Why a run is not created.
enum Problem {
    /// The parameters stand for something that is not there.
    Unfilled(String),
    NoSchema,
    /// The parameters do not conform to the schema.
    Violated(String),
    Circular,
    /// The job variables do not conform to the template.
    JobVariables(String),
    /// A queue is named, and the deployment has no pool.
    NoPool(String),
    Refused(Refusal),
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    let body: DeploymentFlowRunCreate = call.run_body()?;
    check(&body, &call.json()?)?;
    found(world, id)?;
    let (run, is_new) =
        create_one(world, id, body, true).map_err(|problem| refusal(id, problem))?;
    let run = world.flow_runs.rows.get(run);
    let run = run.ok_or_else(Refusal::integrity)?;
    Ok(Reply::created_if(is_new, &shown_at(run, world.now)))
}

pub(super) fn create_many(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    let body: Vec<DeploymentFlowRunCreate> = call.body()?;
    for (run, sent) in body
        .iter()
        .zip(call.json()?.as_array().into_iter().flatten())
    {
        check(run, sent)?;
    }
    if body.len() > BULK_LIMIT {
        let text = format!("Cannot create more than {BULK_LIMIT} flow runs at once.");
        return Err(Refusal::detail(400, text));
    }
    found(world, id)?;
    for run in &body {
        if run.infrastructure_document_id.is_some() || is_orphan(world, run) {
            return Err(Refusal::unsupported(
                "runs among others that refer to what is not there: the server's transaction breaks",
            ));
        }
    }
    create_queues(world, id, &body)?;
    let mut results = Vec::new();
    for run in body {
        results.push(match create_one(world, id, run, false) {
            Ok((run, _)) => json!({"flow_run_id": run, "status": "CREATED", "error": null}),
            Err(problem) => {
                let error = failure(problem)?;
                json!({"flow_run_id": null, "status": "FAILED", "error": error})
            }
        });
    }
    Ok(Reply::ok(&json!({"results": results})))
}

/// Creates the queues that the runs name, whatever becomes of the runs.
fn create_queues(
    world: &mut World,
    id: Uuid,
    runs: &[DeploymentFlowRunCreate],
) -> Result<(), Refusal> {
    let queue = *found(world, id)?.shown.work_queue_id;
    let pool = queue.and_then(|queue| world.work_pools.queue_and_pool(queue));
    let Some((_, pool)) = pool else {
        return Ok(());
    };
    let pool = pool.shown.name.clone();
    for name in runs.iter().filter_map(|run| run.work_queue_name.as_deref()) {
        TargetQueue::new(Some(&pool), Some(name)).obtain(world)?;
    }
    Ok(())
}

/// Refuses what the server's validation refuses; `sent` is the request as it came.
fn check(body: &DeploymentFlowRunCreate, sent: &Value) -> Result<(), Refusal> {
    no_null(sent, &NOT_NULL)?;
    if let Some(state) = body.state.as_option() {
        check_state(state, &sent["state"])?;
    }
    check_labels(&body.labels)?;
    check_object("parameters", body.parameters.as_ref())?;
    check_object("context", body.context.as_ref())?;
    check_object("job_variables", body.job_variables.as_ref())
}

/// Creates a run; its id, and whether it is new.
fn create_one(
    world: &mut World,
    id: Uuid,
    body: DeploymentFlowRunCreate,
    is_shown: bool,
) -> Result<(Uuid, bool), Problem> {
    let row = found(world, id)?;
    let parameters = merged(row.shown.parameters.as_ref(), body.parameters.as_ref());
    let parameters = hydrate(world, &parameters).map_err(|unfilled| match unfilled {
        Unfilled::Message(why) => Problem::Unfilled(why),
        Unfilled::Refused(refusal) => Problem::Refused(refusal),
    })?;
    let own = row.shown.enforce_parameter_schema;
    if body.enforce_parameter_schema.or(own) == Some(true) {
        check_parameters(row, &parameters)?;
    }
    check_job_variables(world, row, &body)?;
    let (mut queue, mut name) = (
        *row.shown.work_queue_id,
        row.shown.work_queue_name.clone().into_option(),
    );
    let mut target = None;
    if let Some(wanted) = body
        .work_queue_name
        .as_deref()
        .filter(|name| !name.is_empty())
    {
        let pool = queue.and_then(|queue| world.work_pools.queue_and_pool(queue));
        let (_, pool) = pool.ok_or_else(|| Problem::NoPool(wanted.to_owned()))?;
        let found = TargetQueue::new(Some(&pool.shown.name), Some(wanted));
        found.check(world)?;
        (target, name) = (Some(found), Some(wanted.to_owned()));
    }
    // The fake has no blocks.
    let is_orphan = body.infrastructure_document_id.is_some() || is_orphan(world, &body);
    if is_orphan && !is_known(world, row.shown.flow_id, &body) {
        return Err(Refusal::integrity().into());
    }
    let new = new_run(row, body, parameters, is_shown);
    if let Some(target) = target {
        queue = target.obtain(world)?;
    }
    let new = NewRun {
        work_queue_id: queue,
        ..new
    };
    let (run, is_new) = create_run(world, new)?;
    if is_new {
        keep_name(world, run, name);
    }
    Ok((run, is_new))
}

fn new_run(
    row: &Deployment,
    body: DeploymentFlowRunCreate,
    parameters: Json,
    is_shown: bool,
) -> NewRun {
    let shown = &row.shown;
    let mut tags = shown.tags.clone().unwrap_or_default();
    for tag in body.tags.unwrap_or_default() {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    let job_variables = match body.job_variables.is_unset() {
        true => Some(empty_object()),
        false => body.job_variables.into_option(),
    };
    NewRun {
        flow_id: shown.flow_id,
        state: body
            .state
            .into_option()
            .unwrap_or_else(|| StateCreate::new(StateType::Scheduled)),
        name: body.name,
        deployment_id: shown.id.into(),
        deployment_version: shown.version.clone().into_option(),
        flow_version: None,
        parameters,
        context: body.context.unwrap_or_else(empty_object),
        tags,
        labels: run_labels(row, body.labels.into_option()),
        empirical_policy: body.empirical_policy,
        idempotency_key: body.idempotency_key.into_option(),
        parent_task_run_id: body.parent_task_run_id.into_option(),
        infrastructure_document_id: None,
        job_variables,
        work_queue_id: None,
        auto_scheduled: false,
        is_shown,
        created_by: None,
    }
}

fn is_orphan(world: &World, body: &DeploymentFlowRunCreate) -> bool {
    let parent = *body.parent_task_run_id;
    parent.is_some_and(|parent| world.task_runs.rows.get(parent).is_none())
}

/// Whether there is a run of the flow with the same idempotency key: the server then creates none, and checks no references.
fn is_known(world: &World, flow: Uuid, body: &DeploymentFlowRunCreate) -> bool {
    let key = body.idempotency_key.as_ref().filter(|key| !key.is_empty());
    key.is_some_and(|key| world.flow_runs.by_key.contains_key(&(flow, key.clone())))
}

fn check_parameters(row: &Deployment, parameters: &Json) -> Result<(), Problem> {
    let schema = row.shown.parameter_openapi_schema.as_ref().map(Tree::parse);
    let schema = schema.filter(|schema| schema.entries().is_some());
    let schema = schema.ok_or(Problem::NoSchema)?;
    let how = How {
        preprocess: true,
        ..How::default()
    };
    match conform(&Tree::parse(parameters), &schema, how)? {
        Conformity::Conforms => Ok(()),
        Conformity::Violated(why) => Err(Problem::Violated(why)),
        Conformity::BadSchema => Err(Refusal::message(500, "Internal Server Error").into()),
        Conformity::Circular => Err(Problem::Circular),
    }
}

fn check_job_variables(
    world: &World,
    row: &Deployment,
    body: &DeploymentFlowRunCreate,
) -> Result<(), Problem> {
    let queue = row.shown.work_queue_id;
    let pool = queue.and_then(|queue| world.work_pools.queue_and_pool(queue));
    let Some((_, pool)) = pool else {
        return Ok(());
    };
    let own = row.shown.job_variables.as_ref();
    let variables: Vec<&Json> = own.into_iter().chain(body.job_variables.as_ref()).collect();
    let template = pool.shown.base_job_template.as_ref();
    check_variables(template, &variables, false).map_err(|unfit| match unfit {
        Unfit::Violated(why) => Problem::JobVariables(why),
        Unfit::Refused(refusal) => Problem::Refused(refusal),
    })
}

/// What the server answers when one run is not created.
fn refusal(deployment: Uuid, problem: Problem) -> Refusal {
    let failed = |status, why| Refusal::detail(status, format!("Error creating flow run: {why}"));
    match problem {
        Problem::Unfilled(why) => {
            Refusal::detail(400, format!("Error hydrating flow run parameters: {why}"))
        }
        Problem::NoSchema => no_schema(),
        Problem::Violated(why) => failed(409, why),
        Problem::Circular => circular(),
        Problem::JobVariables(why) => failed(422, why),
        Problem::NoPool(queue) => Refusal::detail(
            400,
            format!(
                "Cannot create flow run in work queue {queue} because deployment {deployment} is not associated with a \
                 work pool. Please remove work_pool_name and try again."
            ),
        ),
        Problem::Refused(refusal) => refusal,
    }
}

/// What the server says of one run among many that is not created.
fn failure(problem: Problem) -> Result<String, Refusal> {
    Ok(match problem {
        Problem::Unfilled(why) => why,
        Problem::NoSchema => {
            "Parameter schema enforcement is enabled but deployment has no valid schema.".into()
        }
        Problem::Violated(why) => format!("Parameter validation failed: {why}"),
        Problem::Circular => "Invalid schema: circular references detected.".into(),
        Problem::JobVariables(why) => format!("Error creating flow run: {why}"),
        Problem::NoPool(queue) => format!(
            "Cannot create flow run in work queue {queue} because deployment is not associated with a work pool."
        ),
        // The server puts the text of its exception there.
        Problem::Refused(refusal) => return Err(refusal_among_many(refusal)),
    })
}

fn refusal_among_many(refusal: Refusal) -> Refusal {
    match refusal.unsupported {
        Some(_) => refusal,
        None => Refusal::unsupported("a run among others that the server fails to create"),
    }
}

pub(super) fn scheduled(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: GetScheduledFlowRunsForDeploymentsRequest = call.decode()?;
    let limit = page::limit(&json!({"limit": body.limit}))?;
    let before = body.scheduled_before;
    let ids = &body.deployment_ids;
    let is_due = |run: &&Run| {
        let deployment = *run.shown.deployment_id;
        let at = *run.shown.next_scheduled_start_time;
        run.shown.state_type.as_ref() == Some(&StateType::Scheduled)
            && deployment.is_some_and(|id| ids.contains(&id) && world.deployments.get(id).is_some())
            && before.is_none_or(|before| at.is_some_and(|at| at <= before))
    };
    let mut runs: Vec<&Run> = world.flow_runs.rows.iter().filter(is_due).collect();
    runs.sort_by_key(|run| *run.shown.next_scheduled_start_time);
    runs.truncate(limit);
    let runs: Vec<_> = runs.iter().map(|run| shown_at(run, world.now)).collect();
    let reply = Reply::ok(&runs);
    mark_ready(world, Polled::Deployments(ids));
    Ok(reply)
}
