//! Watching a run that logs much.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use prefect_sdk::flow_runs::RunUpdate;
use serde_json::{Value, json};
use uuid::Uuid;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::{LONG, Requests, scaled};
use crate::support::{client_of, plain};

/// How many lines a page has.
const PAGE: usize = 200;

/// One request for lines in so many is answered with 503.
const FAILS_ONCE_IN: usize = 200;

/// A server with one run, whose lines are made when they are asked for.
struct LogServer {
    run: Uuid,
    lines: AtomicUsize,
    has_ended: AtomicBool,
    requests: AtomicUsize,
}

impl LogServer {
    fn time(line: usize) -> DateTime<Utc> {
        // Three lines have the same time.
        let time = DateTime::from_timestamp(1_750_000_000, 0).expect("a time");
        time + TimeDelta::microseconds((line / 3) as i64)
    }

    fn line(&self, number: usize) -> Value {
        json!({
            "id": Uuid::from_u128(number as u128 + 1), "name": "test", "level": 20,
            "message": format!("line {number}"), "timestamp": Self::time(number),
            "flow_run_id": self.run, "task_run_id": null,
        })
    }

    fn page(&self, body: &Value) -> ResponseTemplate {
        let after = body["logs"]["timestamp"]["after_"].as_str();
        let after = after.map(|after| after.parse::<DateTime<Utc>>().expect("a time"));
        let offset = body["offset"].as_u64().unwrap_or(0) as usize;
        let lines = self.lines.load(Ordering::SeqCst);
        let first = after.map_or(0, |after| {
            let since_first = (after - Self::time(0))
                .num_microseconds()
                .expect("in range");
            3 * usize::try_from(since_first).unwrap_or(0)
        });
        assert_eq!(body["sort"], "TIMESTAMP_ASC", "no line is late");
        let page = (first + offset..lines)
            .take(PAGE)
            .map(|number| self.line(number));
        ResponseTemplate::new(200).set_body_json(page.collect::<Vec<_>>())
    }

    fn states(&self) -> ResponseTemplate {
        let state = |number: u128, kind: &str, name: &str, at: DateTime<Utc>| {
            json!({"id": Uuid::from_u128(number), "type": kind, "name": name, "timestamp": at,
                   "message": null, "data": null,
                   "state_details": {"flow_run_id": self.run}})
        };
        let mut states = vec![state(1, "RUNNING", "Running", Self::time(0))];
        if self.has_ended.load(Ordering::SeqCst) {
            let end = Self::time(self.lines.load(Ordering::SeqCst)) + TimeDelta::seconds(1);
            states.push(state(2, "COMPLETED", "Completed", end));
        }
        ResponseTemplate::new(200).set_body_json(states)
    }
}

struct Answers(Arc<LogServer>);

impl Respond for Answers {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        match request.url.path() {
            "/api/logs/filter" => {
                let number = self.0.requests.fetch_add(1, Ordering::SeqCst) + 1;
                match number.is_multiple_of(FAILS_ONCE_IN) {
                    true => ResponseTemplate::new(503),
                    false => self.0.page(&request.body_json().expect("JSON")),
                }
            }
            "/api/flow_run_states/" => self.0.states(),
            _ => ResponseTemplate::new(404),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_lines_are_delivered_once_each_and_an_idle_run_costs_little() {
    let lines = scaled(1_000_000, 60_000);
    let run = Uuid::new_v4();
    let log = Arc::new(LogServer {
        run,
        lines: AtomicUsize::new(lines),
        has_ended: AtomicBool::new(false),
        requests: AtomicUsize::new(0),
    });
    let server = MockServer::builder()
        .disable_request_recording()
        .start()
        .await;
    let mock = Mock::given(any()).respond_with(Answers(Arc::clone(&log)));
    mock.mount(&server).await;
    let (requests, builder) = Requests::of(plain(&format!("{}/api", server.uri())));
    let client = builder.build().expect("a client");
    let mut updates = client.flow_runs().watch(run);
    let mut next = async || {
        let update = tokio::time::timeout(LONG, updates.next()).await;
        update.expect("in time").transpose().expect("no error")
    };

    assert!(matches!(next().await, Some(RunUpdate::State(_))));
    for number in 0..lines {
        let Some(RunUpdate::Log(line)) = next().await else {
            panic!("line {number}")
        };
        assert_eq!(line.message, format!("line {number}"));
    }
    requests.print(&format!("{lines} lines"));
    let pages = lines / PAGE;
    // And a state every two seconds.
    let seconds = requests.start.elapsed().as_secs() as usize;
    let most = pages + pages / FAILS_ONCE_IN + seconds / 2 + 20;
    assert!(requests.count() <= most, "{} of {most}", requests.count());

    // Nothing happens for a while.
    let idle = scaled(Duration::from_secs(100), Duration::from_secs(20));
    let before = requests.count();
    tokio::time::timeout(idle, next())
        .await
        .expect_err("no news");
    let asked = requests.count() - before;
    println!("idle: {asked} requests in {idle:?}");
    // It counts as idle after ten seconds; then there is a request every two.
    let most = 20 + idle.as_secs() as usize / 2 + 1;
    assert!(asked <= most, "{asked} of {most}");

    log.lines.fetch_add(1, Ordering::SeqCst);
    log.has_ended.store(true, Ordering::SeqCst);
    let mut rest = Vec::new();
    while let Some(update) = next().await {
        rest.push(update);
    }
    assert!(
        matches!(rest[..], [RunUpdate::Log(_), RunUpdate::State(_)]),
        "{rest:?}"
    );
}

#[tokio::test]
async fn states_alone_end_at_once() {
    let run = Uuid::new_v4();
    let log = Arc::new(LogServer {
        run,
        lines: AtomicUsize::new(1000),
        has_ended: AtomicBool::new(true),
        requests: AtomicUsize::new(0),
    });
    let server = MockServer::start().await;
    let mock = Mock::given(any()).respond_with(Answers(Arc::clone(&log)));
    mock.mount(&server).await;
    let client = client_of(&server);
    let mut states = client.flow_runs().watch(run).states();
    let mut seen = 0;
    while let Some(state) = states.next().await {
        assert!(matches!(state.expect("no error"), RunUpdate::State(_)));
        seen += 1;
    }
    assert_eq!((seen, log.requests.load(Ordering::SeqCst)), (2, 0));
}
