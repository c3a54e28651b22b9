//! Emitting events: what is taken, refused, dropped, repeated and told.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use prefect_sdk::types::{
    Event, EventFilter, EventNameFilter, Json, ReadEventsRequest, ReceivedEvent, Resource,
};
use prefect_sdk::{Client, Emitter, Error, ErrorKind, LocalServer, RetryPolicy, WhenFull};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::http::Message;
use crate::support::{
    FakeClock, FastClock, Fault, FaultProxy, Log, Scripted, Step, live, refusal, reply, unique,
};

const LONG: Duration = Duration::from_secs(60);

/// What a server answers that takes events.
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

/// An event of so many bytes of JSON.
fn of_size(bytes: usize) -> Event {
    let event = event("large").payload(json!({ "text": "" }));
    let rest = bytes - serde_json::to_string(&event).expect("JSON").len();
    event.payload(json!({ "text": "x".repeat(rest) }))
}

/// A resource with so many labels.
fn with_labels(count: usize) -> Resource {
    let more = (2..count).map(|number| (format!("label-{number}"), "x".to_owned()));
    related("labelled").into_iter().chain(more).collect()
}

/// A client for which time passes as it does.
fn in_real_time(server: &Scripted) -> Client {
    let builder = server.builder().clock(FastClock::new(1));
    let retry = RetryPolicy::default().base_delay(Duration::from_millis(1));
    builder.retry(retry).build().expect("a client")
}

/// An emitter that sends nothing before it is flushed, or a batch is full.
fn patient(client: &Client) -> Emitter {
    let emitter = client.events().emitter().linger(LONG);
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

/// Waits until the server has stored these, and returns what it has of them.
async fn stored(client: &Client, ids: &[Uuid]) -> Vec<ReceivedEvent> {
    let start = Instant::now();
    loop {
        let mut query = client.events().list();
        for id in ids {
            query = query.id(*id);
        }
        let events = query.await.expect("listed");
        if events.len() >= ids.len() {
            return events;
        }
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "{} of {} are stored",
            events.len(),
            ids.len()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What `on_failure` was told: ids and the status, for each time.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Failure>>>);

/// Which events failed, and by which status.
type Failure = (Vec<Uuid>, Option<u16>);

type OnFailure = Box<dyn Fn(Vec<Event>, &Error) + Send + Sync>;

impl Told {
    fn note(&self) -> OnFailure {
        let told = self.clone();
        Box::new(move |events, error| {
            let ids = events.iter().map(|event| event.id).collect();
            let status = error.status().map(|status| status.as_u16());
            told.0.lock().expect("not poisoned").push((ids, status));
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
    // Once more does nothing.
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

#[tokio::test]
async fn a_full_queue_drops_what_is_new_counts_it_and_blocks_nobody() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let warnings = || log.text().matches("events are dropped").count();

    let server = Scripted::start([Step::Hang]).await;
    let emitter = server.client().events().emitter().capacity(5).start();
    let emitter = emitter.expect("an emitter");
    let start = Instant::now();
    for event in events(8) {
        emitter.emit(event).expect("no error");
    }
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    let stats = emitter.stats();
    assert_eq!((stats.queued, stats.dropped, stats.confirmed), (5, 3, 0));
    assert_eq!(warnings(), 1, "{}", log.text());

    // It is told once, and again when it begins anew.
    let server = Scripted::start([taken()]).await;
    let emitter = in_real_time(&server).events().emitter().capacity(2);
    let emitter = emitter.linger(LONG).start().expect("an emitter");
    for round in 1..=2 {
        for event in events(4) {
            emitter.emit(event).expect("no error");
        }
        assert_eq!(emitter.stats().dropped, 2 * round);
        assert_eq!(warnings(), 1 + round as usize, "{}", log.text());
        assert_eq!(emitter.flush().await.expect("sent").confirmed, 2);
    }
    assert_eq!(sizes(&server), [2, 2]);
}

#[tokio::test]
async fn a_full_queue_refuses_what_is_new_if_it_is_told_to() {
    let server = Scripted::start([Step::Hang]).await;
    let emitter = server.client().events().emitter().capacity(1);
    let emitter = emitter.when_full(WhenFull::Refuse).start();
    let emitter = emitter.expect("an emitter");
    emitter.emit(event("test")).expect("queued");
    let error = emitter.emit(event("test")).expect_err("it is full");
    assert_eq!(error.kind(), ErrorKind::RateLimited, "{error}");
    assert!(error.is_retryable() && !error.may_have_happened());
    let stats = emitter.stats();
    assert_eq!((stats.queued, stats.dropped), (1, 0));
}

#[tokio::test]
async fn who_sends_waits_for_room() {
    let server = Scripted::start([taken()]).await;
    let emitter = server.client().events().emitter().capacity(1).start();
    let emitter = emitter.expect("an emitter");
    for event in events(5) {
        emitter.send(event).await.expect("queued");
    }
    assert_eq!(emitter.close().await.confirmed, 5);
    assert_eq!(sizes(&server), [1; 5]);

    let server = Scripted::start([Step::Hang]).await;
    let emitter = server.client().events().emitter().capacity(1).start();
    let emitter = emitter.expect("an emitter");
    emitter.send(event("test")).await.expect("queued");
    let soon = Duration::from_millis(200);
    let waiting = tokio::time::timeout(soon, emitter.send(event("test"))).await;
    waiting.expect_err("there is no room");
    let stats = emitter.stats();
    assert_eq!((stats.queued, stats.dropped), (1, 0));

    // When it is closed there will never be room.
    let clone = emitter.clone();
    let waiting = tokio::spawn(async move { clone.send(event("test")).await });
    tokio::time::sleep(soon).await;
    let closing = tokio::time::timeout(soon, emitter.close()).await;
    closing.expect_err("the first is still being sent");
    let error = waiting.await.expect("no panic").expect_err("closed");
    assert!(error.to_string().contains("closed"), "{error}");
}

#[tokio::test]
async fn a_flush_waits_for_what_was_queued_before_and_tells_what_became_of_it() {
    let server = Scripted::start([taken()]).await;
    let emitter = patient(&in_real_time(&server));
    let events = events(5);
    for event in events.clone() {
        emitter.emit(event).expect("queued");
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(server.requests().is_empty(), "it waits for more");
    assert_eq!(emitter.stats().queued, 5);
    let delivered = emitter.flush().await.expect("sent");
    assert_eq!((delivered.confirmed, delivered.failed), (5, 0));
    let ids: Vec<_> = events.iter().map(|event| event.id.to_string()).collect();
    assert_eq!(batches(&server), [ids], "in their order");

    let again = emitter.flush().await.expect("nothing to send");
    assert_eq!((again.confirmed, again.failed), (0, 0));
    let stats = emitter.stats();
    assert_eq!((stats.queued, stats.confirmed), (0, 5));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn events_are_sent_together_if_they_come_together() {
    // Those of a moment.
    let server = Scripted::start([taken()]).await;
    let emitter = in_real_time(&server).events().emitter();
    let emitter = emitter.linger(Duration::from_millis(500)).start();
    let emitter = emitter.expect("an emitter");
    for event in events(3) {
        emitter.emit(event).expect("queued");
    }
    let start = Instant::now();
    while emitter.stats().confirmed < 3 {
        assert!(start.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(sizes(&server), [3]);

    // As many as were asked for.
    let server = Scripted::start([taken()]).await;
    let emitter = in_real_time(&server).events().emitter();
    let emitter = emitter.linger(LONG).batch(2).start().expect("an emitter");
    for event in events(5) {
        emitter.emit(event).expect("queued");
    }
    emitter.flush().await.expect("sent");
    assert_eq!(sizes(&server), [2, 2, 1]);

    // Never more than 200, nor more than 4 MB.
    let server = Scripted::start([taken()]).await;
    let emitter = in_real_time(&server).events().emitter();
    let emitter = emitter.linger(LONG).batch(1000).start();
    let emitter = emitter.expect("an emitter");
    for event in events(201) {
        emitter.emit(event).expect("queued");
    }
    emitter.flush().await.expect("sent");
    for _ in 0..4 {
        emitter.emit(of_size(1_400_000)).expect("queued");
    }
    emitter.flush().await.expect("sent");
    assert_eq!(sizes(&server), [200, 1, 2, 2]);
}

#[tokio::test]
async fn no_more_events_are_sent_a_second_than_it_is_told() {
    let server = Scripted::start([taken()]).await;
    let clock = FakeClock::default();
    let client = server.builder().clock(clock.clone()).build();
    let client = client.expect("a client");
    let emitter = client.events().emitter().linger(Duration::ZERO).rate(100);
    let emitter = emitter.start().expect("an emitter");
    for event in events(5000) {
        emitter.emit(event).expect("queued");
    }
    assert_eq!(emitter.close().await.confirmed, 5000);
    // 4000 at once, and then 100 a second.
    let waited: f64 = clock.waits().iter().sum();
    assert!((waited - 10.0).abs() < 0.01, "{waited}");
}

#[tokio::test]
async fn closing_sends_what_is_queued_and_ends_all_clones() {
    let server = Scripted::start([taken()]).await;
    let emitter = patient(&in_real_time(&server));
    let clone = emitter.clone();
    for event in events(3) {
        clone.emit(event).expect("queued");
    }
    let stats = emitter.close().await;
    assert_eq!((stats.queued, stats.confirmed), (0, 3));
    for refused in [clone.emit(event("test")), clone.send(event("test")).await] {
        let error = refused.expect_err("closed");
        assert!(error.is_invalid_request(), "{error}");
        assert!(error.to_string().contains("closed"), "{error}");
    }
    assert_eq!(clone.close().await, stats);
    assert_eq!(sizes(&server), [3]);
}

#[tokio::test]
async fn what_is_queued_when_the_last_clone_is_dropped_is_still_sent() {
    let server = Scripted::start([taken()]).await;
    let client = in_real_time(&server);
    let emitter = patient(&client);
    drop(client);
    for event in events(3) {
        emitter.clone().emit(event).expect("queued");
    }
    drop(emitter);
    let start = Instant::now();
    while server.requests().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(sizes(&server), [3]);
}

#[tokio::test]
async fn events_are_sent_while_all_threads_of_the_program_are_busy() {
    let client = live().await;
    let emitter = client.events().emitter().start().expect("an emitter");
    emitter.emit(event(&unique("busy"))).expect("queued");
    // The only thread of this test's runtime does nothing else.
    let start = Instant::now();
    while emitter.stats().confirmed == 0 {
        assert!(start.elapsed() < LONG, "{:?}", emitter.stats());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_counted_and_given_back() {
    let server = Scripted::start([refusal(503)]).await;
    let client = in_real_time(&server);
    // As the policy says of the client that it is made of.
    for (client, attempts) in [(client.with_retry(RetryPolicy::none()), 1), (client, 1 + 6)] {
        let told = Told::default();
        let emitter = client.events().emitter().linger(LONG);
        let emitter = emitter.on_failure(told.note()).start();
        let emitter = emitter.expect("an emitter");
        let events = events(2);
        for event in events.clone() {
            emitter.emit(event).expect("queued");
        }
        let delivered = emitter.flush().await.expect("given up");
        assert_eq!((delivered.confirmed, delivered.failed), (0, 2));
        let ids: Vec<_> = events.iter().map(|event| event.id).collect();
        assert_eq!(told.all(), [(ids, Some(503))]);
        assert_eq!(server.requests().len(), attempts);
        let stats = emitter.close().await;
        assert_eq!((stats.queued, stats.failed), (0, 2));
    }
}

#[tokio::test]
async fn a_panic_of_who_is_told_does_not_end_the_sending() {
    let server = Scripted::start([refusal(503), taken()]).await;
    let client = server.client().with_retry(RetryPolicy::none());
    let emitter = client.events().emitter();
    let emitter = emitter.on_failure(|_, error| panic!("as it is tested: {error}"));
    let emitter = emitter.start().expect("an emitter");
    emitter.emit(event("test")).expect("queued");
    assert_eq!(emitter.flush().await.expect("given up").failed, 1);
    emitter.emit(event("test")).expect("queued");
    assert_eq!(emitter.flush().await.expect("sent").confirmed, 1);
}

#[tokio::test]
async fn nobody_waits_for_ever_when_an_observer_panics() {
    let server = Scripted::start([taken()]).await;
    let builder = server.builder().observer(|_| panic!("as it is tested"));
    let client = builder.build().expect("a client");
    let emitter = client.events().emitter().capacity(1).start();
    let emitter = emitter.expect("an emitter");
    emitter.emit(event("test")).expect("queued");
    emitter.flush().await.expect_err("there is nobody");
    assert!(emitter.send(event("test")).await.is_err());
    let stats = emitter.close().await;
    assert_eq!((stats.queued, stats.failed), (0, 1));
}

/// The server refuses a batch as a whole (422), or stops in the midst of it (500).
#[tokio::test]
async fn one_bad_event_does_not_make_the_others_of_its_batch_fail() {
    let client = live().await;
    let told = Told::default();
    let emitter = client.events().emitter().linger(LONG);
    let emitter = emitter.on_failure(told.note()).start();
    let emitter = emitter.expect("an emitter");
    let name = unique("batch");
    let good = || event(&name);
    // A second member of the same name counts.
    let mut refused = event(&name);
    refused.extra.insert("id".to_owned(), Json::from("none"));
    // Half a character, which Python reads and cannot write.
    let half = Json::from_text(r#"{"text":"\ud800"}"#).expect("JSON");
    let poison = event(&name).payload(half);
    let (one, two, three, four) = (good(), good(), good(), good());

    for event in [&one, &refused, &poison, &two] {
        emitter.emit(event.clone()).expect("queued");
    }
    let delivered = emitter.flush().await.expect("sent");
    assert_eq!((delivered.confirmed, delivered.failed), (2, 2));
    let failures = [(vec![refused.id], Some(422)), (vec![poison.id], Some(500))];
    assert_eq!(told.all(), failures);

    for event in [&three, &poison, &four] {
        emitter.emit(event.clone()).expect("queued");
    }
    let delivered = emitter.flush().await.expect("sent");
    assert_eq!((delivered.confirmed, delivered.failed), (2, 1));

    let ids = [one.id, two.id, three.id, four.id];
    let found = stored(&client, &ids).await;
    let found: BTreeSet<_> = found.iter().map(|event| event.id).collect();
    assert_eq!(found, BTreeSet::from(ids));
}

#[tokio::test]
async fn events_that_are_sent_one_by_one_are_given_up_together_for_what_is_about_none_of_them() {
    let bad = reply(422, json!({"detail": "bad"}));
    let unauthorized = reply(401, json!({"detail": "no"}));
    let server = Scripted::start([bad, taken(), unauthorized]).await;
    let told = Told::default();
    let emitter = in_real_time(&server).events().emitter().linger(LONG);
    let emitter = emitter.on_failure(told.note()).start();
    let emitter = emitter.expect("an emitter");
    let events = events(4);
    for event in events.clone() {
        emitter.emit(event).expect("queued");
    }
    let delivered = emitter.flush().await.expect("given up");
    assert_eq!((delivered.confirmed, delivered.failed), (1, 3));
    let rest: Vec<_> = events[1..].iter().map(|event| event.id).collect();
    assert_eq!(told.all(), [(rest, Some(401))]);
    assert_eq!(sizes(&server), [4, 1, 1]);
}

#[tokio::test]
async fn a_lost_reply_doubles_nothing() {
    let client = live().await;
    let proxy = FaultProxy::losing_one_reply(client.api_url(), "POST", "/events").await;
    let through = proxy.builder().build().expect("a client");
    let emitter = patient(&through);
    let events = events(3);
    for event in events.clone() {
        emitter.emit(event).expect("queued");
    }
    let stats = emitter.close().await;
    assert_eq!((stats.confirmed, stats.failed), (3, 0));
    assert!(proxy.delivered().len() >= 2, "it was sent again");
    let ids: Vec<_> = events.iter().map(|event| event.id).collect();
    stored(&client, &ids).await;
    // The server stores what it has within 5 s.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(stored(&client, &ids).await.len(), 3);
}

const MANY: usize = 10_000;

/// Spoils every fifth request by chance.
fn spoiling(spoilt: Arc<AtomicUsize>) -> impl FnMut(&Message) -> Fault + Send {
    let mut rng = Rng::with_seed(66);
    move |_| {
        if rng.f64() >= 0.2 {
            return Fault::None;
        }
        spoilt.fetch_add(1, Ordering::Relaxed);
        match rng.u8(..10) {
            0 => Fault::Refuse,
            1 => Fault::ResetBefore,
            2 | 3 => Fault::ResetAfter,
            4 | 5 => Fault::HalfReply,
            6 => Fault::Delay(Duration::from_millis(rng.u64(1..50))),
            7 => Fault::Answer(reply(429, json!({})).header("retry-after", "0.02")),
            8 => Fault::Answer(refusal(503)),
            // A gateway's.
            _ => Fault::Answer(reply(503, json!({"message": "no upstream"}))),
        }
    }
}

#[tokio::test]
async fn ten_thousand_events_are_stored_once_each_though_every_fifth_request_is_spoilt() {
    // A server of its own: it has room for 10,000 events, from all who send.
    let server = LocalServer::start().await.expect("a server");
    let direct = server.client().expect("a client");
    let spoilt = Arc::new(AtomicUsize::new(0));
    let proxy = FaultProxy::start(direct.api_url(), spoiling(Arc::clone(&spoilt))).await;
    let client = proxy.builder().build().expect("a client");
    let told = Told::default();
    // Small batches, for more requests to spoil; and as fast as the server stores them.
    let emitter = client.events().emitter().batch(50).rate(500);
    let emitter = emitter.on_failure(told.note()).start();
    let emitter = emitter.expect("an emitter");

    let name = unique("many");
    let start = Utc::now() - TimeDelta::seconds(MANY as i64);
    let mut emitted = BTreeSet::new();
    for number in 0..MANY {
        let mut event = event(&name);
        // The order of events of one time is not certain, and they are read page by page.
        event.occurred = start + TimeDelta::milliseconds(number as i64);
        emitted.insert(event.id);
        emitter.emit(event).expect("queued");
    }
    let stats = emitter.close().await;
    let spoilt = spoilt.load(Ordering::Relaxed);
    println!("{spoilt} requests spoilt; {stats:?}");
    assert!(spoilt > 20, "{spoilt}");
    assert_eq!((stats.queued, stats.dropped), (0, 0));
    assert_eq!(stats.confirmed + stats.failed, MANY as u64);
    let failed: BTreeSet<_> = told.all().into_iter().flat_map(|(ids, _)| ids).collect();
    assert_eq!(stats.failed, failed.len() as u64);

    let rows = until_stored(&direct, &name, stats.confirmed as i64).await;
    let listed = direct.events().list().name(name.as_str()).await;
    let listed: Vec<_> = listed.expect("listed").iter().map(|it| it.id).collect();
    let found: BTreeSet<_> = listed.iter().copied().collect();
    assert_eq!(
        (listed.len(), rows),
        (found.len(), found.len() as i64),
        "each once"
    );
    assert!(found.is_subset(&emitted), "and nothing else");
    // What failed may have been taken all the same.
    let lost: Vec<_> = emitted.difference(&found).collect();
    assert!(lost.iter().all(|id| failed.contains(id)), "{lost:?}");
    server.stop().await.expect("it stops");
}

/// Waits until the server has stored so many events of a name, and no more come; tells how many it has.
async fn until_stored(client: &Client, name: &str, least: i64) -> i64 {
    let named = EventNameFilter::new().name([name]);
    let request = ReadEventsRequest::new().filter(EventFilter::new().event(named));
    let request = request.limit(1);
    let (start, mut before) = (Instant::now(), -1);
    loop {
        let page = client.raw().read_events(&request).await.expect("read");
        let rows = page.into_inner().total;
        if rows >= least && rows == before {
            return rows;
        }
        before = rows;
        assert!(start.elapsed() < LONG, "{rows} of {least} are stored");
        // The server stores what it has within 5 s.
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
}
