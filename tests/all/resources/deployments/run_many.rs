//! Many runs of a deployment are created at once: none is lost, and none is created twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::Utc;
use fastrand::Rng;
use prefect_sdk::types::*;
use prefect_sdk::{ErrorKind, LocalServer, Result, RetryPolicy};
use serde_json::json;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::runs_of;
use crate::support::http::Message;
use crate::support::{
    Fault, FaultProxy, a_deployment, a_flow, live, live_builder, plain, refusal, reply, unique,
};

/// The number of runs. `PREFECT_SDK_TEST_RUNS` overrides it by a multiple of 100; 10,000 take minutes.
const RUNS: usize = 2000;
const FAULTS: f64 = 0.2;

/// A run that nobody takes and that is not late: late runs keep a server without workers busy.
fn later() -> DeploymentFlowRunCreate {
    let at = Utc::now() + chrono::Duration::days(30);
    let details = StateDetails::new().scheduled_time(at);
    let state = StateCreate::new(StateType::Scheduled).state_details(details);
    DeploymentFlowRunCreate::new().state(state)
}

#[tokio::test]
async fn when_every_fifth_request_is_spoilt_none_is_lost_and_none_comes_twice() {
    // A server of its own: on a shared one, other tests would wait for the database.
    let server = LocalServer::start().await.expect("a server");
    let client = server.client().expect("a client");
    let id = a_deployment(&client).await;
    let spoilt = Arc::new(AtomicUsize::new(0));
    let proxy = FaultProxy::start(client.api_url(), spoiling(Arc::clone(&spoilt))).await;
    let retry = RetryPolicy::default().base_delay(Duration::from_millis(100));
    let through = proxy.builder().retry(retry.attempts(12)).build();
    let through = through.expect("a client");
    let total = std::env::var("PREFECT_SDK_TEST_RUNS").map(|runs| runs.parse());
    let total: usize = total.map_or(RUNS, |runs| runs.expect("a number"));

    let runs = (0..total).map(|number| later().name(format!("run {number}")));
    let mut seen = Vec::new();
    let created = through
        .deployments()
        .run_many(id, runs)
        .on_progress(|progress| seen.push((progress.done, progress.total)))
        .await;
    let ids: Vec<Uuid> = created
        .into_iter()
        .map(|run| run.expect("created"))
        .collect();
    assert_eq!(ids.len(), total);
    let expected = (0..=total).step_by(100).map(|done| (done, total));
    assert_eq!(seen, expected.collect::<Vec<_>>());

    assert_eq!(runs_of(&client, id).await, total as i64);
    let mut there = HashMap::new();
    let mut pager = client.flow_runs().list().deployment_id(id).pager();
    while let Some(run) = pager.next().await {
        let run = run.expect("read");
        there.insert(run.id, run.name.expect("a name"));
    }
    assert_eq!(there.len(), total);
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(there.get(id), Some(&format!("run {number}")));
    }
    let (spoilt, delivered) = (spoilt.load(Ordering::Relaxed), proxy.delivered().len());
    println!("{total} runs, {delivered} requests delivered, {spoilt} spoilt");
    assert!(spoilt * 100 * 10 >= total, "{spoilt}");
    server.stop().await.expect("it stops");
}

/// Spoils requests at random, but not the first: a client whose very first connection is refused assumes
/// that the address is wrong.
fn spoiling(spoilt: Arc<AtomicUsize>) -> impl FnMut(&Message) -> Fault + Send {
    let (mut rng, mut requests) = (Rng::with_seed(7), 0);
    move |_| {
        requests += 1;
        if requests == 1 || rng.f64() >= FAULTS {
            return Fault::None;
        }
        spoilt.fetch_add(1, Ordering::Relaxed);
        match rng.u8(..10) {
            0 => Fault::Refuse,
            1 => Fault::ResetBefore,
            2..=4 => Fault::ResetAfter,
            5 | 6 => Fault::HalfReply,
            7 => Fault::Delay(Duration::from_millis(rng.u64(1..50))),
            8 => Fault::Answer(reply(429, json!({})).header("retry-after", "0.02")),
            _ => Fault::Answer(refusal(503)),
        }
    }
}

#[tokio::test]
async fn runs_are_created_in_order_with_progress_by_the_hundred() {
    let client = live().await;
    let id = a_deployment(&client).await;
    let runs = (0..230).map(|number| later().name(format!("run {number}")));
    let mut seen = Vec::new();
    let created = client.deployments().run_many(id, runs);
    let created = created.on_progress(|progress| seen.push(progress.done));
    let created = created.await;
    assert_eq!(seen, [0, 100, 200, 230]);
    assert_eq!(created.len(), 230);
    for at in [0, 99, 100, 229] {
        let id = *created[at].as_ref().expect("created");
        let run = client.flow_runs().get(id).await.expect("the run");
        assert_eq!(run.name, Some(format!("run {at}")));
    }
    assert_eq!(runs_of(&client, id).await, 230);
    assert!(client.deployments().run_many(id, []).await.is_empty());
    client.deployments().delete(id).await.expect("deleted");
}

/// The database refuses the first run, the deployment's schema the second, and the third is malformed, for
/// which the server refuses the whole request.
#[tokio::test]
async fn a_run_that_is_refused_is_the_only_one() {
    let client = live().await;
    let flow = a_flow(&client).await;
    let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } } });
    let deployment = DeploymentCreate::new(unique("many"), flow)
        .parameter_openapi_schema(schema)
        .enforce_parameter_schema(true);
    let id = client.deployments().create(&deployment).await;
    let id = id.expect("a deployment").id;
    let mut malformed = later();
    malformed
        .extra
        .insert("shade".to_owned(), Json::from("mauve"));
    let mut there = 0;
    for wrong in [
        later().parent_task_run_id(Uuid::new_v4()),
        later().parameters(json!({ "n": "x" })),
        malformed,
    ] {
        let runs = [later(), wrong, later()];
        let created = client.deployments().run_many(id, runs).send().await;
        let [Ok(one), Err(error), Ok(two)] = &created[..] else {
            panic!("{created:?}")
        };
        assert_ne!(one, two);
        assert!(error.is_validation(), "{error}");
        assert!(!error.to_string().contains("INSERT"), "{error}");
        there += 2;
        assert_eq!(runs_of(&client, id).await, there);
    }
}

#[tokio::test]
async fn nothing_more_is_requested_of_a_missing_deployment() {
    let asked = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&asked);
    let client = live_builder()
        .await
        .observer(move |attempt| {
            if attempt.operation().contains("flow_run") {
                seen.fetch_add(1, Ordering::Relaxed);
            }
        })
        .build()
        .expect("a client");
    let runs = vec![later(); 250];
    let created = client.deployments().run_many(Uuid::new_v4(), runs).await;
    assert_eq!(created.len(), 250);
    assert!(created.iter().all(|run| is_kind(run, ErrorKind::NotFound)));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn of_a_server_that_is_not_there_no_more_is_asked() {
    let client = plain("http://127.0.0.1:1/api").build().expect("a client");
    let runs = vec![later(); 250];
    let created = client.deployments().run_many(Uuid::nil(), runs).await;
    assert!(
        created
            .iter()
            .all(|run| is_kind(run, ErrorKind::Connection))
    );
    let attempts: Vec<_> = created.iter().map(attempts).collect();
    assert_eq!(attempts[..100], [1; 100]);
    assert_eq!(attempts[100..], [0; 150]);
}

fn is_kind(run: &Result<Uuid>, kind: ErrorKind) -> bool {
    run.as_ref().is_err_and(|error| error.kind() == kind)
}

fn attempts(run: &Result<Uuid>) -> u32 {
    run.as_ref().map_or_else(|error| error.attempts(), |_| 0)
}

/// The requests of 500 runs that are under way at a time, at most; each is held back until the others have arrived.
async fn requests_at_a_time(concurrency: usize) -> usize {
    let client = live().await;
    let id = a_deployment(&client).await;
    let (gate, arrived) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (held_back, counted) = (Arc::clone(&gate), Arc::clone(&arrived));
    let plan = move |request: &Message| match request.target().ends_with("/bulk") {
        true => {
            counted.fetch_add(1, Ordering::SeqCst);
            Fault::Hold(Arc::clone(&held_back))
        }
        false => Fault::None,
    };
    let proxy = FaultProxy::start(client.api_url(), plan).await;
    let through = proxy.builder().build().expect("a client");
    let runs = vec![later(); 500];
    let creating = through.deployments().run_many(id, runs);
    let creating = creating.concurrency(concurrency).send();
    let releasing = async {
        let (mut done, mut most) = (0, 0);
        while done < 5 {
            let expected = concurrency.max(1).min(5 - done);
            while arrived.load(Ordering::SeqCst) - done < expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            most = most.max(arrived.load(Ordering::SeqCst) - done);
            done += 1;
            gate.add_permits(1);
            while proxy.delivered().len() < done {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        gate.add_permits(100);
        most
    };
    let (created, most) = tokio::join!(creating, releasing);
    assert_eq!(created.len(), 500);
    most
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_were_asked_for() {
    assert_eq!(requests_at_a_time(3).await, 3);
}

#[tokio::test]
async fn no_requests_at_a_time_count_as_one() {
    assert_eq!(requests_at_a_time(0).await, 1);
}
