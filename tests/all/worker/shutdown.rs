//! What becomes of runs when their worker is asked to end.

use std::time::Duration;

use prefect_sdk::Client;
use prefect_sdk::serve::Shutdown;
use prefect_sdk::types::FlowRunResponse;

use super::{Working, a_shell_in, a_worker, message, started};
use crate::flow::{a_run_of, states};
use crate::support::{live, unique};

/// A run of this script, whose worker is stopped with this choice when it has started.
async fn stopped(client: &Client, pool: &str, script: &str, shutdown: Shutdown) -> FlowRunResponse {
    let working = Working::start(a_worker(client, pool).on_shutdown(shutdown)).await;
    let deployment = a_shell_in(client, pool, script).await;
    let run = a_run_of(client, deployment).await;
    started(client, run).await;
    assert_eq!(working.stop().await.running, 0);
    client.flow_runs().get(run).await.expect("a run")
}

#[tokio::test]
async fn a_drain_waits_for_processes() {
    let client = live().await;
    let drain = Shutdown::Drain(Duration::from_secs(60));
    let run = stopped(&client, &unique("pool"), "sleep 1; exit 3", drain).await;
    assert!(message(&run).contains("status code 3"), "{}", message(&run));
}

#[tokio::test]
async fn runs_are_cancelled() {
    let client = live().await;
    let run = stopped(&client, &unique("pool"), "exec sleep 600", Shutdown::Cancel).await;
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
        let run = stopped(&client, &pool, "exec sleep 600", shutdown).await;
        assert_eq!(run.state_name, "AwaitingRetry", "{shutdown:?}");
        let another = a_worker(&client, &pool).on_shutdown(Shutdown::Cancel);
        let another = Working::start(another).await;
        let submitted = client
            .flow_runs()
            .wait(run.id)
            .until(|run| run.state_name == "Submitting");
        submitted.await.expect("taken up");
        started(&client, run.id).await;
        assert_eq!(another.stop().await.cancelled, 1);
        let states = states(&client, run.id).await;
        assert_eq!(
            states.last().map(String::as_str),
            Some("Cancelled"),
            "{states:?}"
        );
    }
}
