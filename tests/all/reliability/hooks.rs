//! A panic in a hook of the program is an error, and not the end of what was watched.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prefect_sdk::Client;

use crate::support::{a_flow, a_run, live, live_builder};

const MINUTE: Duration = Duration::from_secs(60);

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
    let (client, panics) = panicking_at("read_events").await;
    let subscription = client.events().subscribe().prefix("no.event.has.this.name");
    let mut subscription = subscription.start().await.expect("started");
    panics.store(true, Ordering::SeqCst);
    let update = tokio::time::timeout(MINUTE, subscription.next()).await;
    let update = update.expect("in time").expect("not the end of all events");
    let error = update.expect_err("there is no event");
    assert!(error.to_string().contains("a hook panicked"), "{error}");
}
