//! Runs of a worker that are cancelled or deleted.

use std::time::Duration;

use prefect_sdk::types::StateType;

use super::{Working, a_shell_in, a_worker, lines, lives, started, until_gone};
use crate::flow::{a_run_of, states};
use crate::support::{live, unique};

#[tokio::test]
async fn a_run_that_is_cancelled_ends_with_all_of_its_processes() {
    let client = live().await;
    let pool = unique("pool");
    let worker = a_worker(&client, &pool).grace(Duration::from_millis(500));
    let working = Working::start(worker).await;
    // It ignores that it is asked to end, and has another process beside it.
    let script = "trap \"\" TERM; sleep 600 & echo child $!; wait; sleep 600";
    let deployment = a_shell_in(&client, &pool, script).await;
    let run = a_run_of(&client, deployment).await;
    let child = loop {
        let said = lines(&client, run, 0).await;
        if let Some(id) = said.iter().find_map(|line| line.strip_prefix("child ")) {
            break id.to_owned();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(lives(&child));
    client.flow_runs().cancel(run).await.expect("cancelling");
    client.flow_runs().wait(run).await.expect("ended");
    let ended = states(&client, run).await;
    assert_eq!(
        ended.last().map(String::as_str),
        Some("Cancelled"),
        "{ended:?}"
    );
    until_gone(&child).await;
    let stats = working.stop().await;
    assert_eq!((stats.cancelled, stats.failed), (1, 1));
}

#[tokio::test]
async fn a_run_that_is_deleted_ends() {
    let client = live().await;
    let pool = unique("pool");
    let working = Working::start(a_worker(&client, &pool)).await;
    let deployment = a_shell_in(&client, &pool, "exec sleep 600").await;
    let run = a_run_of(&client, deployment).await;
    let pid = started(&client, run).await;
    client.flow_runs().delete(run).await.expect("deleted");
    until_gone(&pid).await;
    working.stop().await;
}

#[tokio::test]
async fn a_worker_that_is_dropped_leaves_no_process() {
    let client = live().await;
    let pool = unique("pool");
    let working = Working::start(a_worker(&client, &pool)).await;
    let deployment = a_shell_in(&client, &pool, "sleep 600; sleep 600").await;
    let run = a_run_of(&client, deployment).await;
    let pid = started(&client, run).await;
    working.ended.abort();
    until_gone(&pid).await;
    // Nobody reports that: the run is as it was.
    let run = client.flow_runs().get(run).await.expect("a run");
    assert_eq!(run.state_type, StateType::Pending);
}
