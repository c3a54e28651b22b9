//! Our programs as the commands of Python's process worker, and as sub-flows of Python's flows.

use std::fs;
use std::time::Duration;

use prefect_sdk::types::{DeploymentCreate, FlowRunResponse, StateType};
use prefect_sdk::{Client, LocalServer};
use serde_json::json;
use uuid::Uuid;

use super::process::{JOURNAL, PROGRAM};
use super::{a_flow_named, states, task_runs};
use crate::support::{PythonWorker, python, unique};
use crate::worker::until_gone;

/// A deployment whose runs are our program.
async fn deployment(client: &Client, pool: &str, name: &str) -> Uuid {
    let program = std::env::current_exe().expect("this test binary");
    let command = format!("{} {}", program.display(), PROGRAM.join(" "));
    let flow = a_flow_named(client, name).await;
    let deployment = DeploymentCreate::new("rust", flow)
        .work_pool_name(pool)
        .job_variables(json!({ "command": command, "stream_output": true }));
    loop {
        // The worker creates the pool.
        match client.deployments().create(&deployment).await {
            Ok(deployment) => return deployment.id,
            Err(error) if error.is_not_found() => {
                tokio::time::sleep(Duration::from_millis(200)).await
            }
            Err(error) => panic!("{error}"),
        }
    }
}

async fn run(client: &Client, deployment: Uuid, end: &str) -> FlowRunResponse {
    let run = client
        .deployments()
        .run(deployment)
        .parameters(json!({ "end": end }));
    let run = run.send().await.expect("a run");
    run.wait().await.expect("ended")
}

fn message(run: &FlowRunResponse) -> String {
    let state = run.state.as_ref();
    state
        .and_then(|state| state.message.clone().into_option())
        .unwrap_or_default()
}

/// Runs our program by a worker of this version, in each way in which it may end.
async fn works_on(version: &str) {
    let server = LocalServer::builder()
        .version(version)
        .start()
        .await
        .expect("a server");
    let client = server.client().expect("a client");
    let pool = unique("pool");
    let worker = PythonWorker::start(&server, &pool);
    let deployment = deployment(&client, &pool, "commanded").await;

    let completed = run(&client, deployment, "").await;
    assert_eq!(
        completed.state_type.as_ref(),
        Some(&StateType::Completed),
        "{}",
        worker.log()
    );
    let said: serde_json::Value = client
        .flow_runs()
        .result(completed.id)
        .await
        .expect("a result");
    assert_eq!(said, json!({ "said": "hello" }));
    assert_eq!(task_runs(&client, completed.id).await.len(), 1);

    let failed = run(&client, deployment, "fail").await;
    assert_eq!(
        message(&failed),
        "Flow run encountered an exception: told to fail"
    );

    let crashed = run(&client, deployment, "abort").await;
    assert_eq!(crashed.state_type.as_ref(), Some(&StateType::Crashed));
    assert!(
        message(&crashed).contains("exited"),
        "{}",
        message(&crashed)
    );

    let journal = std::env::temp_dir().join(unique("journal"));
    fs::create_dir_all(&journal).expect("a folder");
    let waiting = client
        .deployments()
        .run(deployment)
        .parameters(json!({ "end": "wait" }))
        .job_variables(json!({ "env": { JOURNAL: journal } }));
    let waiting = waiting.send().await.expect("a run");
    waiting
        .wait()
        .until(|run| run.state_type.as_ref() == Some(&StateType::Running))
        .await
        .expect("running");
    waiting.cancel().await.expect("cancelling");
    let cancelled = waiting.wait().await.expect("ended");
    assert_eq!(
        cancelled.state_type.as_ref(),
        Some(&StateType::Cancelled),
        "{}",
        worker.log()
    );
    // A process that the worker had to kill would not have made the second file.
    let process = fs::read_to_string(journal.join("begun")).expect("begun");
    until_gone(&process).await;
    assert!(journal.join("ended").exists(), "{}", worker.log());
    let _ = fs::remove_dir_all(&journal);
    let states = states(&client, waiting.id()).await;
    assert!(!states.iter().any(|state| state == "Crashed"), "{states:?}");
}

#[tokio::test]
async fn a_worker_of_3_9_1_runs_our_program() {
    works_on("3.9.1").await;
}

#[tokio::test]
async fn a_worker_of_3_8_8_runs_our_program() {
    works_on("3.8.8").await;
}

#[tokio::test]
async fn a_worker_of_3_6_29_runs_our_program() {
    works_on("3.6.29").await;
}

#[tokio::test]
async fn a_worker_of_3_4_25_runs_our_program() {
    works_on("3.4.25").await;
}

const PARENT: &str = r#"
import sys
from prefect import flow
from prefect.deployments import run_deployment

@flow(log_prints=True)
def parent():
    run = run_deployment("commanded/rust", parameters={"end": ""}, poll_interval=0.5)
    return run.state.result()["said"]

assert parent() == "hello"
print("IT SAID HELLO")
"#;

const PERSISTING: &str = r#"
from prefect import flow

@flow(persist_result=True, result_serializer="json", name="persisting")
def persisting():
    return {"a": 1}

@flow(persist_result=True, name="pickling")
def pickling():
    return {"a": 1}

@flow(name="forgetting")
def forgetting():
    return {"a": 1}

print(persisting(return_state=True), pickling(return_state=True), forgetting(return_state=True))
"#;

#[tokio::test]
async fn python_reads_what_a_rust_sub_flow_returns_and_rust_what_python_stores() {
    let server = LocalServer::start().await.expect("a server");
    let client = server.client().expect("a client");
    let pool = unique("pool");
    let worker = PythonWorker::start(&server, &pool);
    deployment(&client, &pool, "commanded").await;
    let home = std::env::temp_dir().join(unique("parent"));
    fs::create_dir_all(&home).expect("a folder");
    let run = |script: &'static str| {
        let mut command = python(&server, &home);
        command
            .args(["-c", script])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        tokio::task::spawn_blocking(move || command.output().expect("Python"))
    };
    let output = run(PARENT).await.expect("no panic");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("IT SAID HELLO"),
        "{said}{}{}",
        String::from_utf8_lossy(&output.stderr),
        worker.log()
    );
    let child = client
        .flow_runs()
        .list()
        .flow_name("commanded")
        .await
        .expect("listed");
    assert!(child[0].parent_task_run_id.is_some());

    let output = run(PERSISTING).await.expect("no panic");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let of = async |flow: &str| {
        let runs = client
            .flow_runs()
            .list()
            .flow_name(flow)
            .await
            .expect("listed");
        client
            .flow_runs()
            .result::<serde_json::Value>(runs[0].id)
            .await
    };
    assert_eq!(of("persisting").await.expect("a result"), json!({ "a": 1 }));
    let error = of("pickling").await.expect_err("pickled");
    assert!(
        error.is_unsupported() && error.message().contains("pickle"),
        "{error}"
    );
    let error = of("forgetting").await.expect_err("not stored");
    assert!(error.is_not_found(), "{error}");
    let _ = fs::remove_dir_all(&home);
}
