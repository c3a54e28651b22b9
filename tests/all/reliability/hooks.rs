//! Hooks of the program that panic, or block the thread that calls them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use prefect_sdk::events::EmitterBuilder;
use prefect_sdk::testing::{TestServer, op};
use prefect_sdk::types::{ConcurrencyLimitV2Create, Event};
use prefect_sdk::{Client, reqwest};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::support::{BUSY_TIMEOUT, a_flow, a_run, live, live_builder};

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
        let update = tokio::time::timeout(BUSY_TIMEOUT, updates.next()).await;
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
    let update = tokio::time::timeout(BUSY_TIMEOUT, subscription.next()).await;
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

/// A server with a limit `a` that refuses events. Its clock stands still: no machine is too slow to renew a lease in time.
async fn a_server() -> TestServer {
    let kit = TestServer::builder().paused().start();
    let client = kit.client();
    let limit = ConcurrencyLimitV2Create::new("a", 1);
    let limit = client.global_concurrency_limits().create(&limit).await;
    limit.expect("a limit");
    let _refused = kit.on(op::create_events).status(422);
    kit
}

/// The lease lasts 60 s, and so it is renewed several times, or lost, within three minutes.
async fn a_lease_is_kept_while(
    kit: &TestServer,
    blocking: &Blocking,
    emitter: EmitterBuilder,
    client: Client,
) {
    let limit = client.concurrency("a").lease(Duration::from_secs(60));
    let slot = limit.acquire().await.expect("acquired");
    let emitter = emitter.start().expect("started");
    let order = [("prefect.resource.id".to_owned(), "order".to_owned())];
    let event = Event::new(chrono::Utc::now(), "paid", order, Uuid::new_v4());
    emitter.emit(event).expect("queued");
    kit.skip_waits(blocking.reached.notified()).await;
    let end = kit.now() + TimeDelta::minutes(3);
    let is_over = |kit: &TestServer| (slot.is_lost() || kit.now() >= end).then_some(());
    let over = tokio::time::timeout(BUSY_TIMEOUT, kit.skip_waits(kit.until(is_over))).await;
    over.expect("what is due is done");
    assert!(!slot.is_lost(), "it is renewed");
    slot.release().await.expect("still held");
}

#[tokio::test]
async fn a_lease_is_renewed_while_a_callback_blocks() {
    let (kit, blocking) = (a_server().await, Blocking::default());
    let client = kit.client();
    let called = blocking.clone();
    let emitter = client
        .events()
        .emitter()
        .on_failure(move |_, _| called.block());
    a_lease_is_kept_while(&kit, &blocking, emitter, client.clone()).await;
}

#[tokio::test]
async fn a_lease_is_renewed_while_an_observer_blocks() {
    let (kit, blocking) = (a_server().await, Blocking::default());
    let called = blocking.clone();
    let client = kit.client_builder().observer(move |attempt| {
        if attempt.operation() == "create_events" {
            called.block();
        }
    });
    let client = client.build().expect("a client");
    a_lease_is_kept_while(&kit, &blocking, client.events().emitter(), client.clone()).await;
}

#[tokio::test]
async fn a_lease_is_renewed_while_an_interceptor_blocks() {
    let (kit, blocking) = (a_server().await, Blocking::default());
    let called = blocking.clone();
    let interceptor = move |request: &mut reqwest::Request| {
        if request.url().path().ends_with("/events") {
            called.block();
        }
        Ok::<_, prefect_sdk::Error>(())
    };
    let client = kit.client_builder().interceptor(interceptor).build();
    let client = client.expect("a client");
    a_lease_is_kept_while(&kit, &blocking, client.events().emitter(), client.clone()).await;
}
