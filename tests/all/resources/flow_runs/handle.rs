//! The handle of a run, however it was obtained.

use std::time::Duration;

use prefect_sdk::types::*;
use uuid::Uuid;

use crate::support::{a_deployment, a_flow, a_run, live};

#[tokio::test]
async fn a_handle_by_id_does_what_that_of_a_started_run_does() {
    let client = live().await;
    let deployment = a_deployment(&client).await;
    let tomorrow = chrono::Utc::now() + chrono::Duration::days(1);
    let run = client.deployments().run(deployment).scheduled(tomorrow);
    let started = run.send().await.expect("started");
    let handle = client.flow_runs().handle(started.id());
    assert_eq!(handle.id(), started.id());
    assert!(handle.snapshot().is_none() && started.snapshot().is_some());

    let state = handle.state().await.expect("it has a state");
    assert_eq!(state.type_, StateType::Scheduled);
    assert!(handle.logs().await.expect("listed").is_empty());
    let cancelled = handle.cancel().await.expect("cancelled");
    assert_eq!(cancelled.type_, StateType::Cancelled);
    let ended = started.wait().timeout(Duration::from_secs(1800)).await;
    assert_eq!(ended.expect("it has ended").id, handle.id());

    let retried = handle.retry().await.expect("proposed").outcome();
    assert!(retried.is_accepted(), "{retried:?}");
    let state = started.state().await.expect("it has a state");
    assert_eq!(state.type_, StateType::Scheduled);
}

#[tokio::test]
async fn the_log_of_a_handle_is_that_of_its_run_only() {
    let client = live().await;
    let flow = a_flow(&client).await;
    let (one, other) = (
        a_run(&client, flow, |run| run).await,
        a_run(&client, flow, |run| run).await,
    );
    for (run, message) in [(one, "one"), (other, "other")] {
        let line = LogCreate::new("test", 20, message, chrono::Utc::now()).flow_run_id(run);
        client.logs().create(vec![line]).await.expect("stored");
    }
    let lines = client.flow_runs().handle(one).logs().await.expect("listed");
    let messages: Vec<_> = lines.iter().map(|line| line.message.as_str()).collect();
    assert_eq!(messages, ["one"]);
}

#[tokio::test]
async fn a_handle_of_a_run_that_does_not_exist_fails_at_its_first_call() {
    let handle = live().await.flow_runs().handle(Uuid::new_v4());
    assert!(handle.state().await.expect_err("no run").is_not_found());
    assert!(handle.get().await.expect_err("no run").is_not_found());
}
