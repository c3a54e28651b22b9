//! Pausing and suspending a run from within.

use std::time::Duration;

use prefect_sdk::flow::{BoxError, Ending, Run};
use prefect_sdk::types::{CreateFlowRunInputRequest, FlowRunResponse, StateType};
use prefect_sdk::{Client, Flow};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{a_deployment_of, a_run_of, states};
use crate::support::{live, unique};

async fn until_paused(client: &Client, run: Uuid) -> FlowRunResponse {
    let paused = client
        .flow_runs()
        .wait(run)
        .until(|run| run.state_type.as_ref() == Some(&StateType::Paused));
    paused.await.expect("paused")
}

#[tokio::test]
async fn a_paused_function_goes_on_with_what_it_was_given() {
    let client = live().await;
    let (started, mut runs) = mpsc::unbounded_channel();
    let flow = Flow::new(unique("flow"), move |run: Run, _: ()| {
        let started = started.clone();
        async move {
            let _ = started.send(run.id());
            let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } } });
            let given: Value = run.pause("how many?").input(schema).await?;
            // The same pause is not made again.
            run.pause("how many?").await?;
            Ok::<_, BoxError>(given)
        }
    });
    let resume = async {
        let id = runs.recv().await.expect("started");
        let paused = until_paused(&client, id).await;
        let details = paused
            .state
            .as_ref()
            .and_then(|state| state.state_details.clone())
            .expect("details");
        let keys = details
            .run_input_keyset
            .clone()
            .into_option()
            .expect("keys");
        let schema = client
            .flow_runs()
            .inputs(id)
            .get(&keys["schema"])
            .await
            .expect("a schema");
        assert!(schema.contains("integer"));
        let answer = CreateFlowRunInputRequest::new(keys["response"].clone(), r#"{"n":7}"#);
        client
            .flow_runs()
            .inputs(id)
            .create(&answer)
            .await
            .expect("answered");
        client.flow_runs().resume(id).await.expect("resumed");
    };
    let (outcome, ()) = tokio::join!(client.attempt(&flow), resume);
    let outcome = outcome.expect("run");
    assert_eq!(outcome.value(), Some(&json!({ "n": 7 })), "{outcome:?}");
    assert_eq!(
        states(&client, outcome.run_id()).await,
        ["Pending", "Running", "Paused", "Running", "Completed"]
    );
}

#[tokio::test]
async fn a_suspended_run_ends_its_process_and_begins_anew() {
    let client = live().await;
    let name = unique("flow");
    let deployment = a_deployment_of(&client, &name, |it| it).await;
    let run = a_run_of(&client, deployment).await;
    let flow = Flow::new(&name, |run: Run, _: ()| async move {
        run.suspend("approval")
            .timeout(Duration::from_secs(600))
            .await?;
        Ok::<_, BoxError>(run.attempt())
    });
    let outcome = client.attempt(&flow).run_id(run).await.expect("attempted");
    assert!(matches!(outcome.ending(), Ending::Suspended), "{outcome:?}");
    assert_eq!(outcome.exit_code(), 0);
    // Nothing is run before it is resumed.
    let outcome = client.attempt(&flow).run_id(run).await.expect("attempted");
    assert!(matches!(outcome.ending(), Ending::Suspended), "{outcome:?}");
    client.flow_runs().resume(run).await.expect("resumed");
    let outcome = client.attempt(&flow).run_id(run).await.expect("attempted");
    assert!(outcome.is_completed(), "{outcome:?}");
    assert_eq!(
        states(&client, run).await,
        [
            "Scheduled",
            "Pending",
            "Running",
            "Suspended",
            "Resuming",
            "Pending",
            "Running",
            "Completed"
        ]
    );
}

#[tokio::test]
async fn a_run_that_is_suspended_from_outside_ends_its_process() {
    let client = live().await;
    let name = unique("flow");
    let deployment = a_deployment_of(&client, &name, |it| it).await;
    let run = a_run_of(&client, deployment).await;
    let (started, mut runs) = mpsc::unbounded_channel();
    let flow = Flow::new(&name, move |run: Run, _: ()| {
        let _ = started.send(run.id());
        std::future::pending::<Result<(), BoxError>>()
    });
    let suspend = async {
        runs.recv().await.expect("started");
        let outcome = client
            .flow_runs()
            .suspend(run, None)
            .await
            .expect("suspended")
            .outcome();
        assert!(outcome.is_accepted(), "{outcome:?}");
    };
    let (outcome, ()) = tokio::join!(client.attempt(&flow).run_id(run), suspend);
    assert!(matches!(
        outcome.expect("attempted").ending(),
        Ending::Suspended
    ));
    assert_eq!(
        states(&client, run).await,
        ["Scheduled", "Pending", "Running", "Suspended"]
    );
}

#[tokio::test]
async fn what_cannot_be_suspended_says_so() {
    let client = live().await;
    let flow = Flow::new(unique("flow"), |run: Run, _: ()| async move {
        let error = run.suspend("approval").await.expect_err("no deployment");
        assert!(error.is_conflict(), "{error}");
        Ok::<_, BoxError>(())
    });
    let outcome = client.attempt(&flow).await.expect("run");
    assert!(outcome.is_completed(), "{outcome:?}");
}
