//! Runs of deployments, on real servers and on scripted ones.

mod run;
mod run_many;
mod run_many_failures;

use prefect_sdk::Client;
use serde_json::{Value, json};
use uuid::Uuid;

/// The number of runs that a deployment has.
async fn runs_of(client: &Client, deployment: Uuid) -> i64 {
    let runs = client.flow_runs().count().deployment_id(deployment).await;
    runs.expect("counted")
}

/// A run as a server sends it.
fn run_json(id: Uuid) -> Value {
    json!({ "id": id, "flow_id": Uuid::nil(), "created": null, "updated": null })
}
