//! Objects that many tests need on a real server.

use prefect_sdk::Client;
use prefect_sdk::types::{DeploymentCreate, FlowCreate, FlowRunCreate};
use serde_json::json;
use uuid::Uuid;

use super::unique;

/// Creates a flow and returns its id.
pub async fn a_flow(client: &Client) -> Uuid {
    let flow = client.flows().create(&FlowCreate::new("made")).await;
    flow.expect("a flow").id
}

/// Creates a deployment and returns its id.
pub async fn a_deployment(client: &Client) -> Uuid {
    let deployment = DeploymentCreate::new(unique("made"), a_flow(client).await);
    let deployment = client.deployments().create(&deployment).await;
    deployment.expect("a deployment").id
}

/// Creates a run of a flow, modified by `change`, and returns its id.
pub async fn a_run(
    client: &Client,
    flow: Uuid,
    change: impl FnOnce(FlowRunCreate) -> FlowRunCreate,
) -> Uuid {
    let run = change(FlowRunCreate::new(flow).parameters(json!({})));
    let run = client.flow_runs().create(&run).await;
    run.expect("a run").id
}
