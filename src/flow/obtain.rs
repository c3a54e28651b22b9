//! Getting the run of an attempt: the one that was handed over, or a new one; and what it is told before it begins.

use std::time::Duration;

use uuid::Uuid;

use super::flow::FlowOptions;
use super::handover::Handover;
use crate::client::Client;
use crate::error::Result;
use crate::types::{
    Field, FlowCreate, FlowRunCreate, FlowRunPolicy, FlowRunResponse, FlowRunUpdate, Json,
    StateCreate,
};

/// A run that is to be created.
#[derive(Clone, Default)]
pub(super) struct NewRun {
    pub name: Option<String>,
    pub parameters: Option<Json>,
    pub parent_task_run_id: Option<Uuid>,
}

/// Creates a run: `POST /flows/`, `POST /flow_runs/`.
pub(super) async fn create(
    client: &Client,
    flow: &str,
    options: &FlowOptions,
    new: NewRun,
    run_name: Option<String>,
) -> Result<FlowRunResponse> {
    let flow = client.flows().create(&FlowCreate::new(flow)).await?;
    let parameters = new.parameters.unwrap_or_else(no_parameters);
    let mut run = FlowRunCreate::new(flow.id)
        .parameters(parameters)
        .state(StateCreate::pending());
    run.name = new.name.or(run_name);
    run.parent_task_run_id = new.parent_task_run_id.into();
    run.flow_version = options.version.clone().into();
    if !options.tags.is_empty() {
        run.tags = Some(options.tags.clone());
    }
    let mut policy = FlowRunPolicy::new();
    if fill_in(&mut policy, options) {
        run.empirical_policy = Some(policy);
    }
    client.flow_runs().create(&run).await
}

/// The parameters of a run that has none.
pub(super) fn no_parameters() -> Json {
    serde_json::json!({}).into()
}

/// Tells the server what it does not know of a run yet: `PATCH /flow_runs/{id}`.
pub(super) async fn complete(
    client: &Client,
    run: &mut FlowRunResponse,
    options: &FlowOptions,
    handover: &Handover,
    run_name: Option<String>,
) -> Result<()> {
    let (mut update, mut is_changed) = (FlowRunUpdate::new(), false);
    // The server replaces the whole policy.
    let mut policy = run.empirical_policy.clone().unwrap_or_default();
    if fill_in(&mut policy, options) {
        run.empirical_policy = Some(policy.clone());
        update.empirical_policy = Some(policy);
        is_changed = true;
    }
    if let Some(version) = &options.version
        && run.flow_version.as_deref() != Some(version)
    {
        update.flow_version = Field::value(version.clone());
        is_changed = true;
    }
    if let Some(name) = run_name.filter(|name| run.name.as_deref() != Some(name)) {
        run.name = Some(name.clone());
        update.name = Field::value(name);
        is_changed = true;
    }
    // With an id, a run that is cancelled while it waits for a retry becomes CANCELLING, and not CANCELLED at once. A
    // supervisor writes an id of its own.
    if run.infrastructure_pid.is_none() && !handover.is_supervised {
        update.infrastructure_pid = Field::value(format!("{}:{}", host(), std::process::id()));
        is_changed = true;
    }
    match is_changed {
        true => client.flow_runs().update(run.id, &update).await.map(drop),
        false => Ok(()),
    }
}

/// Sets what the policy of a run lacks; returns whether there was anything.
fn fill_in(policy: &mut FlowRunPolicy, options: &FlowOptions) -> bool {
    let mut is_changed = false;
    if let Some(retries) = options.retries
        && policy.retries.is_none()
    {
        policy.retries = Field::value(i64::from(retries));
        is_changed = true;
    }
    if let Some(delay) = options.retry_delay
        && policy.retry_delay.is_none()
    {
        policy.retry_delay = Field::value(i64::try_from(delay.as_secs()).unwrap_or(i64::MAX));
        is_changed = true;
    }
    is_changed
}

/// How long to wait before the run is tried again.
pub(super) fn retry_delay(run: &FlowRunResponse, options: &FlowOptions) -> Duration {
    let policy = run.empirical_policy.as_ref();
    let seconds = policy.and_then(|policy| *policy.retry_delay);
    let seconds = Duration::from_secs(u64::try_from(seconds.unwrap_or(0)).unwrap_or(0));
    match options.retry_delay {
        // The server knows whole seconds only.
        Some(delay) if delay.as_secs() == seconds.as_secs() => delay,
        _ => seconds,
    }
}

/// The name of this machine.
fn host() -> String {
    let variable = std::env::var("HOSTNAME")
        .ok()
        .filter(|name| !name.is_empty());
    let file = || std::fs::read_to_string("/etc/hostname").ok();
    let name = variable.or_else(file).map(|name| name.trim().to_owned());
    name.unwrap_or_else(|| "localhost".to_owned())
}
