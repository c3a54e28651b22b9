//! The creation of flow runs.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::names::random_name;
use super::request::{NOT_NULL, check_state};
use super::row::Run;
use super::set_state::force_state;
use crate::testing::fake::call::Call;
use crate::testing::fake::deployments::check_object;
use crate::testing::fake::labels::check_labels;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::work_pools::no_null;
use crate::testing::fake::world::{World, row};
use crate::types::{
    CreatedBy, FlowRunCreate, FlowRunPolicy, FlowRunResponse, Json, Scalar, StateCreate,
};

/// What a new flow run is made of.
pub(crate) struct NewRun {
    pub flow_id: Uuid,
    pub state: StateCreate,
    pub name: Option<String>,
    pub deployment_id: Option<Uuid>,
    pub deployment_version: Option<String>,
    pub flow_version: Option<String>,
    pub parameters: Json,
    pub context: Json,
    pub tags: Vec<String>,
    pub labels: BTreeMap<String, Scalar>,
    pub empirical_policy: Option<FlowRunPolicy>,
    pub idempotency_key: Option<String>,
    pub parent_task_run_id: Option<Uuid>,
    pub infrastructure_document_id: Option<Uuid>,
    pub job_variables: Option<Json>,
    pub work_queue_id: Option<Uuid>,
    pub auto_scheduled: bool,
    /// Whether the reply shows the run: the server then fails to read the data of its state, and keeps nothing.
    pub is_shown: bool,
    pub created_by: Option<CreatedBy>,
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: FlowRunCreate = call.run_body()?;
    let sent = call.json()?;
    no_null(&sent, &NOT_NULL)?;
    check_object("parameters", body.parameters.as_ref())?;
    check_object("context", body.context.as_ref())?;
    check_object("job_variables", body.job_variables.as_ref())?;
    check_labels(&body.labels)?;
    if let Some(state) = body.state.as_option() {
        check_state(state, &sent["state"])?;
    }
    if body.work_pool_name.is_some() || body.work_queue_name.is_some() {
        return Err(Refusal::unsupported(
            "a flow run that names a work pool or a queue without a deployment",
        ));
    }
    if body.deployment_id.is_some() {
        return Err(Refusal::unsupported(
            "`deployment_id` in POST /flow_runs/, which is deprecated: create the run of the deployment",
        ));
    }
    let new = NewRun {
        flow_id: body.flow_id,
        state: body
            .state
            .into_option()
            .unwrap_or_else(StateCreate::pending),
        name: body.name,
        deployment_id: None,
        deployment_version: None,
        flow_version: body.flow_version.into_option(),
        parameters: body.parameters.unwrap_or_else(|| json!({}).into()),
        context: body.context.unwrap_or_else(|| json!({}).into()),
        tags: body.tags.unwrap_or_default(),
        labels: body.labels.into_option().unwrap_or_default(),
        empirical_policy: body.empirical_policy,
        idempotency_key: body.idempotency_key.into_option(),
        parent_task_run_id: body.parent_task_run_id.into_option(),
        infrastructure_document_id: body.infrastructure_document_id.into_option(),
        job_variables: body.job_variables.into_option(),
        work_queue_id: None,
        auto_scheduled: false,
        is_shown: true,
        created_by: None,
    };
    let (id, is_new) = create_run(world, new)?;
    let run = world
        .flow_runs
        .rows
        .get(id)
        .ok_or_else(Refusal::integrity)?;
    Ok(Reply::created_if(
        is_new,
        &super::effects::shown_at(run, world.now),
    ))
}

/// Creates a flow run with its first state, and emits the event of it. Where a run of the flow has this idempotency key, that is the run.
/// Returns its id, and whether it is new.
pub(crate) fn create_run(world: &mut World, new: NewRun) -> Result<(Uuid, bool), Refusal> {
    let flow = world
        .flows
        .get(new.flow_id)
        .ok_or_else(Refusal::integrity)?;
    let key = new.idempotency_key.clone();
    if let Some(key) = &key
        && let Some(id) = world.flow_runs.by_key.get(&(new.flow_id, key.clone()))
    {
        // By an empty key, no run is looked for; a second one may have it no more than any other.
        return match key.is_empty() {
            true => Err(Refusal::integrity()),
            false => Ok((*id, false)),
        };
    }
    let has_parent = |parent| world.task_runs.rows.contains(parent);
    if !new.parent_task_run_id.is_none_or(has_parent) || new.infrastructure_document_id.is_some() {
        return Err(Refusal::integrity());
    }
    if new.is_shown && has_data(&new.state) {
        return Err(Refusal::message(500, "Internal Server Error"));
    }
    let id = Uuid::new_v4();
    let mut labels = flow.labels.clone().into_option().unwrap_or_default();
    labels.insert("prefect.flow.id".into(), flow.id.to_string().into());
    if let Some(deployment) = new.deployment_id {
        labels.insert(
            "prefect.deployment.id".into(),
            deployment.to_string().into(),
        );
    }
    labels.extend(new.labels);
    let mut shown: FlowRunResponse = row(json!({
        "id": id, "created": world.now, "updated": world.now, "flow_id": new.flow_id, "name": "",
        "state_id": null, "state_type": null, "state_name": null, "state": null,
        "deployment_id": new.deployment_id, "deployment_version": new.deployment_version,
        "work_queue_id": null, "work_queue_name": null, "work_pool_id": null, "work_pool_name": null,
        "flow_version": new.flow_version, "parameters": {}, "context": {}, "idempotency_key": new.idempotency_key,
        "empirical_policy": policy(new.empirical_policy.as_ref()), "tags": new.tags, "labels": {},
        "parent_task_run_id": new.parent_task_run_id, "run_count": 0, "expected_start_time": null,
        "next_scheduled_start_time": null, "start_time": null, "end_time": null, "total_run_time": 0.0,
        "estimated_run_time": 0.0, "estimated_start_time_delta": 0.0, "auto_scheduled": new.auto_scheduled,
        "infrastructure_document_id": new.infrastructure_document_id, "infrastructure_pid": null,
        "created_by": new.created_by, "job_variables": null,
    }))?;
    let name = new.name.filter(|name| !name.is_empty());
    shown.name = Some(name.unwrap_or_else(random_name));
    shown.parameters = Some(new.parameters);
    shown.context = Some(new.context);
    // The database has a default for what is null, which does not apply where the row is inserted by a key.
    let is_plain = key.as_ref().is_none_or(String::is_empty);
    let default = || is_plain.then(|| json!({}).into());
    shown.job_variables = new.job_variables.or_else(default).into();
    shown.labels = Some(labels);
    if let Some(queue) = new.work_queue_id {
        world.work_pools.name_queue(queue, &mut shown);
    }
    let states = Vec::new();
    world.flow_runs.rows.insert(id, Run { shown, states });
    if let Some(key) = key {
        world.flow_runs.by_key.insert((new.flow_id, key), id);
    }
    force_state(world, id, new.state)?;
    Ok((id, true))
}

/// The policy with all keys that the server returns.
pub(super) fn policy(given: Option<&FlowRunPolicy>) -> Value {
    let mut all = json!({
        "max_retries": 0, "retry_delay_seconds": 0.0, "retries": null, "retry_delay": null,
        "pause_keys": [], "resuming": false, "retry_type": null,
    });
    if let (Value::Object(all), Some(Ok(Value::Object(given)))) =
        (&mut all, given.map(serde_json::to_value))
    {
        all.extend(given);
    }
    all
}

/// Whether a state has data that the server keeps.
fn has_data(state: &StateCreate) -> bool {
    let data = state.data.as_ref().and_then(|data| data.to_value().ok());
    data.is_some_and(|data| !data.is_null() && data["type"] != "unpersisted")
}
