//! What becomes of runs when the process that serves them is asked to end.

use std::time::Duration;

use prefect_sdk::flow::{BoxError, Run};
use prefect_sdk::serve::Shutdown;
use prefect_sdk::types::{FlowRunResponse, StateType};
use prefect_sdk::{Client, Flow};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Serving, a_gated_flow, a_kit, served};
use crate::flow::process::until_running;
use crate::flow::{a_run_of, states};
use crate::support::{BUSY_TIMEOUT, live, unique};

/// A flow whose first attempt does as its parameter says, and whose others succeed.
fn flow(name: &str) -> Flow<Value, ()> {
    let flow = Flow::new(name, |run: Run, parameters: Value| async move {
        match parameters["phase"].as_str() {
            _ if run.attempt() > 1 => Ok(()),
            Some("retry") => Err::<(), BoxError>("not yet".into()),
            _ => std::future::pending().await,
        }
    });
    flow.retries(2).retry_delay(Duration::from_secs(600))
}

/// A run in this phase, in which a process that serves it is stopped with this choice.
async fn stopped_in(client: &Client, phase: &str, shutdown: Shutdown) -> (Flow<Value, ()>, Uuid) {
    let flow = flow(&unique("flow"));
    let serve = client
        .serve()
        .add(flow.deployment("d"))
        .on_shutdown(shutdown);
    let serving = Serving::start(serve).await;
    let run = client
        .deployments()
        .run(served(client, &flow).await)
        .parameters(json!({ "phase": phase }))
        .send()
        .await
        .expect("a run")
        .id();
    let awaited = match phase {
        "retry" => "AwaitingRetry",
        _ => "Running",
    };
    let is_there = move |run: &FlowRunResponse| run.state_name.as_deref() == Some(awaited);
    client
        .flow_runs()
        .wait(run)
        .until(is_there)
        .await
        .expect("there");
    let stats = serving.stop().await;
    assert_eq!(stats.running, 0);
    (flow, run)
}

/// Has another process take the run up, which succeeds.
async fn taken_up(client: &Client, flow: &Flow<Value, ()>, run: Uuid) {
    let serving = Serving::start(client.serve().add(flow.deployment("d"))).await;
    let run = client.flow_runs().wait(run).await.expect("ended");
    assert_eq!(run.state_type, Some(StateType::Completed));
    assert_eq!(serving.stop().await.completed, 1);
}

#[tokio::test]
async fn a_drain_lets_runs_end() {
    let kit = a_kit();
    let client = kit.client();
    let (flow, go_on) = a_gated_flow();
    let drain = Shutdown::Drain(BUSY_TIMEOUT);
    let serving = Serving::start(client.serve().add(flow.deployment("d")).on_shutdown(drain)).await;
    let run = a_run_of(&client, served(&client, &flow).await).await;
    until_running(&client, run).await;
    serving.handle.stop();
    // So that it ends in the drain, and not before it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    go_on.notify_one();
    let stats = serving.ended.await.expect("no panic").expect("served");
    assert_eq!((stats.completed, stats.running), (1, 0));
    assert_eq!(
        states(&client, run).await,
        ["Scheduled", "Pending", "Running", "Completed"]
    );
}

#[tokio::test]
async fn what_a_drain_leaves_is_rescheduled_and_taken_up_by_another_process() {
    let kit = a_kit();
    let client = kit.client();
    for phase in ["long", "retry"] {
        let drain = Shutdown::Drain(Duration::from_millis(100));
        let (flow, run) = stopped_in(&client, phase, drain).await;
        let last = states(&client, run).await.pop();
        assert_eq!(last.as_deref(), Some("AwaitingRetry"), "{phase}");
        taken_up(&client, &flow, run).await;
    }
}

#[tokio::test]
async fn runs_are_rescheduled_at_once_and_taken_up_by_another_process() {
    let kit = a_kit();
    let client = kit.client();
    for phase in ["long", "retry"] {
        let (flow, run) = stopped_in(&client, phase, Shutdown::Reschedule).await;
        taken_up(&client, &flow, run).await;
    }
}

#[tokio::test]
async fn runs_are_cancelled() {
    let kit = a_kit();
    let client = kit.client();
    for phase in ["long", "retry"] {
        let (_, run) = stopped_in(&client, phase, Shutdown::Cancel).await;
        let last = states(&client, run).await.pop();
        assert_eq!(last.as_deref(), Some("Cancelled"), "{phase}");
    }
}

#[tokio::test]
async fn a_second_stop_ends_a_drain() {
    let kit = a_kit();
    let client = kit.client();
    let flow = flow(&unique("flow"));
    let drain = Shutdown::Drain(Duration::from_secs(3600));
    let serving = Serving::start(client.serve().add(flow.deployment("d")).on_shutdown(drain)).await;
    let run = client.deployments().run(served(&client, &flow).await);
    let run = run.parameters(json!({})).send().await.expect("a run").id();
    until_running(&client, run).await;
    serving.handle.stop();
    assert_eq!(serving.stop().await.rescheduled, 1);
}

#[tokio::test]
async fn a_server_that_is_dropped_crashes_its_runs() {
    let client = live().await;
    let flow = flow(&unique("flow"));
    let serving = Serving::start(client.serve().add(flow.deployment("d"))).await;
    let run = client.deployments().run(served(&client, &flow).await);
    let run = run.parameters(json!({})).send().await.expect("a run").id();
    until_running(&client, run).await;
    serving.ended.abort();
    let run = client.flow_runs().wait(run).await.expect("ended");
    assert_eq!(run.state_type, Some(StateType::Crashed));
}
