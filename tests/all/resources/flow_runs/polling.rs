//! How runs, lines and events are asked for: how many at a time, and how often.

use std::future::IntoFuture as _;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{Either, select};
use prefect_sdk::Client;
use prefect_sdk::testing::{TestServer, op};
use prefect_sdk::types::{FlowRunResponse, StateType};
use serde_json::{Value, json};
use uuid::Uuid;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::{SocketMode, WebSocketProxy, a_flow, a_run, client_of, live};

const MINUTE: Duration = Duration::from_secs(60);

/// How long it is observed what is sent.
const A_WHILE: Duration = Duration::from_secs(5);

/// Once it is known that they exist, only runs that have ended are asked for, many at a time.
#[tokio::test]
async fn replies_about_runs_that_go_on_are_empty() {
    const RUNS: usize = 1000;
    let (has_ended, asked) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(Mutex::new(Vec::new())),
    );
    let (ended, noted) = (Arc::clone(&has_ended), Arc::clone(&asked));
    let server = MockServer::start().await;
    let filter = Mock::given(path("/api/flow_runs/filter"));
    let respond = move |request: &Request| {
        let body: Value = request.body_json().expect("JSON");
        let states = &body["flow_runs"]["state"]["type"]["any_"];
        let ids = body["flow_runs"]["id"]["any_"].as_array().expect("ids");
        noted
            .lock()
            .expect("not poisoned")
            .push((ids.len(), states.clone()));
        let state = match ended.load(Ordering::SeqCst) {
            true => "COMPLETED",
            false => "RUNNING",
        };
        let is_asked_for = states.is_null()
            || states
                .as_array()
                .is_some_and(|states| states.contains(&json!(state)));
        let run = |id: &Value| {
            json!({ "id": id, "flow_id": Uuid::nil(), "created": null, "updated": null,
                    "state_type": state })
        };
        let page = ids.iter().filter(|_| is_asked_for).take(200).map(run);
        ResponseTemplate::new(200).set_body_json(page.collect::<Vec<_>>())
    };
    filter.respond_with(respond).mount(&server).await;
    let client = client_of(&server);
    let ids: Vec<_> = (1..=RUNS as u128).map(Uuid::from_u128).collect();
    let waiting = client
        .flow_runs()
        .wait_all(ids)
        .timeout(MINUTE)
        .into_future();
    let waiting = tokio::spawn(waiting);
    let all_at_once = (RUNS, json!(["COMPLETED", "FAILED", "CANCELLED", "CRASHED"]));
    while !asked.lock().expect("not poisoned").contains(&all_at_once) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    has_ended.store(true, Ordering::SeqCst);
    let runs = waiting.await.expect("no panic").expect("all have ended");
    let is_completed = |run: &FlowRunResponse| *run.state_type == Some(StateType::Completed);
    assert!(runs.iter().all(is_completed));
    let asked = asked.lock().expect("not poisoned");
    let whatever_state = asked.iter().filter(|(_, states)| states.is_null());
    let whatever_state: usize = whatever_state.map(|(ids, _)| ids).sum();
    assert_eq!(whatever_state, RUNS, "each once");
}

#[tokio::test]
async fn a_wait_asks_again_when_the_server_says() {
    let kit = TestServer::start();
    let busy = kit.on(op::read_flow_runs).status(429);
    let busy = busy.header("retry-after", "300");
    let wait = kit.client().flow_runs().wait(Uuid::new_v4()).into_future();
    let mut wait = tokio::spawn(wait);
    kit.until(|_| (busy.calls() >= 1).then_some(())).await;
    let answer = tokio::time::timeout(A_WHILE, &mut wait).await;
    answer.expect_err("no answer");
    assert_eq!(busy.calls(), 1);
    wait.abort();
}

#[tokio::test]
async fn a_watch_asks_again_when_the_server_says() {
    let kit = TestServer::start();
    let busy = kit.on(op::read_flow_run_states).status(429);
    let busy = busy.header("retry-after", "300");
    let mut updates = kit.client().flow_runs().watch(Uuid::new_v4());
    let mut update = pin!(updates.next());
    let asked = kit.until(|_| (busy.calls() >= 1).then_some(()));
    let Either::Right(_) = select(&mut update, pin!(asked)).await else {
        panic!("no answer has come");
    };
    let update = tokio::time::timeout(A_WHILE, update).await;
    update.expect_err("no answer");
    assert_eq!(busy.calls(), 1);
}

#[tokio::test]
async fn a_subscription_asks_again_when_the_server_says() {
    let kit = TestServer::builder().paused().start();
    let busy = kit.on(op::count_account_events).status(429);
    let busy = busy.header("retry-after", "300");
    let subscription = kit.client().events().subscribe().start().await;
    let mut subscription = subscription.expect("started");
    kit.skip_waits(kit.until(|_| (busy.calls() >= 1).then_some(())))
        .await;
    kit.advance(Duration::from_secs(299)).await;
    assert_eq!(busy.calls(), 1);
    kit.skip_waits(kit.until(|_| (busy.calls() >= 2).then_some(())))
        .await;
    let update = subscription.next().now_or_never();
    assert!(update.is_none(), "{update:?}");
}

/// It was opened again every second, and each time all runs were read.
#[tokio::test]
async fn a_socket_that_does_not_stay_open_is_opened_ever_less_often() {
    let server = live().await;
    let run = a_run(&server, a_flow(&server).await, |run| run).await;
    let mode = SocketMode::Lives(Duration::from_millis(300));
    let proxy = WebSocketProxy::start(server.api_url(), mode).await;
    let client = proxy.client();
    let wait = client.flow_runs().wait(run).timeout(2 * A_WHILE);
    assert!(wait.await.expect_err("it goes on").is_timeout());
    // At once, and after about 1, 2, 4 and 8 s.
    assert!(proxy.sockets() <= 5, "{}", proxy.sockets());
}

/// A server that answers the filter of flow runs: with those that `select` takes of the runs asked for, at most
/// `at_a_time`, or with 422 if it takes none.
async fn a_filter(
    at_a_time: usize,
    select: impl Fn(Vec<Uuid>) -> Option<Vec<Uuid>> + Send + Sync + 'static,
) -> (MockServer, Client) {
    let respond = move |request: &wiremock::Request| {
        let body: serde_json::Value = request.body_json().expect("JSON");
        let asked = serde_json::from_value(body["flow_runs"]["id"]["any_"].clone()).expect("ids");
        let Some(mut there) = select(asked) else {
            return ResponseTemplate::new(422);
        };
        there.sort_unstable();
        let offset = body["offset"].as_u64().unwrap_or_default() as usize;
        let page = there.into_iter().skip(offset).take(at_a_time).map(
            |id| json!({ "id": id, "flow_id": Uuid::nil(), "created": null, "updated": null }),
        );
        ResponseTemplate::new(200).set_body_json(page.collect::<Vec<_>>())
    };
    let server = MockServer::start().await;
    let filter = Mock::given(path("/api/flow_runs/filter"));
    filter.respond_with(respond).mount(&server).await;
    let client = client_of(&server);
    (server, client)
}

/// 200 runs are asked for at a time. None is done before a request of so many has been refused.
#[tokio::test]
async fn a_request_that_is_refused_fails_its_own_runs_only() {
    let runs: Vec<_> = (1..=400_u128).map(Uuid::from_u128).collect();
    let (unlucky, is_refused) = (runs[0], Arc::new(AtomicBool::new(false)));
    let refusing = Arc::clone(&is_refused);
    let select = move |asked: Vec<Uuid>| {
        if asked.len() < 200 || !asked.contains(&unlucky) {
            return Some(asked);
        }
        refusing.store(true, Ordering::SeqCst);
        None
    };
    let (_server, client) = a_filter(200, select).await;
    let waits = runs.iter().map(|run| {
        let is_refused = Arc::clone(&is_refused);
        let is_done = move |_: &FlowRunResponse| is_refused.load(Ordering::SeqCst);
        let wait = client.flow_runs().wait(*run).until(is_done);
        wait.timeout(MINUTE).into_future()
    });
    let outcomes = futures_util::future::join_all(waits).await;
    let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    assert_eq!(failed, 200, "those of the one request");
}

/// The server returns one run at a time here, and the first is deleted once it has been read.
#[tokio::test]
async fn a_run_is_found_although_another_is_deleted_meanwhile() {
    let ids: Vec<_> = (1..=3_u128).map(Uuid::from_u128).collect();
    let (deleted, is_deleted) = (ids[0], AtomicBool::new(false));
    let select = move |mut asked: Vec<Uuid>| {
        let is_gone = is_deleted.swap(true, Ordering::SeqCst);
        asked.retain(|id| !is_gone || *id != deleted);
        Some(asked)
    };
    let (_server, client) = a_filter(1, select).await;
    let wait = client.flow_runs().wait_all(ids.clone()).until(|_| true);
    let found = wait.timeout(MINUTE).await.expect("all are read");
    assert_eq!(found.iter().map(|run| run.id).collect::<Vec<_>>(), ids);
}
