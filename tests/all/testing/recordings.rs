//! The fake is held against recordings of real servers: the same requests, whose replies must be the same.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use prefect_sdk::testing::TestServer;
use reqwest::header::{CONTENT_TYPE, USER_AGENT};
use reqwest::{Client, Method};
use serde::Deserialize;
use serde_json::Value;

use super::differential::compare::{Comparison, time};
use super::differential::ids::{Ids, Side};
use super::differential::pieces::{Piece, pieces};

/// What is not replayed: the file, the note of the exchange, and why.
const SKIPPED: [(&str, &str, &str); 2] = [
    (
        "heartbeat-zombie-artifacts",
        "zombie automation",
        "the fake has no automations, and refuses them",
    ),
    (
        "heartbeat-zombie-artifacts",
        "run after silence",
        "an automation has made this state; it is prepared before the next exchange",
    ),
];

/// The keys under which a reply says when it was given, and a request when it was sent.
const MOMENTS: [&str; 4] = ["created", "updated", "timestamp", "occurred"];

/// A time as the server writes it, to the microsecond: only these are moved, others are what the request is about.
const TIME: &str = "2026-11-26T06:22:23.557602Z";

/// One exchange with a real server.
#[derive(Deserialize)]
struct Exchange {
    note: String,
    request: Request,
    response: Response,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
    user_agent: String,
    body: Value,
}

#[derive(Debug, Deserialize)]
struct Response {
    status: u16,
    body: Value,
}

/// A request that creates what recorded ones presuppose.
#[derive(Deserialize)]
struct Preparation {
    file: String,
    before: Option<String>,
    post: String,
    body: Value,
    /// The id that the created object has in the recording.
    id: Option<String>,
}

fn read<T: for<'de> Deserialize<'de>>(file: &str) -> Vec<T> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/recordings");
    let text = std::fs::read_to_string(format!("{folder}/{file}.json"));
    serde_json::from_str(&text.expect("a recording")).expect("the form of a recording")
}

/// The latest time at which this was said, if it tells.
fn moment(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::Object(values) => {
            let told = values.iter().filter_map(|(key, value)| match value {
                Value::String(text) if MOMENTS.contains(&key.as_str()) => {
                    time(text).map(|time| time.to_utc())
                }
                value => moment(value),
            });
            told.max()
        }
        Value::Array(values) => values.iter().filter_map(moment).max(),
        _ => None,
    }
}

impl Exchange {
    fn moment(&self) -> Option<DateTime<Utc>> {
        moment(&self.response.body).or_else(|| moment(&self.request.body))
    }
}

/// A recording on its way through the fake. Its side is the real one.
struct Replay {
    server: TestServer,
    http: Client,
    /// How much later the fake lives than the recording.
    shift: TimeDelta,
    ids: Ids,
    /// The random names of the recording, and those of the fake.
    names: Vec<[String; 2]>,
    compared: usize,
    faults: Vec<String>,
}

impl Replay {
    fn start(exchanges: &[Exchange]) -> Self {
        // The services of the real server look every few seconds: requests of the recording came before they did.
        let server = TestServer::builder().paused().without_services().start();
        // The client of the tests has no cryptography of its own.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().build().expect("a client");
        let first = exchanges.iter().find_map(Exchange::moment);
        // What is prepared came a second before.
        let begin = first.expect("a time") - TimeDelta::seconds(1);
        Self {
            shift: server.now() - begin,
            server,
            http,
            ids: Ids::default(),
            names: Vec::new(),
            compared: 0,
            faults: Vec::new(),
        }
    }

    /// Lets the clock go on to a time of the recording. It never goes back: a reply may show an old state.
    async fn go_to(&self, moment: DateTime<Utc>) {
        let wait = moment + self.shift - self.server.now();
        self.server
            .advance(wait.to_std().unwrap_or(Duration::ZERO))
            .await;
    }

    /// A text of the recording with the times of the fake.
    fn timed(&self, text: &str) -> String {
        let moved = pieces(text).map(|piece| match piece {
            Piece::Time(text) if text.len() == TIME.len() && text.ends_with('Z') => {
                let time = time(text).expect("a time").to_utc() + self.shift;
                time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
            }
            Piece::Id(text) | Piece::Time(text) | Piece::Text(text) => text.to_owned(),
        });
        moved.collect()
    }

    /// A text of a recorded request as the fake gets it. An id that is not known yet is the client's, or of no object.
    fn translated(&mut self, text: &str) -> String {
        for piece in pieces(text) {
            if let Piece::Id(id) = piece
                && self.ids.number(Side::Real, id).is_none()
            {
                self.ids.add(id, id);
            }
        }
        let text = self.ids.read(Side::Real, &self.timed(text));
        self.ids.write(Side::Fake, &text)
    }

    async fn send(&mut self, request: &Request) -> Response {
        let url = self.server.api_url();
        let path = request
            .path
            .strip_prefix("/api")
            .expect("a path of the API");
        let url = format!("{url}{}", self.translated(path));
        let method: Method = request.method.parse().expect("a method");
        let mut sent = self.http.request(method, url);
        sent = sent.header(USER_AGENT, &request.user_agent);
        if !request.body.is_null() {
            let body = self.translated(&request.body.to_string());
            sent = sent.header(CONTENT_TYPE, "application/json").body(body);
        }
        let reply = sent.send().await.expect("a reply");
        let status = reply.status().as_u16();
        let text = reply.text().await.expect("a body");
        let body = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).expect("JSON"),
        };
        Response { status, body }
    }

    async fn prepare(&mut self, preparation: &Preparation) {
        let request = Request {
            method: "POST".to_owned(),
            path: preparation.post.clone(),
            user_agent: "prefect-sdk/0.1".to_owned(),
            body: preparation.body.clone(),
        };
        let reply = self.send(&request).await;
        assert!(
            reply.status < 300 && !matches!(reply.body["status"].as_str(), Some("ABORT" | "WAIT")),
            "{} {}: {reply:?}",
            preparation.post,
            preparation.body
        );
        if let Some(id) = &preparation.id {
            let created = reply.body["id"].as_str().expect("an id");
            self.ids.add(created, id);
        }
    }

    async fn replay(&mut self, exchange: &Exchange) {
        if let Some(moment) = exchange.moment() {
            self.go_to(moment).await;
        }
        let fake = self.send(&exchange.request).await;
        let mut real = self.timed(&exchange.response.body.to_string());
        for [ours, recorded] in &self.names {
            real = real.replace(recorded, ours);
        }
        let real = Response {
            status: exchange.response.status,
            body: serde_json::from_str(&real).expect("JSON"),
        };
        self.compared += 1;
        if let Err(fault) = self.compare(&fake, &real) {
            let shown = self.ids.read(Side::Fake, &fake.body.to_string());
            self.faults
                .push(format!("{}: {fault}\n    {shown}", exchange.note));
        }
    }

    fn compare(&mut self, fake: &Response, real: &Response) -> Result<(), String> {
        if fake.status != real.status {
            return Err(format!("{} instead of {}", fake.status, real.status));
        }
        // The fake does not copy what the server's validation says.
        if real.status == 422 {
            let said = |reply: &Response| reply.body["exception_message"].clone();
            return match said(fake) == said(real) {
                true => Ok(()),
                false => Err(format!("{} instead of {}", said(fake), said(real))),
            };
        }
        let mut comparison = Comparison::new(&self.ids);
        let outcome = comparison.values("$", &fake.body, &real.body);
        let found = comparison.found;
        for [fake, real] in &found.ids {
            self.ids.add(fake, real);
        }
        if !found.unnamed.is_empty() {
            let name = |reply: &Response| reply.body["name"].as_str().map(str::to_owned);
            if let (Some(fake), Some(real)) = (name(fake), name(real)) {
                self.names.push([fake, real]);
            }
        }
        outcome.map_err(|difference| {
            let (place, fake, real) = (difference.place, difference.fake, difference.real);
            format!("{place}: {fake} instead of {real}")
        })?;
        // Both clocks say the same, so that the wait is the same, too; but the reply does not tell when the request came.
        let wait = |reply: &Response| reply.body["details"]["delay_seconds"].as_f64();
        match wait(fake).zip(wait(real)) {
            Some((fake, real)) if (fake - real).abs() > 1.0 => {
                Err(format!("to wait {fake} s instead of {real} s"))
            }
            _ => Ok(()),
        }
    }
}

/// Replays a file; so many of its exchanges must have been compared.
async fn replayed(file: &str, least: usize) {
    let exchanges: Vec<Exchange> = read(file);
    let mut preparations: Vec<Preparation> = read("prepared");
    preparations.retain(|preparation| preparation.file == file);
    let has = |note: &str| exchanges.iter().any(|exchange| exchange.note == note);
    for (_, note, reason) in SKIPPED.iter().filter(|(of, ..)| *of == file) {
        assert!(has(note), "no exchange is skipped because {reason}: {note}");
    }
    let mut replay = Replay::start(&exchanges);
    let (first, mut later): (Vec<_>, Vec<_>) = preparations
        .into_iter()
        .partition(|preparation| preparation.before.is_none());
    for preparation in &first {
        replay.prepare(preparation).await;
    }
    for exchange in &exchanges {
        let is_skipped = |(of, note, _): &(&str, &str, &str)| *of == file && exchange.note == *note;
        if SKIPPED.iter().any(is_skipped) {
            continue;
        }
        let mut now = later;
        later = now.split_off(now.partition_point(|preparation| {
            preparation.before.as_deref() == Some(exchange.note.as_str())
        }));
        for preparation in &now {
            replay.prepare(preparation).await;
        }
        replay.replay(exchange).await;
    }
    assert!(
        later.is_empty(),
        "prepared for no exchange: {}",
        later[0].post
    );
    println!("{file}: {} exchanges compared", replay.compared);
    assert!(
        replay.faults.is_empty(),
        "{} of {} replies differ from those of a real server:\n{}",
        replay.faults.len(),
        replay.compared,
        replay.faults.join("\n")
    );
    assert!(replay.compared >= least, "{} compared", replay.compared);
}

#[tokio::test]
async fn transitions_of_flow_runs() {
    replayed("flow-run-transitions", 25).await;
}

#[tokio::test]
async fn pauses_cancellations_and_suspensions() {
    replayed("pause-cancel-suspend", 29).await;
}

#[tokio::test]
async fn slots_of_deployments_by_user_agents() {
    replayed("deployment-concurrency", 14).await;
}

#[tokio::test]
async fn task_runs_by_requests_and_by_events() {
    replayed("task-runs", 12).await;
}

#[tokio::test]
async fn the_smallest_event_of_a_task_run() {
    replayed("task-run-minimal-event", 2).await;
}

#[tokio::test]
async fn task_runs_of_a_flow_run_that_does_not_run() {
    replayed("worker-channel-snapshot", 2).await;
}

#[tokio::test]
async fn subflows() {
    replayed("subflows", 8).await;
}

#[tokio::test]
async fn logs() {
    replayed("logs", 17).await;
}

#[tokio::test]
async fn heartbeats_and_artifacts() {
    replayed("heartbeat-zombie-artifacts", 7).await;
}

#[tokio::test]
async fn heartbeats_and_polls_of_a_worker() {
    replayed("worker-and-channel", 12).await;
}
