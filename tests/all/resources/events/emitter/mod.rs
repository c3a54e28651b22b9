//! Emitting events: which are accepted, refused, dropped and repeated, and how failures are reported.

mod failures;
mod queue;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use prefect_sdk::types::{
    Event, EventFilter, EventNameFilter, Json, ReadEventsRequest, ReceivedEvent, Resource,
};
use prefect_sdk::{
    Client, Error, ErrorKind, LocalServer, RetryPolicy,
    events::{Emitter, OverflowPolicy},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::http::Message;
use crate::support::{
    BUSY_TIMEOUT, FakeClock, Log, RealClock, Scripted, Step, in_time, live, refusal, reply,
    spoiling, subscribe, unique,
};

/// So long that what waits for it does not happen in a test.
const NEVER: Duration = Duration::from_secs(3600);

/// The reply of a server that accepts events.
fn taken() -> Step {
    Step::Reply(204, Vec::new(), String::new())
}

fn labels<const N: usize>(labels: [(&str, &str); N]) -> Resource {
    let labels = labels.map(|(label, value)| (label.to_owned(), value.to_owned()));
    Resource::from(labels)
}

fn related(id: &str) -> Resource {
    labels([("prefect.resource.id", id), ("prefect.resource.role", "r")])
}

fn event(name: &str) -> Event {
    let resource = labels([("prefect.resource.id", "test")]);
    Event::new(Utc::now(), name, resource, Uuid::new_v4())
}

fn events(count: usize) -> Vec<Event> {
    (0..count).map(|_| event("test")).collect()
}

/// An event whose JSON has this many bytes.
fn of_size(bytes: usize) -> Event {
    let event = event("large").payload(json!({ "text": "" }));
    let rest = bytes - serde_json::to_string(&event).expect("JSON").len();
    event.payload(json!({ "text": "x".repeat(rest) }))
}

/// A resource with this many labels.
fn with_labels(count: usize) -> Resource {
    let more = (2..count).map(|number| (format!("label-{number}"), "x".to_owned()));
    related("labelled").into_iter().chain(more).collect()
}

/// A client with a real clock, and short retry delays.
fn in_real_time(server: &Scripted) -> Client {
    let builder = server.builder().clock(RealClock);
    let retry = RetryPolicy::default().base_delay(Duration::from_millis(1));
    builder.retry(retry).build().expect("a client")
}

/// An emitter that sends nothing before it is flushed, or a batch is full.
fn patient(client: &Client) -> Emitter {
    let emitter = client.events().emitter().linger(NEVER);
    emitter.start().expect("an emitter")
}

/// The ids of the events in each request.
fn batches(server: &Scripted) -> Vec<Vec<String>> {
    let batch = |request: &Message| {
        assert_eq!(
            (request.method(), request.target()),
            ("POST", "/api/events")
        );
        let events: Vec<Value> = serde_json::from_slice(&request.body).expect("JSON");
        let ids = events.iter().map(|event| event["id"].as_str());
        ids.map(|id| id.expect("an id").to_owned()).collect()
    };
    server.requests().iter().map(batch).collect()
}

fn sizes(server: &Scripted) -> Vec<usize> {
    batches(server).iter().map(Vec::len).collect()
}

/// Waits until the server has stored these events, and returns them.
async fn stored(client: &Client, ids: &[Uuid]) -> Vec<ReceivedEvent> {
    in_time("what is stored", async {
        loop {
            let mut query = client.events().list();
            for id in ids {
                query = query.id(*id);
            }
            let events = query.await.expect("listed");
            if events.len() >= ids.len() {
                return events;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await
}

/// The calls of `on_failure`: the ids and the status of each.
#[derive(Clone, Default)]
struct FailureLog(Arc<Mutex<Vec<Failure>>>);

/// The ids of the events that failed, and the status.
type Failure = (Vec<Uuid>, Option<u16>);

type OnFailure = Box<dyn Fn(Vec<Event>, &Error) + Send + Sync>;

impl FailureLog {
    fn note(&self) -> OnFailure {
        let failure_log = self.clone();
        Box::new(move |events, error| {
            let ids = events.iter().map(|event| event.id).collect();
            let status = error.status().map(|status| status.as_u16());
            failure_log
                .0
                .lock()
                .expect("not poisoned")
                .push((ids, status));
        })
    }

    fn all(&self) -> Vec<(Vec<Uuid>, Option<u16>)> {
        self.0.lock().expect("not poisoned").clone()
    }
}

#[tokio::test]
async fn an_event_that_is_emitted_is_stored() {
    let client = live().await;
    let name = unique("emit");
    let sent = event(&name).payload(json!({ "sum": 12.5 }));
    let sent = sent.related([related("other")]);
    let id = client.events().emit(sent.clone()).await.expect("taken");
    assert_eq!(id, sent.id);
    // Emitting the event again changes nothing.
    client.events().emit(sent.clone()).await.expect("taken");

    let emitter = client.events().emitter().start().expect("an emitter");
    let second = event(&name).following(&sent);
    emitter.emit(second.clone()).expect("queued");
    assert_eq!(emitter.flush().await.expect("sent").confirmed, 1);

    let mut found = stored(&client, &[sent.id, second.id]).await;
    found.sort_by_key(|event| event.occurred);
    let [first, then] = &found[..] else {
        panic!("two of them: {found:?}")
    };
    assert_eq!((first.id, &first.event), (sent.id, &name));
    assert_eq!(
        (&first.payload, &first.related),
        (&sent.payload, &sent.related)
    );
    assert_eq!(*then.follows, Some(sent.id));
}

#[tokio::test]
async fn what_is_just_within_the_limits_is_taken_and_kept() {
    let client = live().await;
    let mut labelled = event("labelled");
    labelled.resource = with_labels(500);
    let allowed = [
        of_size(1_499_900),
        event(&"é".repeat(1024)),
        labelled,
        event("related").related((0..100).map(|number| related(&format!("r-{number}")))),
    ];
    for event in &allowed {
        client.events().emit(event.clone()).await.expect("taken");
    }
    stored(&client, &allowed.map(|event| event.id)).await;
}

#[tokio::test]
async fn what_the_server_would_refuse_or_drop_is_refused_before_anything_is_sent() {
    let server = Scripted::start([taken()]).await;
    let client = server.client();
    let emitter = client.events().emitter().start().expect("an emitter");
    let about = |resource| Event::new(Utc::now(), "test", resource, Uuid::new_v4());
    let related_to = |resource: Resource| event("test").related([resource]);
    let at = |time| Event::new(time, "test", related("x"), Uuid::new_v4());
    for (bad, says) in [
        (event(""), "no name"),
        (event(&"é".repeat(1025)), "1025 characters"),
        (about(Resource::new()), "has no `prefect.resource.id`"),
        (
            about(labels([("prefect.resource.id", "")])),
            "has no `prefect.resource.id`",
        ),
        (about(with_labels(501)), "501 labels"),
        (
            event("test").related((0..101).map(|_| related("x"))),
            "101 related",
        ),
        (
            related_to(labels([("prefect.resource.role", "r")])),
            "no `prefect.resource.id`",
        ),
        (
            related_to(labels([("prefect.resource.id", "x")])),
            "no `prefect.resource.role`",
        ),
        (related_to(with_labels(501)), "501 labels"),
        (event("test").payload(json!([1])), "no JSON object"),
        (event("test").payload(Json::null()), "no JSON object"),
        (at(DateTime::<Utc>::MAX_UTC), "years 1 to 9999"),
        (at(DateTime::<Utc>::MIN_UTC), "years 1 to 9999"),
        (of_size(1_499_901), "too large: its JSON has 1499901 bytes"),
        (of_size(3_000_000), "too large"),
    ] {
        let refusals = [
            client.events().emit(bad.clone()).await.map(drop),
            emitter.emit(bad.clone()),
            emitter.send(bad).await,
        ];
        for refused in refusals {
            let error = refused.expect_err(says);
            assert!(error.is_invalid_request(), "{error}");
            assert!(error.to_string().contains(says), "{says}: {error}");
            assert!(!error.may_have_happened() && error.attempts() == 0);
        }
    }
    let stats = emitter.close().await;
    assert_eq!((stats.confirmed, stats.failed, stats.dropped), (0, 0, 0));
    assert!(server.requests().is_empty());
}

#[test]
fn no_order_is_claimed_of_events_that_are_five_minutes_apart() {
    let first = event("first");
    let then = |seconds| {
        let mut then = event("then");
        then.occurred = first.occurred + TimeDelta::seconds(seconds);
        *then.following(&first).follows
    };
    for (seconds, follows) in [
        (0, true),
        (299, true),
        (-299, true),
        (300, false),
        (-300, false),
    ] {
        assert_eq!(then(seconds), follows.then_some(first.id), "{seconds}");
    }
}
