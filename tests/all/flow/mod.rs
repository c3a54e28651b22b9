//! Flow runs whose function is this process, on real servers.

mod cancelling;
mod children;
mod control;
mod ending;
mod faults;
mod handed;
mod lines;
mod pausing;
pub mod process;
mod scale;
mod tasks;
mod worker;

use prefect_sdk::Client;
use prefect_sdk::types::{DeploymentCreate, FlowCreate, TaskRun};
use uuid::Uuid;

/// Creates a flow with this name, and returns its id.
pub async fn a_flow_named(client: &Client, name: &str) -> Uuid {
    let flow = client.flows().create(&FlowCreate::new(name)).await;
    flow.expect("a flow").id
}

/// Creates a deployment `d` of the flow with this name, modified by `change`, and returns its id.
pub async fn a_deployment_of(
    client: &Client,
    flow: &str,
    change: impl FnOnce(DeploymentCreate) -> DeploymentCreate,
) -> Uuid {
    let deployment = change(DeploymentCreate::new("d", a_flow_named(client, flow).await));
    let deployment = client.deployments().create(&deployment).await;
    deployment.expect("a deployment").id
}

/// Starts a run of a deployment, and returns its id.
pub async fn a_run_of(client: &Client, deployment: Uuid) -> Uuid {
    let run = client.deployments().run(deployment).send().await;
    run.expect("a run").id()
}

/// The names of the states that a run was in, in order, but for "Late": on a busy machine, any run may have waited so long that
/// the server calls it that.
pub async fn states(client: &Client, run: Uuid) -> Vec<String> {
    let states = client.flow_runs().states(run).await.expect("the states");
    let mut states: Vec<_> = states
        .into_iter()
        .map(|state| (state.timestamp, state.name.clone().unwrap_or_default()))
        .collect();
    states.sort();
    let names = states.into_iter().map(|(_, name)| name);
    names.filter(|name| name != "Late").collect()
}

/// The task runs of a run.
pub async fn task_runs(client: &Client, run: Uuid) -> Vec<TaskRun> {
    let runs = client.task_runs().list().flow_run_id(run).await;
    runs.expect("the task runs")
}
