//! Starting runs and telling them what to do, on a real server and before scripted ones.

mod control;
mod many;
mod starting;
mod unlucky;

use prefect_sdk::Client;
use prefect_sdk::types::*;
use serde_json::{Value, json};
use uuid::Uuid;

/// The id of a run of a deployment that is in this state, whatever the server's rules say.
async fn a_run_in(client: &Client, deployment: Uuid, state: StateCreate) -> Uuid {
    let run = DeploymentFlowRunCreate::new();
    let run = client.deployments().create_flow_run(deployment, &run).await;
    let run = run.expect("a run").id;
    let forced = SetFlowRunStateRequest::new(state).force(true);
    let set = client.flow_runs().set_state(run, &forced).await;
    assert!(set.expect("set").answer().is_accepted());
    run
}

/// How many runs a deployment has.
async fn runs_of(client: &Client, deployment: Uuid) -> i64 {
    let runs = client.flow_runs().count().deployment_id(deployment).await;
    runs.expect("counted")
}

/// What a server tells of a run.
fn told(id: Uuid) -> Value {
    json!({ "id": id, "flow_id": Uuid::nil(), "created": null, "updated": null })
}
