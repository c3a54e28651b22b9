//! What becomes of runs when their worker is asked to end.

use std::fs;
use std::time::Duration;

use prefect_sdk::Client;
use prefect_sdk::serve::Shutdown;
use prefect_sdk::types::FlowRunResponse;
use prefect_sdk::worker::{ProcessInfrastructure, Worker};

use super::{Working, a_shell_in, a_worker, message, started};
use crate::flow::{a_run_of, states};
use crate::support::{BUSY_TIMEOUT, live, unique};

/// A worker that ends its processes when it is stopped. They end at once, so that all of their grace is left to report that.
fn a_worker_that_stops(
    client: &Client,
    pool: &str,
    shutdown: Shutdown,
) -> Worker<ProcessInfrastructure> {
    a_worker(client, pool)
        .on_shutdown(shutdown)
        .grace(BUSY_TIMEOUT)
}

/// A run that sleeps, whose worker is stopped with this choice when it has started.
async fn stopped(client: &Client, pool: &str, shutdown: Shutdown) -> FlowRunResponse {
    let working = Working::start(a_worker_that_stops(client, pool, shutdown)).await;
    let deployment = a_shell_in(client, pool, "exec sleep 600").await;
    let run = a_run_of(client, deployment).await;
    started(client, run).await;
    assert_eq!(working.stop().await.running, 0);
    client.flow_runs().get(run).await.expect("a run")
}

#[tokio::test]
async fn a_drain_waits_for_processes() {
    let client = live().await;
    let pool = unique("pool");
    let working = Working::start(a_worker(&client, &pool)).await;
    let gate = std::env::temp_dir().join(unique("gate"));
    let script = format!(
        "until [ -e {} ]; do sleep 0.1; done; exit 3",
        gate.display()
    );
    let deployment = a_shell_in(&client, &pool, &script).await;
    let run = a_run_of(&client, deployment).await;
    started(&client, run).await;
    working.handle.stop();
    // So that it ends in the drain, and not before it.
    tokio::time::sleep(Duration::from_millis(500)).await;
    fs::write(&gate, "").expect("written");
    let stats = working.ended.await.expect("no panic").expect("worked");
    assert_eq!(stats.running, 0);
    let run = client.flow_runs().get(run).await.expect("a run");
    assert!(message(&run).contains("status code 3"), "{}", message(&run));
    fs::remove_file(&gate).expect("removed");
}

#[tokio::test]
async fn runs_are_cancelled() {
    let client = live().await;
    let run = stopped(&client, &unique("pool"), Shutdown::Cancel).await;
    assert_eq!(run.state_name, "Cancelled");
    assert_eq!(message(&run), "Worker is shutting down.");
}

#[tokio::test]
async fn runs_are_rescheduled_and_taken_up_by_another_worker() {
    let client = live().await;
    for shutdown in [
        Shutdown::Reschedule,
        Shutdown::Drain(Duration::from_millis(100)),
    ] {
        let pool = unique("pool");
        let run = stopped(&client, &pool, shutdown).await.id;
        let last = states(&client, run).await.pop();
        assert_eq!(last.as_deref(), Some("AwaitingRetry"), "{shutdown:?}");
        let another = a_worker_that_stops(&client, &pool, Shutdown::Cancel);
        let another = Working::start(another).await;
        let submitted = client
            .flow_runs()
            .wait(run)
            .until(|run| run.state_name == "Submitting");
        submitted.await.expect("taken up");
        started(&client, run).await;
        assert_eq!(another.stop().await.cancelled, 1);
        let states = states(&client, run).await;
        assert_eq!(
            states.last().map(String::as_str),
            Some("Cancelled"),
            "{states:?}"
        );
    }
}
