//! Every way in which an attempt ends.

use std::time::Duration;

use prefect_sdk::Flow;
use prefect_sdk::flow::{BoxError, Ending, Run};
use serde_json::{Value, json};

use super::states;
use crate::support::{live, unique};

#[tokio::test]
async fn a_value_is_the_result_of_a_completed_run() {
    let client = live().await;
    let flow = Flow::new(unique("flow"), |run: Run, p: Value| async move {
        Ok::<_, BoxError>(json!({ "attempt": run.attempt(), "given": p }))
    });
    let outcome = client
        .attempt(&flow)
        .parameters(json!({ "n": 1 }))
        .await
        .expect("run");
    assert!(outcome.is_completed(), "{outcome:?}");
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(
        states(&client, outcome.run_id()).await,
        ["Pending", "Running", "Completed"]
    );
    let run = client
        .flow_runs()
        .get(outcome.run_id())
        .await
        .expect("there");
    let data = run
        .state
        .as_ref()
        .and_then(|state| state.data.clone())
        .expect("data");
    assert_eq!(data, json!({ "attempt": 1, "given": { "n": 1 } }).into());
    assert!(
        run.infrastructure_pid
            .as_deref()
            .is_some_and(|it| it.ends_with(&format!(":{}", std::process::id())))
    );
}

#[tokio::test]
async fn an_error_is_a_failed_run_that_names_its_causes() {
    let client = live().await;
    let flow = Flow::new(unique("flow"), |_: Run, _: ()| async {
        let cause = std::io::Error::other("no space left");
        Err::<(), BoxError>(Box::new(cause))
    });
    let outcome = client.attempt(&flow).await.expect("run");
    assert!(matches!(outcome.ending(), Ending::Failed), "{outcome:?}");
    assert_eq!(outcome.exit_code(), 1);
    let state = outcome.state().expect("a state");
    assert_eq!(
        state.message.as_deref(),
        Some("Flow run encountered an exception: no space left")
    );
    assert_eq!(
        states(&client, outcome.run_id()).await,
        ["Pending", "Running", "Failed"]
    );
}

#[tokio::test]
async fn a_panic_is_a_failed_run() {
    let client = live().await;
    let flow = Flow::new(unique("flow"), |_: Run, _: ()| async {
        assert_eq!(1 + 1, 3, "arithmetic");
        Ok::<_, BoxError>(())
    });
    let outcome = client.attempt(&flow).await.expect("run");
    assert!(matches!(outcome.ending(), Ending::Failed), "{outcome:?}");
    let message = outcome
        .state()
        .and_then(|state| state.message.clone().into_option());
    assert!(
        message.is_some_and(|it| it.contains("panicked: assertion")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_timeout_is_a_failed_run_of_that_name() {
    let client = live().await;
    let flow = Flow::new(unique("flow"), |_: Run, _: ()| async {
        std::future::pending::<()>().await;
        Ok::<_, BoxError>(())
    });
    let flow = flow.timeout(Duration::from_millis(300));
    let outcome = client.attempt(&flow).await.expect("run");
    assert_eq!(
        states(&client, outcome.run_id()).await,
        ["Pending", "Running", "TimedOut"]
    );
    let message = outcome
        .state()
        .and_then(|state| state.message.clone().into_option());
    assert_eq!(
        message.as_deref(),
        Some("Flow run exceeded timeout of 0.3 second(s)")
    );
}

#[tokio::test]
async fn a_dropped_attempt_is_a_crashed_run() {
    let client = live().await;
    let (started, mut runs) = tokio::sync::mpsc::unbounded_channel();
    let flow = Flow::new(unique("flow"), move |run: Run, _: ()| {
        let _ = started.send(run.id());
        std::future::pending::<Result<(), BoxError>>()
    });
    let id = tokio::select! {
        _ = client.attempt(&flow) => panic!("it cannot end"),
        id = runs.recv() => id.expect("started"),
    };
    client.flow_runs().wait(id).await.expect("ended");
    assert_eq!(states(&client, id).await, ["Pending", "Running", "Crashed"]);
}

#[tokio::test]
async fn wrong_parameters_fail_the_run_before_it_is_running() {
    #[derive(serde::Deserialize)]
    struct Parameters {
        #[expect(dead_code)]
        day: u32,
    }

    let client = live().await;
    let flow = Flow::new(unique("flow"), |_: Run, _: Parameters| async {
        Ok::<_, BoxError>(())
    });
    let outcome = client
        .attempt(&flow)
        .parameters(json!({ "day": "x" }))
        .await
        .expect("run");
    assert_eq!(
        states(&client, outcome.run_id()).await,
        ["Pending", "Failed"]
    );
    let message = outcome
        .state()
        .and_then(|state| state.message.clone().into_option())
        .expect("a message");
    assert!(
        message.starts_with("Validation of flow parameters failed with error: day: invalid type"),
        "{message}"
    );
}

#[tokio::test]
async fn a_run_that_fails_is_tried_again_as_often_as_it_may() {
    let client = live().await;
    let flow = Flow::new(unique("flow"), |run: Run, _: ()| async move {
        match run.attempt() {
            1 => Err::<i64, BoxError>("not yet".into()),
            attempt => Ok(attempt),
        }
    });
    let flow = flow.retries(2).retry_delay(Duration::from_millis(200));
    let outcome = client.attempt(&flow).await.expect("run");
    assert_eq!(outcome.value(), Some(&2), "{outcome:?}");
    assert_eq!(
        states(&client, outcome.run_id()).await,
        [
            "Pending",
            "Running",
            "AwaitingRetry",
            "Running",
            "Completed"
        ]
    );
}
