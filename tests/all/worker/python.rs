//! Flows of Python, which our worker starts by Prefect's own command.

use std::fs;
use std::time::Duration;

use prefect_sdk::LocalServer;
use prefect_sdk::types::{DeploymentCreate, StateType};
use prefect_sdk::worker::ProcessInfrastructure;
use serde_json::json;

use super::{Working, python_command};
use crate::flow::{a_flow_named, states};
use crate::support::unique;

const FLOW: &str = r#"
import time

from prefect import flow


@flow
def greet(name: str = "", wait: bool = False):
    if wait:
        time.sleep(600)
    return f"Hello, {name}"
"#;

/// Runs a Python flow by our worker, to its end and cancelled, on a server of this version.
async fn works_on(version: &str) {
    let server = LocalServer::builder()
        .version(version)
        .start()
        .await
        .expect("a server");
    let client = server.client().expect("a client");
    let folder = std::env::temp_dir().join(unique("flows"));
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("flow.py"), FLOW).expect("written");
    let pool = unique("pool");
    let command = format!("{} flow-run execute", python_command(&server));
    let infrastructure = ProcessInfrastructure::new().default_command(command);
    let worker = client.worker(&pool, infrastructure).create_pool();
    let home = folder.join("home");
    let worker = worker
        .variable("PREFECT_HOME", home.to_string_lossy())
        .variable("PREFECT_SERVER_ANALYTICS_ENABLED", "false");
    let working = Working::start(worker).await;
    let flow = a_flow_named(&client, "greet").await;
    let deployment = DeploymentCreate::new("python", flow)
        .work_pool_name(pool.as_str())
        .path(folder.to_string_lossy().into_owned())
        .entrypoint("flow.py:greet");
    let deployment = client
        .deployments()
        .create(&deployment)
        .await
        .expect("a deployment")
        .id;

    let run = client
        .deployments()
        .run(deployment)
        .parameters(json!({ "name": "Rust" }));
    let run = run.send().await.expect("a run");
    let ended = run
        .wait()
        .timeout(Duration::from_secs(120))
        .await
        .expect("ended");
    assert_eq!(
        ended.state_type,
        StateType::Completed,
        "{version}: {:?}",
        ended.state
    );

    let run = client
        .deployments()
        .run(deployment)
        .parameters(json!({ "wait": true }));
    let run = run.send().await.expect("a run");
    let running = run.wait().until(|run| run.state_type == StateType::Running);
    running
        .timeout(Duration::from_secs(120))
        .await
        .expect("running");
    run.cancel().await.expect("cancelling");
    run.wait().await.expect("ended");
    // Its own end may be reported in between.
    let stats = working.stop().await;
    let states = states(&client, run.id()).await;
    assert_eq!(
        states.last().map(String::as_str),
        Some("Cancelled"),
        "{version}: {states:?}"
    );
    assert_eq!((stats.started, stats.cancelled), (2, 1), "{version}");
    fs::remove_dir_all(&folder).expect("removed");
}

#[tokio::test]
async fn python_flows_run_and_are_cancelled_on_3_9_1() {
    works_on("3.9.1").await;
}

#[tokio::test]
async fn python_flows_run_and_are_cancelled_on_3_8_8() {
    works_on("3.8.8").await;
}
