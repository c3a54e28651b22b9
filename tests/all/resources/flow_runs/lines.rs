//! Log lines that reach the server late, and lines that are left out.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use prefect_sdk::Client;
use prefect_sdk::flow_runs::{RunUpdate, Watch};
use prefect_sdk::testing::TestServer;
use prefect_sdk::types::{LogCreate, StateCreate};
use uuid::Uuid;

use crate::support::{a_flow, a_run};

const MINUTE: Duration = Duration::from_secs(60);

/// A server with one run.
async fn server() -> (TestServer, Client, Uuid) {
    let kit = TestServer::start();
    let client = kit.client();
    let running = StateCreate::running();
    let run = a_run(&client, a_flow(&client).await, |run| run.state(running)).await;
    (kit, client, run)
}

/// The time of a line, in milliseconds.
fn at(millis: i64) -> DateTime<Utc> {
    let start = DateTime::from_timestamp(1_750_000_000, 0).expect("a time");
    start + TimeDelta::milliseconds(millis)
}

/// Lines with these times, in milliseconds, reach the server; each says its time.
async fn arrive(client: &Client, run: Uuid, millis: impl IntoIterator<Item = i64>) {
    let line =
        |millis: i64| LogCreate::new("test", 20, millis.to_string(), at(millis)).flow_run_id(run);
    let lines = millis.into_iter().map(line).collect();
    client.raw().create_logs(&lines).await.expect("written");
}

/// The times of the next lines, in milliseconds; a state ends them.
async fn next_lines(updates: &mut Watch, count: usize) -> Vec<i64> {
    let mut lines = Vec::new();
    while lines.len() < count {
        let update = tokio::time::timeout(MINUTE, updates.next()).await;
        match update.expect("in time") {
            Some(Ok(RunUpdate::Log(line))) => lines.push(line.message.parse().expect("a number")),
            Some(Ok(_)) if lines.is_empty() => {}
            _ => break,
        }
    }
    lines
}

/// A page of the server has 200 lines.
#[tokio::test]
async fn lines_that_arrive_late_are_delivered_once() {
    let (kit, client, run) = server().await;
    arrive(&client, run, (1..=400).map(|line| line * 25)).await;
    let mut updates = client.flow_runs().watch(run);
    let first = next_lines(&mut updates, 400).await;
    assert_eq!(first, (1..=400).map(|line| line * 25).collect::<Vec<_>>());
    // More are late than there are lines after them; one is older than a page; two are new.
    let late = [9981, 9982, 9983, 1510, 9984, 11_000, 12_000];
    arrive(&client, run, late).await;
    kit.set_state(run, StateCreate::completed());
    let mut late = next_lines(&mut updates, usize::MAX).await;
    late.sort_unstable();
    let expected = [1510, 9981, 9982, 9983, 9984, 11_000, 12_000];
    assert_eq!(late, expected);
}

#[tokio::test]
async fn the_last_lines_come_first_if_that_is_asked_for() {
    let (kit, client, run) = server().await;
    arrive(&client, run, (1..=500).map(|line| line * 1000)).await;
    kit.set_state(run, StateCreate::completed());
    for (tail, expected) in [(3, vec![498_000, 499_000, 500_000]), (0, vec![])] {
        let mut updates = client.flow_runs().watch(run).tail(tail);
        assert_eq!(next_lines(&mut updates, usize::MAX).await, expected);
    }
    let mut updates = client.flow_runs().watch(run).since(at(499_500));
    assert_eq!(next_lines(&mut updates, usize::MAX).await, [500_000]);
}
