//! Attempts whose requests, or their replies, are lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prefect_sdk::Flow;
use prefect_sdk::flow::{BoxError, Run};

use super::{states, task_runs};
use crate::support::{Fault, FaultProxy, live, spoiling, unique};

/// A flow that fails at first.
fn flow() -> Flow<(), i64> {
    let flow = Flow::new(unique("flow"), |run: Run, _: ()| async move {
        run.task("t")
            .run(|_| async { Ok::<_, BoxError>(()) })
            .await?;
        match run.attempt() {
            1 => Err::<_, BoxError>("not yet".into()),
            attempt => Ok(attempt),
        }
    });
    flow.retries(1)
}

const STATES: [&str; 5] = [
    "Pending",
    "Running",
    "AwaitingRetry",
    "Running",
    "Completed",
];

#[tokio::test]
async fn a_lost_reply_to_any_state_is_no_second_state() {
    let client = live().await;
    for lost in 1..=4 {
        let mut seen = 0;
        let proxy = FaultProxy::start(client.api_url(), move |request| {
            seen += usize::from(request.target().ends_with("/set_state"));
            let is_lost = seen == lost && request.target().ends_with("/set_state");
            if is_lost {
                Fault::ResetAfter
            } else {
                Fault::None
            }
        });
        let proxy = proxy.await;
        let through = proxy.builder().build().expect("a client");
        let outcome = through.attempt(&flow()).await.expect("run");
        assert_eq!(outcome.value(), Some(&2), "{lost}: {outcome:?}");
        assert_eq!(states(&client, outcome.run_id()).await, STATES, "{lost}");
    }
}

#[tokio::test]
async fn a_run_survives_a_network_that_spoils_one_request_in_five() {
    let client = live().await;
    let spoilt = Arc::new(AtomicUsize::new(0));
    for seed in 0..3 {
        let proxy = FaultProxy::start(client.api_url(), spoiling(seed, Arc::clone(&spoilt))).await;
        let through = proxy.builder().build().expect("a client");
        // What comes before the run has begun is repeated as often as the policy says, and may fail; but not each time.
        let mut failures = 0;
        let outcome = loop {
            match through.attempt(&flow()).await {
                Ok(outcome) => break outcome,
                Err(error) => assert!(failures < 20, "{seed}: {error}"),
            }
            failures += 1;
        };
        assert_eq!(outcome.value(), Some(&2), "{seed}: {outcome:?}");
        assert_eq!(states(&client, outcome.run_id()).await, STATES, "{seed}");
        let tasks = task_runs(&client, outcome.run_id()).await;
        let tasks: Vec<_> = tasks.iter().map(|run| run.state_name.as_deref()).collect();
        assert_eq!(tasks, [Some("Completed"); 2], "{seed}");
    }
    assert!(spoilt.load(Ordering::Relaxed) > 10);
}

#[tokio::test]
async fn a_value_is_not_lost_when_its_end_cannot_be_reported() {
    let client = live().await;
    let proxy = FaultProxy::start(client.api_url(), {
        let mut running = 0;
        move |request| {
            running += usize::from(request.target().ends_with("/set_state"));
            match running > 1 && request.target().ends_with("/set_state") {
                true => Fault::Answer(crate::support::refusal(403)),
                false => Fault::None,
            }
        }
    });
    let proxy = proxy.await;
    let through = proxy.builder().build().expect("a client");
    let flow = Flow::new(unique("flow"), |_: Run, _: ()| async {
        Ok::<_, BoxError>(42)
    });
    let outcome = through.attempt(&flow).await.expect("run");
    assert!(
        matches!(outcome.ending(), prefect_sdk::flow::Ending::Unreported(_)),
        "{outcome:?}"
    );
    assert_eq!((outcome.value(), outcome.exit_code()), (Some(&42), 1));
}
