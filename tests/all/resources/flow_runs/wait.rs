//! Waiting for runs, on a real server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use prefect_sdk::client::Attempt;
use prefect_sdk::types::*;
use prefect_sdk::{Client, ClientBuilder, ErrorKind, flow_runs::is_terminal};
use uuid::Uuid;

use crate::support::{
    Authority, Scripted, SocketMode, WebSocketProxy, a_flow, a_run, counting, live, live_builder,
    reply,
};

/// Longer than a busy server takes for anything.
const LONG: Duration = Duration::from_secs(1800);

/// How late the end of a run may be seen while events arrive: the next poll without an event is six seconds later.
const MAX_LIVE_DELAY: Duration = Duration::from_secs(5);

/// How many polling requests may pass until an end is seen: one that has begun before it, and a poll, which may take two.
const MAX_POLLS: usize = 3;

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

/// Counts the polls of a client that the server has answered. (A busy one may refuse some.)
fn polls_of(builder: ClientBuilder) -> (Client, Arc<AtomicUsize>) {
    let is_poll = |attempt: &Attempt<'_>| {
        let is_answered = attempt.status().is_some_and(|status| status.is_success());
        attempt.operation() == "read_flow_runs" && is_answered
    };
    let (builder, polls) = counting(builder, is_poll);
    (builder.build().expect("a client"), polls)
}

/// How late a client sees a run's end, and after how many polls.
async fn lateness(server: &Client, builder: ClientBuilder) -> (Duration, usize) {
    let (waiter, polls) = polls_of(builder);
    let run = a_running_run(server).await;
    let counted = Arc::clone(&polls);
    let ending = ending(server, run, StateType::Completed);
    let ending = async move {
        (
            ending.await.expect("no panic"),
            counted.load(Ordering::SeqCst),
        )
    };
    let ending = tokio::spawn(ending);
    let ended = waiter
        .flow_runs()
        .wait(run)
        .timeout(LONG)
        .await
        .expect("it ends");
    assert_eq!(*ended.state_type, Some(StateType::Completed));
    let (seen, polls) = (Instant::now(), polls.load(Ordering::SeqCst));
    let (ended, before) = ending.await.expect("no panic");
    (
        seen.saturating_duration_since(ended),
        polls.saturating_sub(before),
    )
}

/// A machine that stands still for some seconds is no failure, but it does not do so each time.
async fn an_end_is_seen_at_once(server: &Client, builder: ClientBuilder, proxy: &WebSocketProxy) {
    let mut seen = Vec::new();
    while seen.len() < 5 {
        let before = proxy.sockets();
        let (late, polls) = lateness(server, builder.clone()).await;
        let sockets = proxy.sockets() - before;
        if late < MAX_LIVE_DELAY && polls <= MAX_POLLS && sockets == 1 {
            return;
        }
        seen.push((late, polls, sockets));
    }
    panic!("{seen:?}");
}

#[tokio::test]
async fn an_end_is_seen_at_once_while_events_come() {
    let client = live().await;
    let websocket_proxy = WebSocketProxy::start(client.api_url(), SocketMode::Passes).await;
    an_end_is_seen_at_once(&client, websocket_proxy.builder(), &websocket_proxy).await;
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
        let (late, polls) = lateness(&client, websocket_proxy.builder()).await;
        assert!(polls <= MAX_POLLS, "{mode:?}: {late:?}, {polls}");
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
    an_end_is_seen_at_once(&client, secure, &websocket_proxy).await;
}

#[tokio::test]
async fn one_that_has_ended_is_not_waited_for() {
    let client = live().await;
    let run = a_running_run(&client).await;
    set(&client, run, StateCreate::new(StateType::Crashed)).await;
    let (waiter, polls) = polls_of(live_builder().await);
    let ended = waiter.flow_runs().wait(run).await.expect("it has ended");
    assert!(is_terminal(&ended));
    assert!(polls.load(Ordering::SeqCst) <= MAX_POLLS);
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
    let wait = client.flow_runs().wait(run).timeout(LONG);
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
        .timeout(LONG)
        .await;
    assert_eq!(first.expect("one of them").id, other);
    ending_other.await.expect("no panic");
    let ending_one = ending(&client, one, StateType::Completed);
    let both = client
        .flow_runs()
        .wait_all([one, other, one])
        .timeout(LONG)
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
    let (waiter, requests) = counting(websocket_proxy.builder(), |_| true);
    let waiter = waiter.build().expect("a client");
    let start = Instant::now();
    let waiting: Vec<_> = runs
        .iter()
        .map(|run| {
            let (waiter, run) = (waiter.clone(), *run);
            tokio::spawn(async move {
                let ended = waiter.flow_runs().wait(run).timeout(LONG).await;
                assert_eq!(ended.expect("it ends").id, run);
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
    for waiting in waiting {
        waiting.await.expect("no panic");
    }
    let (requests, seconds) = (
        requests.load(Ordering::SeqCst),
        start.elapsed().as_secs_f64(),
    );
    println!("{requests} requests in {seconds:.1} s");
    // One for each end would be 200. There are five a second at most, if the ends come one by one, as they do from
    // several servers.
    assert!(
        (requests as f64) < 25.0 + 5.0 * seconds,
        "{requests} in {seconds}"
    );
    assert!(requests < 200, "{requests}");
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
    let error = waiting.timeout(LONG).await.expect_err("one has failed");
    assert_eq!(error.kind(), ErrorKind::RunFailed, "{error}");
}
