//! What many tests need to be there on a real server.

use prefect_sdk::Client;
use prefect_sdk::types::{DeploymentCreate, FlowCreate, FlowRunCreate};
use serde_json::json;
use uuid::Uuid;

use super::unique;

/// The id of a flow.
pub async fn a_flow(client: &Client) -> Uuid {
    let flow = client.flows().create(&FlowCreate::new("made")).await;
    flow.expect("a flow").id
}

/// The id of a new deployment.
pub async fn a_deployment(client: &Client) -> Uuid {
    let deployment = DeploymentCreate::new(unique("made"), a_flow(client).await);
    let deployment = client.deployments().create(&deployment).await;
    deployment.expect("a deployment").id
}

/// The id of a new run of a flow, as `change` makes it.
pub async fn a_run(
    client: &Client,
    flow: Uuid,
    change: impl FnOnce(FlowRunCreate) -> FlowRunCreate,
) -> Uuid {
    let run = change(FlowRunCreate::new(flow).parameters(json!({})));
    let run = client.flow_runs().create(&run).await;
    run.expect("a run").id
}
