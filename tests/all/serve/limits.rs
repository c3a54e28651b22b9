//! How many runs are in progress at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use prefect_sdk::Flow;
use prefect_sdk::flow::{BoxError, Run};
use tokio::sync::Barrier;

use super::{Serving, served};
use crate::flow::{a_run_of, states};
use crate::support::{live, unique};

/// A flow that counts how many of its runs are in progress, and the most that ever were.
fn counting_flow() -> (Flow, Arc<AtomicUsize>) {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&most);
    let flow = Flow::new(unique("flow"), move |_: Run, _: ()| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&counter));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(300)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, BoxError>(())
        }
    });
    (flow, most)
}

#[tokio::test]
async fn as_many_runs_as_the_limit_are_in_progress_and_no_more() {
    let client = live().await;
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    // Each run waits for another one.
    let pair = Arc::new(Barrier::new(2));
    let counters = (Arc::clone(&now), Arc::clone(&most));
    let flow = Flow::new(unique("flow"), move |_: Run, _: ()| {
        let ((now, most), pair) = (counters.clone(), Arc::clone(&pair));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            pair.wait().await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, BoxError>(())
        }
    });
    let serving = Serving::start(client.serve().add(flow.deployment("d")).limit(2)).await;
    let deployment = served(&client, &flow).await;
    let mut runs = Vec::new();
    for _ in 0..6 {
        runs.push(a_run_of(&client, deployment).await);
    }
    client.flow_runs().wait_all(runs).await.expect("ended");
    assert_eq!(serving.stop().await.completed, 6);
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_run_that_its_deployments_limit_keeps_waiting_takes_no_slot() {
    let client = live().await;
    let (limited, most) = counting_flow();
    let (free, _) = counting_flow();
    let serve = client
        .serve()
        .add(
            limited
                .deployment("d")
                .concurrency_limit(1)
                .cancel_beyond_limit(),
        )
        .add(free.deployment("d"))
        .limit(3);
    let serving = Serving::start(serve).await;
    let deployment = served(&client, &limited).await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(a_run_of(&client, deployment).await);
    }
    runs.push(a_run_of(&client, served(&client, &free).await).await);
    client
        .flow_runs()
        .wait_all(runs.clone())
        .await
        .expect("ended");
    let stats = serving.stop().await;
    assert_eq!(stats.completed + stats.cancelled, 4);
    assert!(stats.completed >= 2, "{stats:?}");
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_run_beyond_the_limit_of_its_deployment_is_taken_when_there_is_a_slot() {
    let client = live().await;
    let (flow, most) = counting_flow();
    let serve = client
        .serve()
        .add(flow.deployment("d").concurrency_limit(1));
    let serving = Serving::start(serve.limit(1)).await;
    let deployment = served(&client, &flow).await;
    // Taken by somebody else, who gives it back.
    let taken = a_run_of(&client, deployment).await;
    client.flow_runs().wait(taken).await.expect("ended");
    let run = a_run_of(&client, deployment).await;
    client.flow_runs().wait(run).await.expect("ended");
    assert_eq!(
        states(&client, run).await,
        ["Scheduled", "Pending", "Running", "Completed"]
    );
    serving.stop().await;
    assert_eq!(most.load(Ordering::SeqCst), 1);
}
