//! Log lines that reach the server late, and lines that are left out.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use prefect_sdk::Client;
use prefect_sdk::flow_runs::{RunUpdate, Watch};
use serde_json::{Value, json};
use uuid::Uuid;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::support::client_of;

const MINUTE: Duration = Duration::from_secs(60);

/// How many lines a page has.
const PAGE: usize = 5;

/// A server with one run, and the times of its lines.
#[derive(Clone, Default)]
struct LineServer(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    /// In the order in which they arrived.
    times: Vec<DateTime<Utc>>,
    has_ended: bool,
}

/// The time of a line, in seconds.
fn at(seconds: f64) -> DateTime<Utc> {
    let start = DateTime::from_timestamp(1_750_000_000, 0).expect("a time");
    start + TimeDelta::milliseconds((seconds * 1000.0) as i64)
}

impl LineServer {
    async fn start(&self) -> (MockServer, Client) {
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(self.clone())
            .mount(&server)
            .await;
        let client = client_of(&server);
        (server, client)
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().expect("not poisoned")
    }

    fn arrive(&self, seconds: impl IntoIterator<Item = f64>) {
        self.lines().times.extend(seconds.into_iter().map(at));
    }

    fn end(&self) {
        self.lines().has_ended = true;
    }
}

impl Respond for LineServer {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let lines = self.lines();
        let reply = match request.url.path() {
            "/api/logs/filter" => lines.page(&request.body_json().expect("JSON")),
            "/api/flow_run_states/" => lines.states(),
            _ => return ResponseTemplate::new(404),
        };
        ResponseTemplate::new(200).set_body_json(reply)
    }
}

impl Lines {
    fn page(&self, body: &Value) -> Value {
        let bound = |name: &str| {
            let bound = body["logs"]["timestamp"][name].as_str();
            bound.map(|bound| bound.parse::<DateTime<Utc>>().expect("a time"))
        };
        let (after, before) = (bound("after_"), bound("before_"));
        let mut found: Vec<_> = self.times.iter().copied().enumerate().collect();
        found.retain(|(_, time)| after.is_none_or(|after| *time >= after));
        found.retain(|(_, time)| before.is_none_or(|before| *time <= before));
        found.sort_by_key(|(_, time)| *time);
        if body["sort"] == "TIMESTAMP_DESC" {
            found.reverse();
        }
        let offset = body["offset"].as_u64().unwrap_or_default() as usize;
        let limit = body["limit"].as_u64().map_or(PAGE, |limit| limit as usize);
        let line = |(number, time): (usize, DateTime<Utc>)| {
            json!({ "id": Uuid::from_u128(number as u128 + 1), "name": "test", "level": 20,
                    "message": format!("{}", (time - at(0.0)).num_milliseconds()),
                    "timestamp": time, "flow_run_id": null, "task_run_id": null })
        };
        found
            .into_iter()
            .skip(offset)
            .take(limit)
            .map(line)
            .collect()
    }

    fn states(&self) -> Value {
        let state = |number: u128, kind: &str, time: DateTime<Utc>| {
            json!({ "id": Uuid::from_u128(number), "type": kind, "name": kind, "timestamp": time,
                    "message": null, "data": null, "state_details": {} })
        };
        let mut states = vec![state(1, "RUNNING", at(0.0))];
        if self.has_ended {
            states.push(state(2, "COMPLETED", at(1000.0)));
        }
        states.into()
    }
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

#[tokio::test]
async fn lines_that_arrive_late_are_delivered_once() {
    let lines = LineServer::default();
    let (_server, client) = lines.start().await;
    lines.arrive((1..=10).map(f64::from));
    let mut updates = client.flow_runs().watch(Uuid::new_v4());
    let first = next_lines(&mut updates, 10).await;
    assert_eq!(first, (1..=10).map(|line| line * 1000).collect::<Vec<_>>());
    // More are late than there are lines after them; one is older than a page; two are new.
    lines.arrive([9.5, 9.6, 9.7, 1.5, 9.8, 11.0, 12.0]);
    lines.end();
    let mut late = next_lines(&mut updates, usize::MAX).await;
    late.sort_unstable();
    assert_eq!(late, [1500, 9500, 9600, 9700, 9800, 11_000, 12_000]);
}

#[tokio::test]
async fn the_last_lines_come_first_if_that_is_asked_for() {
    let lines = LineServer::default();
    let (_server, client) = lines.start().await;
    lines.arrive((1..=100).map(f64::from));
    lines.end();
    for (tail, expected) in [(3, vec![98_000, 99_000, 100_000]), (0, vec![])] {
        let mut updates = client.flow_runs().watch(Uuid::new_v4()).tail(tail);
        assert_eq!(next_lines(&mut updates, usize::MAX).await, expected);
    }
    let mut updates = client.flow_runs().watch(Uuid::new_v4()).since(at(99.5));
    assert_eq!(next_lines(&mut updates, usize::MAX).await, [100_000]);
}
