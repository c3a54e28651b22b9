//! Cancelling a run from outside, in each of its phases.

use std::time::Duration;

use prefect_sdk::flow::{BoxError, Ending, Run, StopReason};
use prefect_sdk::types::{StateCreate, StateType};
use prefect_sdk::{Client, Flow};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{states, task_runs};
use crate::support::{live, unique};

/// A flow whose function tells when it runs, and never ends by itself.
fn endless() -> (Flow<(), ()>, mpsc::UnboundedReceiver<Uuid>) {
    let (started, runs) = mpsc::unbounded_channel();
    let flow = Flow::new(unique("flow"), move |run: Run, _: ()| {
        let _ = started.send(run.id());
        std::future::pending::<Result<(), BoxError>>()
    });
    (flow, runs)
}

/// Cancels the next run that starts, as the UI does.
async fn cancel(client: &Client, runs: &mut mpsc::UnboundedReceiver<Uuid>) -> Uuid {
    let id = runs.recv().await.expect("started");
    client.flow_runs().cancel(id).await.expect("cancelled");
    id
}

#[tokio::test]
async fn a_function_that_does_not_watch_is_dropped_at_once() {
    let client = live().await;
    let (flow, mut runs) = endless();
    let (outcome, id) = tokio::join!(client.attempt(&flow), cancel(&client, &mut runs));
    let outcome = outcome.expect("run");
    assert!(matches!(outcome.ending(), Ending::Cancelled), "{outcome:?}");
    assert_eq!((outcome.exit_code(), outcome.run_id()), (0, id));
    assert_eq!(
        states(&client, id).await,
        ["Pending", "Running", "Cancelling", "Cancelled"]
    );
}

#[tokio::test]
async fn a_function_that_watches_may_tidy_up() {
    let client = live().await;
    let (started, mut runs) = mpsc::unbounded_channel();
    let (tidy, mut tidied) = mpsc::unbounded_channel();
    let flow = Flow::new(unique("flow"), move |run: Run, _: ()| {
        let (started, tidy) = (started.clone(), tidy.clone());
        async move {
            let cancelled = run.cancelled();
            let _ = started.send(run.id());
            let reason = cancelled.await;
            assert!(matches!(reason, StopReason::Cancelled) && run.is_cancelled());
            tokio::time::sleep(Duration::from_millis(50)).await;
            let _ = tidy.send(());
            Ok::<_, BoxError>(7)
        }
    });
    let (outcome, id) = tokio::join!(client.attempt(&flow), cancel(&client, &mut runs));
    let outcome = outcome.expect("run");
    assert!(matches!(outcome.ending(), Ending::Cancelled), "{outcome:?}");
    assert_eq!(outcome.value(), Some(&7));
    assert!(tidied.try_recv().is_ok());
    assert_eq!(
        states(&client, id).await,
        ["Pending", "Running", "Cancelling", "Cancelled"]
    );
}

#[tokio::test]
async fn a_function_that_does_not_end_in_time_is_dropped() {
    let client = live().await;
    let (started, mut runs) = mpsc::unbounded_channel();
    let flow = Flow::new(unique("flow"), move |run: Run, _: ()| {
        let started = started.clone();
        async move {
            assert!(!run.is_cancelled());
            let _ = started.send(run.id());
            std::future::pending::<Result<(), BoxError>>().await
        }
    });
    let flow = flow.grace(Duration::from_millis(100));
    let (outcome, _) = tokio::join!(client.attempt(&flow), cancel(&client, &mut runs));
    assert!(matches!(outcome.expect("run").ending(), Ending::Cancelled));
}

/// While it waits for a retry; without care the run would be RUNNING again, because the server accepts that.
#[tokio::test]
async fn a_run_that_waits_for_a_retry_is_not_begun_again() {
    let client = live().await;
    let (started, mut runs) = mpsc::unbounded_channel();
    let flow = Flow::new(unique("flow"), move |run: Run, _: ()| {
        let _ = started.send(run.id());
        async { Err::<(), BoxError>("always".into()) }
    });
    let flow = flow.retries(3).retry_delay(Duration::from_secs(600));
    let cancel = async {
        let id = runs.recv().await.expect("started");
        let awaits = |run: &prefect_sdk::types::FlowRunResponse| {
            run.state_name.as_deref() == Some("AwaitingRetry")
        };
        client
            .flow_runs()
            .wait(id)
            .until(awaits)
            .await
            .expect("awaits a retry");
        client.flow_runs().cancel(id).await.expect("cancelled");
        id
    };
    let (outcome, id) = tokio::join!(client.attempt(&flow), cancel);
    assert!(matches!(outcome.expect("run").ending(), Ending::Cancelled));
    assert_eq!(
        states(&client, id).await,
        [
            "Pending",
            "Running",
            "AwaitingRetry",
            "Cancelling",
            "Cancelled"
        ]
    );
    assert!(runs.try_recv().is_err());
}

#[tokio::test]
async fn a_run_that_is_cancelled_by_others_gets_no_second_end() {
    let client = live().await;
    let (flow, mut runs) = endless();
    let cancel = async {
        let id = runs.recv().await.expect("started");
        let state = StateCreate::new(StateType::Cancelled);
        client
            .flow_runs()
            .propose(id, state)
            .await
            .expect("cancelled");
        id
    };
    let (outcome, id) = tokio::join!(client.attempt(&flow), cancel);
    assert!(matches!(outcome.expect("run").ending(), Ending::Cancelled));
    assert_eq!(
        states(&client, id).await,
        ["Pending", "Running", "Cancelled"]
    );
}

#[tokio::test]
async fn tasks_of_a_cancelled_run_are_cancelled_and_a_deleted_run_ends_quietly() {
    let client = live().await;
    let (started, mut runs) = mpsc::unbounded_channel();
    let flow = Flow::new(unique("flow"), move |run: Run, _: ()| {
        let started = started.clone();
        async move {
            let id = run.id();
            let forever = run.task("forever").run(|_| {
                let _ = started.send(id);
                std::future::pending::<Result<(), BoxError>>()
            });
            forever.await?;
            Ok::<_, BoxError>(())
        }
    });
    let (outcome, id) = tokio::join!(client.attempt(&flow), cancel(&client, &mut runs));
    assert!(matches!(outcome.expect("run").ending(), Ending::Cancelled));
    let tasks = task_runs(&client, id).await;
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0].state_type.as_ref(), Some(&StateType::Cancelled));

    let delete = async {
        let id = runs.recv().await.expect("started");
        client.flow_runs().delete(id).await.expect("deleted");
    };
    let (outcome, ()) = tokio::join!(client.attempt(&flow), delete);
    assert!(matches!(
        outcome.expect("run").ending(),
        Ending::Superseded(_)
    ));
}

#[tokio::test]
async fn a_function_that_blocks_its_thread_learns_of_it_and_the_run_ends() {
    let client = live().await;
    let (started, mut runs) = mpsc::unbounded_channel();
    let flow = Flow::new(unique("flow"), move |run: Run, _: ()| {
        let started = started.clone();
        async move {
            let _ = started.send(run.id());
            while !run.is_cancelled() {
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok::<_, BoxError>(())
        }
    });
    let other = std::thread::spawn({
        let client = client.clone();
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime
                .expect("a runtime")
                .block_on(async { cancel(&client, &mut runs).await })
        }
    });
    let outcome = client.attempt(&flow).await.expect("run");
    assert!(matches!(outcome.ending(), Ending::Cancelled), "{outcome:?}");
    other.join().expect("cancelled");
}
