//! Creating many runs of a deployment on servers that give replies which real ones give only now and then.

use std::collections::BTreeSet;
use std::time::Duration;

use prefect_sdk::testing::{TestServer, op};
use prefect_sdk::types::*;
use prefect_sdk::{ErrorKind, Result, RetryPolicy};
use serde_json::{Value, json};
use uuid::Uuid;

use super::run_json;
use crate::support::http::Message;
use crate::support::{FakeClock, Scripted, Step, a_deployment, refusal, reply};

fn created(id: u128) -> Value {
    json!({ "status": "CREATED", "flow_run_id": Uuid::from_u128(id) })
}

fn failed(error: &str) -> Value {
    json!({ "status": "FAILED", "error": error })
}

fn locked() -> Value {
    failed("(sqlite3.OperationalError) database is locked\n[SQL: INSERT INTO flow_run …]")
}

fn results(results: &[Value]) -> Step {
    reply(200, json!({ "results": results }))
}

/// Runs whose names are numbers from 1.
fn numbered(count: usize) -> impl Iterator<Item = DeploymentFlowRunCreate> {
    (1..=count).map(|number| DeploymentFlowRunCreate::new().name(number.to_string()))
}

/// For each request, the names of the runs that it asked for, or the last segment of its path.
fn asked(server: &Scripted) -> Vec<String> {
    let requests = server.requests();
    let asked = requests.iter().map(|request| {
        let path = request.target().rsplit('/').next().unwrap_or_default();
        match serde_json::from_slice(&request.body).expect("JSON") {
            Value::Array(runs) => runs.iter().map(name).collect::<Vec<_>>().join(" "),
            run if path == "create_flow_run" => name(&run).to_owned(),
            _ => path.to_owned(),
        }
    });
    asked.collect()
}

fn name(run: &Value) -> &str {
    run["name"].as_str().expect("a name")
}

fn ids(created: &[Result<Uuid>]) -> Vec<Option<u128>> {
    let ids = created.iter().map(|run| run.as_ref().ok());
    ids.map(|id| id.map(|id| id.as_u128())).collect()
}

/// There is no pause, and no retry policy is needed: it is another request.
#[tokio::test]
async fn what_was_rolled_back_with_another_run_is_asked_for_again() {
    let refused = "(sqlite3.IntegrityError) FOREIGN KEY constraint failed\n[SQL: INSERT INTO …]";
    let server = Scripted::start([
        results(&[
            created(1),
            failed(refused),
            failed("Can't operate on closed transaction inside context manager."),
        ]),
        reply(200, json!([])),
        results(&[created(4), created(5)]),
    ])
    .await;
    let clock = FakeClock::default();
    let client = server.builder().clock(clock.clone());
    let client = client.retry(RetryPolicy::none()).build().expect("a client");
    let outcome = client.deployments().run_many(Uuid::nil(), numbered(3));
    let outcome = outcome.await;
    assert_eq!(ids(&outcome), [Some(4), None, Some(5)]);
    let error = outcome[1].as_ref().expect_err("refused");
    assert!(error.is_validation() && !error.may_have_happened());
    assert!(error.message().ends_with("constraint failed"), "{error}");
    assert_eq!(asked(&server), ["1 2 3", "filter", "1 3"]);
    assert!(clock.waits().is_empty());

    let keys = |request: &Message| -> Vec<Value> {
        let runs: Vec<Value> = serde_json::from_slice(&request.body).expect("JSON");
        let keys = runs.iter().map(|run| run["idempotency_key"].clone());
        keys.collect()
    };
    let requests = server.requests();
    let (first, second) = (keys(&requests[0]), keys(&requests[2]));
    assert!(first.iter().all(Value::is_string));
    assert_eq!([&first[0], &first[2]], [&second[0], &second[1]]);
}

#[tokio::test]
async fn what_a_locked_database_refused_is_asked_for_until_it_is_there() {
    let invalid = || failed("Parameter validation failed");
    let server = Scripted::start([
        results(&[created(1), locked(), invalid(), locked()]),
        reply(200, json!([run_json(Uuid::from_u128(1))])),
        results(&[locked(), created(4)]),
        reply(200, json!([run_json(Uuid::from_u128(4))])),
        results(&[created(2)]),
    ])
    .await;
    let client = server.client();
    let outcome = client.deployments().run_many(Uuid::nil(), numbered(4));
    let outcome = outcome.await;
    assert_eq!(ids(&outcome), [Some(1), Some(2), None, Some(4)]);
    assert_eq!(asked(&server), ["1 2 3 4", "filter", "2 4", "filter", "2"]);
}

/// And a run that the reply does not mention counts as not created.
#[tokio::test]
async fn if_it_is_unknown_which_runs_exist_all_are_requested_again() {
    let server = Scripted::start([
        results(&[created(1), locked()]),
        refusal(500),
        results(&[created(1)]),
        reply(200, json!([run_json(Uuid::from_u128(1))])),
        results(&[created(2)]),
    ])
    .await;
    let client = server.client();
    let outcome = client.deployments().run_many(Uuid::nil(), numbered(2));
    assert_eq!(ids(&outcome.await), [Some(1), Some(2)]);
    assert_eq!(asked(&server), ["1 2", "filter", "1 2", "filter", "2"]);
}

#[tokio::test]
async fn a_database_that_stays_locked_is_an_error_in_the_end() {
    let server = Scripted::start([results(&[locked(), locked()])]).await;
    let clock = FakeClock::default();
    let retry = RetryPolicy::default().attempts(3).jitter(0.0);
    let client = server.builder().clock(clock.clone()).retry(retry).build();
    let client = client.expect("a client");
    let outcome = client.deployments().run_many(Uuid::nil(), numbered(2));
    let outcome = outcome.await;
    for run in &outcome {
        let error = run.as_ref().expect_err("locked");
        assert_eq!(error.kind(), ErrorKind::Server);
        assert!(error.message().ends_with("database is locked"), "{error}");
        assert!(error.is_retryable() && !error.may_have_happened());
    }
    assert_eq!(asked(&server), ["1 2"; 3]);
    assert_eq!(clock.waits(), [2.0, 4.0]);
}

#[tokio::test]
async fn a_request_that_is_lost_is_an_error_of_all_its_runs() {
    let server = Scripted::start([Step::Drop]).await;
    let retry = RetryPolicy::default().attempts(2);
    let client = server.builder().retry(retry).build().expect("a client");
    let own = DeploymentFlowRunCreate::new()
        .name("0")
        .idempotency_key("mine");
    let runs = std::iter::once(own).chain(numbered(100));
    let outcome = client.deployments().run_many(Uuid::nil(), runs).await;
    assert_eq!(outcome.len(), 101);
    let errors = outcome.iter().map(|run| run.as_ref().expect_err("lost"));
    for (number, error) in errors.enumerate() {
        assert!(error.is_connection() && error.may_have_happened());
        // If called again, the other runs would get other keys.
        assert_eq!(error.is_retryable(), number == 0, "{number}");
    }
    assert_eq!(
        server.requests().len(),
        4,
        "the second hundred is requested"
    );
}

#[tokio::test]
async fn without_the_bulk_operation_each_run_is_created_alone() {
    let conflict = json!({ "detail": "Error creating flow run: Validation failed for field 'n'" });
    let server = Scripted::start([
        reply(404, json!({ "detail": "Not Found" })),
        reply(201, run_json(Uuid::from_u128(1))),
        reply(409, conflict),
        reply(201, run_json(Uuid::from_u128(3))),
    ])
    .await;
    let client = server.client();
    let outcome = client.deployments().run_many(Uuid::nil(), numbered(150));
    let outcome = outcome.await;
    assert_eq!(ids(&outcome)[..4], [Some(1), None, Some(3), Some(3)]);
    let error = outcome[1].as_ref().expect_err("refused");
    assert!(error.is_validation(), "{error}");
    assert!(error.message().contains("field 'n'"), "{error}");
    let asked = asked(&server);
    assert_eq!(asked.len(), 151, "only one bulk request");
    assert_eq!(asked[1..4], ["1", "2", "3"]);
    let alone: BTreeSet<_> = asked[1..].iter().collect();
    assert_eq!(alone.len(), 150);
}

#[tokio::test]
async fn requests_at_a_time_change_nothing_about_the_order() {
    let kit = TestServer::start();
    let (client, bulk) = (kit.client(), op::bulk_create_flow_runs_from_deployment);
    let deployment = a_deployment(&client).await;
    // The request for the first hundred takes longer than all others.
    let first = |request: &op::BulkCreateFlowRunsFromDeployment| {
        request.body[0].name.as_deref() == Some("1")
    };
    let _slow = kit.on(bulk).when(first).delay(Duration::from_secs(1));
    let mut seen = Vec::new();
    let outcome = client
        .deployments()
        .run_many(deployment, numbered(450))
        .concurrency(2)
        .on_progress(|progress| seen.push(progress.done))
        .await;
    for (number, run) in (1..=450).zip(&outcome) {
        let run = kit.flow_run(*run.as_ref().expect("created"));
        assert_eq!(run.name.as_deref(), Some(&*number.to_string()));
    }
    // All other requests end first, one after the other.
    assert_eq!(seen, [0, 100, 200, 300, 350, 450]);
}
