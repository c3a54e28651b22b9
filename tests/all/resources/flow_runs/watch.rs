//! Watching real runs of a real flow: every state and every line, each once and in order.

use std::sync::atomic::Ordering;
use std::time::Duration;

use prefect_sdk::types::*;
use prefect_sdk::{Client, LocalServer, flow_runs::RunUpdate};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Flows, SocketMode, WebSocketProxy, counting, live, live_builder, unique};

/// Starts a run of the flow, and returns its id.
async fn a_real_run(client: &Client, flows: &Flows, parameters: Value) -> Uuid {
    let run = DeploymentFlowRunCreate::new().parameters(parameters);
    let run = client
        .raw()
        .create_flow_run_from_deployment(&flows.deployment, &run);
    run.await.expect("a run").id
}

/// The updates of a run: the names of its states, and its log lines.
struct Story {
    states: Vec<String>,
    lines: Vec<String>,
}

async fn follow(client: &Client, run: Uuid) -> Story {
    let mut updates = client.flow_runs().watch(run);
    let (mut states, mut lines) = (Vec::new(), Vec::new());
    let collected = async {
        while let Some(update) = updates.next().await {
            match update.expect("no error") {
                RunUpdate::State(state) => {
                    states.push(state.name.clone().into_option().expect("a name"))
                }
                RunUpdate::Log(log) => lines.push(log.message.clone()),
                other => panic!("{other:?}"),
            }
        }
    };
    let collected = tokio::time::timeout(Duration::from_secs(120), collected).await;
    collected.expect("it ends when the run has ended");
    Story { states, lines }
}

impl Story {
    /// Asserts that this many lines came in order, and the states up to `last`; `Late` may be among them.
    fn assert_is(&self, lines: usize, last: &str) {
        let ours = self.lines.iter().filter(|line| line.starts_with("line "));
        let expected: Vec<_> = (0..lines).map(|number| format!("line {number}")).collect();
        assert_eq!(ours.cloned().collect::<Vec<_>>(), expected);
        let states = self.states.iter().filter(|state| *state != "Late");
        let expected = ["Scheduled", "Pending", "Running", last];
        assert_eq!(states.collect::<Vec<_>>(), expected);
        let ends = self
            .lines
            .iter()
            .filter(|line| line.contains("Finished in state"));
        assert_eq!(ends.count(), 1, "{:?}", self.lines);
    }
}

#[tokio::test]
async fn a_real_run_is_reported_completely_whatever_happens_to_sockets() {
    let server = LocalServer::start().await.expect("a server");
    let client = server.client().expect("a client");
    let flows = Flows::serve(&server).await;
    for mode in [
        SocketMode::Passes,
        SocketMode::Refused,
        SocketMode::Lives(Duration::from_secs(1)),
    ] {
        let websocket_proxy = WebSocketProxy::start(server.api_url(), mode).await;
        let parameters = json!({"lines": 50, "seconds": 3.0});
        let run = a_real_run(&client, &flows, parameters).await;
        follow(&websocket_proxy.client(), run)
            .await
            .assert_is(50, "Completed");
    }
    let run = a_real_run(&client, &flows, json!({"lines": 5, "fail": true})).await;
    follow(&client, run).await.assert_is(5, "Failed");
    // A run that is already over is reported as well.
    follow(&client, run).await.assert_is(5, "Failed");
    drop(flows);
    server.stop().await.expect("it stops");
}

/// The server also streams its logs.
#[tokio::test]
async fn a_restart_of_the_server_loses_nothing() {
    let folder = std::env::temp_dir().join(unique("restarted"));
    std::fs::create_dir(&folder).expect("a folder");
    let database = format!(
        "sqlite+aiosqlite:///{}",
        folder.join("prefect.db").display()
    );
    let start = async |port: Option<u16>| {
        let server = LocalServer::builder()
            .database_url(&database)
            .env("PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED", "true")
            .env("PREFECT_SERVER_LOGS_STREAM_PUBLISHING_ENABLED", "true");
        let server = match port {
            Some(port) => server.port(port),
            None => server,
        };
        server.start().await.expect("a server")
    };
    let server = start(None).await;
    let url = prefect_sdk::reqwest::Url::parse(server.api_url()).expect("a URL");
    let client = server.client().expect("a client");
    let flows = Flows::serve(&server).await;
    let run = a_real_run(&client, &flows, json!({"lines": 20, "seconds": 10.0})).await;
    let following = tokio::spawn({
        let client = client.clone();
        async move { follow(&client, run).await }
    });
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.flow_runs().wait(run).await }
    });
    let runs = client.flow_runs();
    let running = runs.wait(run).until(|run| run.start_time.is_some());
    running.await.expect("it starts");
    tokio::time::sleep(Duration::from_secs(2)).await;
    server.stop().await.expect("it stops");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let server = start(url.port()).await;
    following
        .await
        .expect("no panic")
        .assert_is(20, "Completed");
    let ended = waiting.await.expect("no panic").expect("it ends");
    assert_eq!(ended.state_name.as_deref(), Some("Completed"));
    drop(flows);
    server.stop().await.expect("it stops");
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[tokio::test]
async fn a_run_that_is_not_there_is_an_error() {
    let client = live().await;
    let mut updates = client.flow_runs().watch(Uuid::new_v4());
    let error = updates.next().await.expect("sent").expect_err("missing");
    assert!(error.is_not_found(), "{error}");
    assert!(updates.next().await.is_none());
}

/// Such a run has only states: no program executes it and logs.
#[tokio::test]
async fn a_watch_that_is_dropped_sends_nothing_more() {
    let server = live().await;
    let flow = crate::support::a_flow(&server).await;
    let run = crate::support::a_run(&server, flow, |run| run).await;
    let (client, requests) = counting(live_builder().await, |_| true);
    let client = client.build().expect("a client");
    let mut updates = client.flow_runs().watch(run);
    let first = updates.next().await.expect("sent").expect("no error");
    assert!(matches!(first, RunUpdate::State(_)), "{first:?}");
    let watched = requests.load(Ordering::SeqCst);
    // A watch that nobody polls does nothing, either.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(requests.load(Ordering::SeqCst), watched);
    drop(updates);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(requests.load(Ordering::SeqCst), watched);
}
