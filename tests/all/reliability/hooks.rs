//! Hooks of the program that panic, or block the thread that calls them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use prefect_sdk::events::EmitterBuilder;
use prefect_sdk::types::Event;
use prefect_sdk::{Client, ClientBuilder, reqwest};
use serde_json::json;
use tokio::sync::Notify;
use uuid::Uuid;
use wiremock::matchers::path_regex;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{FastClock, a_flow, a_run, live, live_builder, plain};

const MINUTE: Duration = Duration::from_secs(60);

/// How much faster than real time the clock of a client runs.
const FACTOR: u32 = 10;

/// A client whose observer panics at this operation, once it is told to.
async fn panicking_at(operation: &'static str) -> (Client, Arc<AtomicBool>) {
    let panics = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&panics);
    let builder = live_builder().await.observer(move |attempt| {
        if attempt.operation() == operation && told.load(Ordering::SeqCst) {
            panic!("a hook of the test");
        }
    });
    (builder.build().expect("a client"), panics)
}

#[tokio::test]
async fn a_watch_ends_with_an_error() {
    let server = live().await;
    let run = a_run(&server, a_flow(&server).await, |run| run).await;
    let (client, panics) = panicking_at("read_logs").await;
    panics.store(true, Ordering::SeqCst);
    let mut updates = client.flow_runs().watch(run);
    loop {
        let update = tokio::time::timeout(MINUTE, updates.next()).await;
        match update.expect("in time").expect("not the end of the run") {
            Ok(_) => {}
            Err(error) => return assert!(error.to_string().contains("a hook panicked"), "{error}"),
        }
    }
}

#[tokio::test]
async fn a_subscription_ends_with_an_error() {
    let (client, panics) = panicking_at("count_account_events").await;
    let subscription = client.events().subscribe().prefix("no.event.has.this.name");
    let mut subscription = subscription.start().await.expect("started");
    panics.store(true, Ordering::SeqCst);
    let update = tokio::time::timeout(MINUTE, subscription.next()).await;
    let update = update.expect("in time").expect("not the end of all events");
    let error = update.expect_err("there is no event");
    assert!(error.to_string().contains("a hook panicked"), "{error}");
}

/// Code of the program's that blocks the thread that calls it, until it is released.
#[derive(Clone, Default)]
struct Blocking {
    released: Arc<(Mutex<bool>, Condvar)>,
    reached: Arc<Notify>,
}

impl Blocking {
    fn block(&self) {
        self.reached.notify_one();
        let (released, changed) = &*self.released;
        let released = released.lock().expect("not poisoned");
        let released = changed.wait_while(released, |released| !*released);
        drop(released.expect("not poisoned"));
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        *self.released.0.lock().expect("not poisoned") = true;
        self.released.1.notify_all();
    }
}

/// A server that grants and renews leases, and refuses events.
async fn a_server() -> MockServer {
    let server = MockServer::start().await;
    let granted = json!({"lease_id": Uuid::new_v4(),
                         "limits": [{"id": Uuid::new_v4(), "name": "a", "limit": 1}]});
    for (path, reply) in [
        (
            "increment-with-lease$",
            ResponseTemplate::new(200).set_body_json(granted),
        ),
        ("renew$", ResponseTemplate::new(204)),
        ("decrement-with-lease$", ResponseTemplate::new(204)),
        ("/events$", ResponseTemplate::new(422)),
    ] {
        let mock = Mock::given(path_regex(path)).respond_with(reply);
        mock.mount(&server).await;
    }
    server
}

/// The lease lasts 60 s of a clock that runs ten times as fast: it is renewed, or lost, within six seconds.
async fn a_lease_is_kept_while(blocking: &Blocking, emitter: EmitterBuilder, client: Client) {
    let slot = client.concurrency("a").lease(MINUTE).acquire().await;
    let slot = slot.expect("acquired");
    let emitter = emitter.start().expect("started");
    let order = [("prefect.resource.id".to_owned(), "order".to_owned())];
    let event = Event::new(chrono::Utc::now(), "paid", order, Uuid::new_v4());
    emitter.emit(event).expect("queued");
    let reached = tokio::time::timeout(MINUTE, blocking.reached.notified());
    reached.await.expect("the program blocks");
    let lost = tokio::time::timeout(3 * MINUTE / FACTOR, slot.lost()).await;
    lost.expect_err("it is renewed");
    slot.release().await.expect("still held");
}

fn builder(server: &MockServer) -> ClientBuilder {
    plain(&format!("{}/api", server.uri())).clock(FastClock::new(FACTOR))
}

#[tokio::test]
async fn a_lease_is_renewed_while_a_callback_blocks() {
    let (server, blocking) = (a_server().await, Blocking::default());
    let client = builder(&server).build().expect("a client");
    let called = blocking.clone();
    let emitter = client
        .events()
        .emitter()
        .on_failure(move |_, _| called.block());
    a_lease_is_kept_while(&blocking, emitter, client.clone()).await;
}

#[tokio::test]
async fn a_lease_is_renewed_while_an_observer_blocks() {
    let (server, blocking) = (a_server().await, Blocking::default());
    let called = blocking.clone();
    let client = builder(&server).observer(move |attempt| {
        if attempt.operation() == "create_events" {
            called.block();
        }
    });
    let client = client.build().expect("a client");
    a_lease_is_kept_while(&blocking, client.events().emitter(), client.clone()).await;
}

#[tokio::test]
async fn a_lease_is_renewed_while_an_interceptor_blocks() {
    let (server, blocking) = (a_server().await, Blocking::default());
    let called = blocking.clone();
    let client = builder(&server).interceptor(move |request: &mut reqwest::Request| {
        if request.url().path().ends_with("/events") {
            called.block();
        }
        Ok::<_, prefect_sdk::Error>(())
    });
    let client = client.build().expect("a client");
    a_lease_is_kept_while(&blocking, client.events().emitter(), client.clone()).await;
}
