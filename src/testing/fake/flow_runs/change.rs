//! Changes of flow runs that are no transitions.

use std::collections::BTreeMap;

use super::create::policy;
use super::names::random_name;
use super::read::missing;
use super::request::NOT_NULL;
use crate::testing::fake::call::Call;
use crate::testing::fake::deployments::check_object;
use crate::testing::fake::labels::is_label;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::work_pools::no_null;
use crate::testing::fake::world::{World, row};
use crate::types::{FlowRunUpdate, Scalar, StateType};

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let (id, body): (_, FlowRunUpdate) = (call.id("id")?, call.run_body()?);
    no_null(&call.json()?, &NOT_NULL)?;
    check_object("parameters", body.parameters.as_ref())?;
    check_object("job_variables", body.job_variables.as_ref())?;
    let now = world.now;
    let policy = match &body.empirical_policy {
        Some(given) => Some(row(policy(Some(given)))?),
        None => None,
    };
    let run = world.flow_runs.rows.get_mut(id).ok_or_else(missing)?;
    if body.job_variables.is_some() {
        may_change_job_variables(run)?;
    }
    let shown = &mut run.shown;
    shown.updated = now.into();
    if policy.is_some() {
        shown.empirical_policy = policy;
    }
    if !body.flow_version.is_unset() {
        shown.flow_version = body.flow_version;
    }
    if !body.infrastructure_pid.is_unset() {
        shown.infrastructure_pid = body.infrastructure_pid;
    }
    if !body.job_variables.is_unset() {
        shown.job_variables = body.job_variables;
    }
    // Null and an empty name are replaced by one that the server draws.
    if !body.name.is_unset() {
        let name = body.name.into_option().filter(|name| !name.is_empty());
        shown.name = Some(name.unwrap_or_else(random_name));
    }
    if body.parameters.is_some() {
        shown.parameters = body.parameters;
    }
    if body.tags.is_some() {
        shown.tags = body.tags;
    }
    Ok(Reply::no_content())
}

fn may_change_job_variables(run: &super::row::Run) -> Result<(), Refusal> {
    let kind = run.state().map(|state| &state.type_);
    match kind {
        Some(StateType::Scheduled) if run.shown.deployment_id.is_some() => Ok(()),
        Some(StateType::Scheduled) => Err(Refusal::detail(
            400,
            "A deployment for the flow run could not be found",
        )),
        Some(kind) => Err(Refusal::detail(
            400,
            format!(
                "Job variables for a flow run in state {} cannot be updated",
                kind.as_str()
            ),
        )),
        None => Err(Refusal::detail(
            400,
            "Flow run state is required to update job variables but none exists",
        )),
    }
}

pub(super) fn update_labels(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    let labels: BTreeMap<String, Scalar> = call.decode()?;
    if !labels.values().all(is_label) {
        return Err(Refusal::unsupported(
            "a label that is no text, number or boolean: with it, the server fails whenever it lists the run",
        ));
    }
    let now = world.now;
    let run = world
        .flow_runs
        .rows
        .get_mut(id)
        .ok_or_else(|| Refusal::message(404, format!("Flow run with id {id} not found")))?;
    run.shown.labels.get_or_insert_default().extend(labels);
    run.shown.updated = now.into();
    Ok(Reply::no_content())
}
