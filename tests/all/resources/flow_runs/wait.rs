//! Waiting for runs, on a real server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use prefect_sdk::types::*;
use prefect_sdk::{Client, ErrorKind, flow_runs::is_terminal};
use serde_json::json;
use uuid::Uuid;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{
    Authority, Scripted, SocketMode, WebSocketProxy, a_flow, a_run, live, live_builder, plain,
    reply,
};

const MINUTE: Duration = Duration::from_secs(60);

/// How late the end of a run may be seen while events arrive, and (below) while they do not. A loaded
/// machine is slow.
const MAX_LIVE_DELAY: Duration = Duration::from_millis(1900);
const A_POLL: Duration = Duration::from_millis(4500);

async fn a_running_run(client: &Client) -> Uuid {
    let running = StateCreate::new(StateType::Running);
    a_run(client, a_flow(client).await, |run| run.state(running)).await
}

async fn set(client: &Client, run: Uuid, state: StateCreate) {
    let body = SetFlowRunStateRequest::new(state).force(true);
    client.flow_runs().set_state(run, &body).await.expect("set");
}

/// Ends a run after four seconds, when it is polled only seldom if events arrive; returns when that was.
fn ending(client: &Client, run: Uuid, state: StateType) -> tokio::task::JoinHandle<Instant> {
    let client = client.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(4)).await;
        set(&client, run, StateCreate::new(state)).await;
        Instant::now()
    })
}

/// How late `waiter` sees a run's end.
async fn lateness(server: &Client, waiter: &Client) -> Duration {
    let run = a_running_run(server).await;
    let ending = ending(server, run, StateType::Completed);
    let ended = waiter
        .flow_runs()
        .wait(run)
        .timeout(MINUTE)
        .await
        .expect("it ends");
    assert_eq!(*ended.state_type, Some(StateType::Completed));
    let seen = Instant::now();
    seen.saturating_duration_since(ending.await.expect("no panic"))
}

#[tokio::test]
async fn an_end_is_seen_at_once_while_events_come() {
    let client = live().await;
    let websocket_proxy = WebSocketProxy::start(client.api_url(), SocketMode::Passes).await;
    let late = lateness(&client, &websocket_proxy.client()).await;
    assert!(late < MAX_LIVE_DELAY, "{late:?}");
    assert_eq!(websocket_proxy.sockets(), 1);
}

#[tokio::test]
async fn without_events_an_end_is_seen_within_a_poll() {
    let client = live().await;
    for mode in [
        SocketMode::Refused,
        SocketMode::Denied,
        SocketMode::DeniedByClosing,
        SocketMode::Lives(Duration::from_secs(1)),
        SocketMode::ClosesCleanly(Duration::ZERO),
        SocketMode::ClosesCleanly(Duration::from_millis(1200)),
    ] {
        let websocket_proxy = WebSocketProxy::start(client.api_url(), mode).await;
        let late = lateness(&client, &websocket_proxy.client()).await;
        assert!(late < A_POLL, "{mode:?}: {late:?}");
        assert!(websocket_proxy.sockets() > 0, "{mode:?}");
    }
}

/// The authority of the certificate is known only from a file.
#[tokio::test]
async fn sockets_go_by_tls_like_all_else() {
    let client = live().await;
    let websocket_proxy = WebSocketProxy::start(client.api_url(), SocketMode::Passes).await;
    let authority = Authority::new();
    let url = authority.front(&websocket_proxy.url).await;
    let secure = live_builder()
        .await
        .api_url(url)
        .ca_file(&authority.ca_file)
        .no_proxy();
    let late = lateness(&client, &secure.build().expect("a client")).await;
    assert!(late < MAX_LIVE_DELAY, "{late:?}");
    assert_eq!(websocket_proxy.sockets(), 1);
}

#[tokio::test]
async fn one_that_has_ended_is_not_waited_for() {
    let client = live().await;
    let run = a_running_run(&client).await;
    set(&client, run, StateCreate::new(StateType::Crashed)).await;
    let start = Instant::now();
    let ended = client.flow_runs().wait(run).await.expect("it has ended");
    assert!(
        is_terminal(&ended) && start.elapsed() < MAX_LIVE_DELAY,
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn no_time_is_a_timeout_and_nothing_is_sent() {
    let server = Scripted::start([reply(500, serde_json::json!({}))]).await;
    let client = server.client();
    let wait = client
        .flow_runs()
        .wait(Uuid::new_v4())
        .timeout(Duration::ZERO);
    assert!(wait.await.expect_err("no time").is_timeout());
    let wait = client.flow_runs().wait_all([]).timeout(Duration::ZERO);
    assert!(wait.await.expect_err("no time").is_timeout());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn failures_are_told_apart() {
    let client = live().await;
    let runs = client.flow_runs();
    let run = a_running_run(&client).await;

    let error = runs.wait(run).timeout(Duration::from_millis(500)).await;
    let error = error.expect_err("it goes on");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains(&run.to_string()), "{error}");

    let failed = StateCreate::new(StateType::Failed).message("no disk");
    set(&client, run, failed).await;
    let error = runs.wait(run).success().await.expect_err("it has failed");
    assert_eq!(error.kind(), ErrorKind::RunFailed);
    assert!(error.to_string().ends_with("is Failed: no disk"), "{error}");
    runs.wait(run).await.expect("an end is an end");

    let missing = runs.wait(Uuid::new_v4()).await.expect_err("missing");
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    runs.delete(run).await.expect("deleted");
    assert!(runs.wait(run).await.expect_err("deleted").is_not_found());

    let nobody = crate::support::plain("http://127.0.0.1:9/api")
        .api_key("k")
        .build();
    let nobody = nobody.expect("a client");
    let wait = nobody
        .flow_runs()
        .wait(run)
        .timeout(Duration::from_millis(500));
    assert!(
        wait.await.expect_err("nobody there").is_timeout(),
        "it may come back"
    );
    let refused = Scripted::start([reply(401, serde_json::json!({"detail": "no"}))]).await;
    let error = refused
        .client()
        .flow_runs()
        .wait(run)
        .await
        .expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
}

#[tokio::test]
async fn what_is_waited_for_is_a_function_of_the_run() {
    let client = live().await;
    let flow = a_flow(&client).await;
    let run = a_run(&client, flow, |run| {
        run.state(StateCreate::new(StateType::Pending))
    })
    .await;
    let ending = ending(&client, run, StateType::Running);
    let wait = client.flow_runs().wait(run).timeout(MINUTE);
    let started = wait
        .until(|run| run.start_time.is_some())
        .await
        .expect("it starts");
    assert_eq!(*started.state_type, Some(StateType::Running));
    ending.await.expect("no panic");
}

/// Heartbeats are events of runs, too, but do not report a state.
#[tokio::test]
async fn a_heartbeat_is_no_end() {
    let client = live().await;
    let run = a_running_run(&client).await;
    let resource = serde_json::json!({"prefect.resource.id": format!("prefect.flow-run.{run}")});
    let beat = serde_json::json!({
        "occurred": chrono::Utc::now(), "event": "prefect.flow-run.heartbeat",
        "resource": resource, "id": Uuid::new_v4(),
    });
    let beat: Event = serde_json::from_value(beat).expect("an event");
    let wait = client.flow_runs().wait(run).timeout(Duration::from_secs(3));
    let beating = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        client.events().create(vec![beat]).await.expect("recorded");
    };
    let (waited, ()) = tokio::join!(wait.into_future(), beating);
    assert!(waited.expect_err("it goes on").is_timeout());
}

#[tokio::test]
async fn all_of_them_in_their_order_or_the_first() {
    let client = live().await;
    let (one, other) = (a_running_run(&client).await, a_running_run(&client).await);
    let ending_other = ending(&client, other, StateType::Cancelled);
    let first = client
        .flow_runs()
        .wait_any([one, other])
        .timeout(MINUTE)
        .await;
    assert_eq!(first.expect("one of them").id, other);
    ending_other.await.expect("no panic");
    let ending_one = ending(&client, one, StateType::Completed);
    let both = client
        .flow_runs()
        .wait_all([one, other, one])
        .timeout(MINUTE)
        .await;
    let both: Vec<_> = both
        .expect("all of them")
        .iter()
        .map(|run| run.id)
        .collect();
    assert_eq!(both, [one, other, one]);
    ending_one.await.expect("no panic");
    assert!(
        client
            .flow_runs()
            .wait_all([])
            .await
            .expect("none")
            .is_empty()
    );
}

/// 200 waiters use one socket and a few requests.
#[tokio::test]
async fn many_waiters_share_a_socket_and_few_requests() {
    let client = live().await;
    let flow = a_flow(&client).await;
    let mut runs = Vec::new();
    for _ in 0..200 {
        let running = StateCreate::new(StateType::Running);
        runs.push(a_run(&client, flow, |run| run.state(running)).await);
    }
    let websocket_proxy = WebSocketProxy::start(client.api_url(), SocketMode::Passes).await;
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let waiter = websocket_proxy.builder().observer(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let waiter = waiter.build().expect("a client");
    let start = Instant::now();
    let waiting: Vec<_> = runs
        .iter()
        .map(|run| {
            let (waiter, run) = (waiter.clone(), *run);
            tokio::spawn(async move {
                let ended = waiter.flow_runs().wait(run).timeout(3 * MINUTE).await;
                assert_eq!(ended.expect("it ends").id, run);
                Instant::now()
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let completed = StateCreate::new(StateType::Completed);
    let mut ends = client.flow_runs().set_state_many(completed).force(true);
    for run in &runs {
        ends = ends.id(*run);
    }
    assert_eq!(ends.await.expect("set").len(), 200);
    let ended = Instant::now();
    for waiting in waiting {
        let seen = waiting.await.expect("no panic");
        let late = seen.saturating_duration_since(ended);
        assert!(late < A_POLL, "{late:?}");
    }
    let (requests, seconds) = (
        requests.load(Ordering::Relaxed),
        start.elapsed().as_secs_f64(),
    );
    println!("{requests} requests in {seconds:.1} s");
    // One for each end would be 200.
    assert!(
        (requests as f64) < 25.0 + seconds,
        "{requests} in {seconds}"
    );
    assert_eq!(websocket_proxy.sockets(), 1);
}

/// Also behind more runs than the first few: the others never end.
#[tokio::test]
async fn the_first_error_ends_a_wait_for_many() {
    let client = live().await;
    let flow = a_flow(&client).await;
    let mut runs = Vec::new();
    for _ in 0..40 {
        runs.push(a_run(&client, flow, |run| run).await);
    }
    let failed = StateCreate::new(StateType::Failed);
    set(&client, runs[39], failed).await;
    let waiting = client.flow_runs().wait_all(runs).success();
    let error = waiting.timeout(MINUTE).await.expect_err("one has failed");
    assert_eq!(error.kind(), ErrorKind::RunFailed, "{error}");
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
    let client = plain(&format!("{}/api", server.uri())).build();
    (server, client.expect("a client"))
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
