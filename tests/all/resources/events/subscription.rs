//! Live events, from a real server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use prefect_sdk::types::{Event, EventFilter, EventNameFilter};
use prefect_sdk::{
    Client, ClientBuilder, ErrorKind, LocalServer,
    events::{EventUpdate, Subscription},
    reqwest,
};
use serde_json::json;
use uuid::Uuid;

use crate::support::{SocketMode, WebSocketProxy, in_time, live, live_builder, unique};

/// A client that cannot read the events that were stored, once it is told so: what it receives comes over the socket.
pub fn without_stored_events(builder: ClientBuilder) -> (Client, Arc<AtomicBool>) {
    let live_only = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&live_only);
    let builder = builder.interceptor(move |request: &mut reqwest::Request| {
        let path = request.url().path();
        let reads = path.ends_with("/events/filter") || path.ends_with("/events/count-by/time");
        match reads && told.load(Ordering::SeqCst) {
            true => Err("not in this test"),
            false => Ok(()),
        }
    });
    (builder.build().expect("a client"), live_only)
}

/// Emits events until one has come, which only those do that are emitted after the socket was opened.
pub async fn is_live(emitter: &Client, events: &mut Subscription, name: &str) {
    for number in 0..600 {
        emit(emitter, name, number..number + 1).await;
        let next = tokio::time::timeout(Duration::from_millis(200), events.next()).await;
        match next.map(|received| received.expect("goes on").expect("no error")) {
            Ok(EventUpdate::Event(event)) => return assert_eq!(event.event, name),
            Ok(other) => panic!("{other:?}"),
            Err(_) => {}
        }
    }
    panic!("no event has come over the socket");
}

fn an_event(name: &str, number: usize) -> Event {
    let event = json!({
        "occurred": Utc::now(), "event": name, "id": Uuid::new_v4(),
        "resource": {"prefect.resource.id": format!("test.{number}")},
    });
    serde_json::from_value(event).expect("an event")
}

async fn emit(client: &Client, name: &str, numbers: std::ops::Range<usize>) {
    let events = numbers.map(|number| an_event(name, number));
    client.events().create(events).await.expect("recorded");
}

pub async fn subscribe(client: &Client, name: &str) -> Subscription {
    let subscription = client.events().subscribe().name(name).start().await;
    let subscription = subscription.expect("begun");
    // The socket is opened in the background.
    tokio::time::sleep(Duration::from_millis(700)).await;
    subscription
}

/// Reads until `many` different numbers have come, and for 3 s more. Returns how often each came, and the number of gaps.
async fn numbers(events: &mut Subscription, many: usize) -> (BTreeMap<String, usize>, usize) {
    let (mut seen, mut gaps) = (BTreeMap::new(), 0);
    let mut until: Option<Instant> = None;
    loop {
        let received = match until {
            None => in_time("an event", events.next()).await,
            Some(until) => match tokio::time::timeout_at(until.into(), events.next()).await {
                Ok(received) => received,
                Err(_) => return (seen, gaps),
            },
        };
        match received.expect("it goes on").expect("no error") {
            EventUpdate::Event(event) => {
                let number = event.resource["prefect.resource.id"].clone();
                *seen.entry(number).or_default() += 1;
            }
            EventUpdate::Gap(_) => gaps += 1,
            other => panic!("{other:?}"),
        }
        if seen.len() >= many && until.is_none() {
            until = Some(Instant::now() + Duration::from_secs(3));
        }
    }
}

fn assert_each_once(seen: &BTreeMap<String, usize>, many: usize) {
    assert_eq!(seen.len(), many, "{seen:?}");
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
}

#[tokio::test]
async fn events_come_as_they_happen_and_only_those_that_were_asked_for() {
    let emitter = live().await;
    let name = unique("heard");
    let (client, live_only) = without_stored_events(live_builder().await);
    let mut events = subscribe(&client, &name).await;
    live_only.store(true, Ordering::SeqCst);
    emit(&emitter, &unique("unheard"), 0..3).await;
    is_live(&emitter, &mut events, &name).await;
}

/// The server sends 256 of the events, and silently drops the rest.
#[tokio::test]
async fn a_burst_comes_as_a_whole() {
    let client = live().await;
    let name = unique("burst");
    let mut events = subscribe(&client, &name).await;
    emit(&client, &name, 0..1000).await;
    let (seen, _) = numbers(&mut events, 1000).await;
    assert_each_once(&seen, 1000);
}

#[tokio::test]
async fn a_socket_that_is_cut_every_second_loses_nothing_and_says_so() {
    let client = live().await;
    for mode in [
        SocketMode::Lives(Duration::from_secs(1)),
        SocketMode::ClosesCleanly(Duration::from_secs(1)),
    ] {
        let websocket_proxy = WebSocketProxy::start(client.api_url(), mode).await;
        let name = unique("cut");
        let mut events = subscribe(&websocket_proxy.client(), &name).await;
        for number in 0..50 {
            emit(&client, &name, number..number + 1).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let (seen, mut gaps) = numbers(&mut events, 50).await;
        assert_each_once(&seen, 50);
        // On a slow machine, the first sockets may have been opened only now, or be cut before that.
        while gaps == 0 || websocket_proxy.sockets() <= 2 {
            let update = in_time("a gap", events.next()).await;
            match update.expect("it goes on").expect("no error") {
                EventUpdate::Gap(_) => gaps += 1,
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn without_sockets_what_is_stored_is_read() {
    let client = live().await;
    let websocket_proxy = WebSocketProxy::start(client.api_url(), SocketMode::Refused).await;
    let name = unique("stored");
    let mut events = subscribe(&websocket_proxy.client(), &name).await;
    emit(&client, &name, 0..10).await;
    let (seen, _) = numbers(&mut events, 10).await;
    assert_each_once(&seen, 10);
}

#[tokio::test]
async fn what_has_happened_since_a_time_comes_first() {
    let client = live().await;
    let (name, since) = (unique("since"), Utc::now() - chrono::Duration::minutes(1));
    emit(&client, &name, 0..70).await;
    let names = EventNameFilter::new().name(vec![name.clone()]);
    let subscription = client
        .events()
        .subscribe()
        .filter(EventFilter::new().event(names));
    let mut events = subscription.since(since).start().await.expect("begun");
    let (seen, _) = numbers(&mut events, 70).await;
    assert_each_once(&seen, 70);
}

/// The server refuses by a message or by closing the socket.
#[tokio::test]
async fn refused_credentials_end_it_with_the_reason() {
    let client = live().await;
    for mode in [SocketMode::Denied, SocketMode::DeniedByClosing] {
        let websocket_proxy = WebSocketProxy::start(client.api_url(), mode).await;
        let mut events = subscribe(&websocket_proxy.client(), "any").await;
        let error = events.next().await.expect("an error").expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{mode:?}");
        assert!(error.to_string().contains("not today"), "{error}");
        assert!(events.next().await.is_none());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(websocket_proxy.sockets(), 1, "it is not tried again");
    }
}

/// The socket requires the password in plain text.
#[tokio::test]
async fn a_server_with_a_password_lets_us_listen() {
    let server = LocalServer::builder()
        .basic_auth("admin:pa:ss")
        .start()
        .await;
    let server = server.expect("a server");
    let (client, live_only) = without_stored_events(server.client_builder());
    let name = unique("secret");
    let mut events = subscribe(&client, &name).await;
    live_only.store(true, Ordering::SeqCst);
    is_live(&client, &mut events, &name).await;

    let wrong = server.client_builder().auth_string("admin:wrong").build();
    let wrong = wrong.expect("a client");
    let error = wrong.events().subscribe().start().await.expect_err("wrong");
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    server.stop().await.expect("it stops");
}

/// The server pings, and closes a socket that does not answer within a minute: a slow machine answers before that.
#[tokio::test]
async fn a_socket_on_which_nothing_happens_stays_open() {
    let server = LocalServer::builder()
        .env("PREFECT_SERVER_API_WEBSOCKET_PING_INTERVAL", "0.5")
        .env("PREFECT_SERVER_API_WEBSOCKET_PING_TIMEOUT", "60");
    let server = server.start().await.expect("a server");
    let websocket_proxy = WebSocketProxy::start(server.api_url(), SocketMode::Passes).await;
    let (client, live_only) = without_stored_events(websocket_proxy.builder());
    let name = unique("idle");
    let mut events = subscribe(&client, &name).await;
    while websocket_proxy.pongs() < 5 {
        // One that answers no ping is closed, and opened again.
        assert!(websocket_proxy.sockets() <= 1, "it was closed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    live_only.store(true, Ordering::SeqCst);
    is_live(&client, &mut events, &name).await;
    assert_eq!(websocket_proxy.sockets(), 1);
    server.stop().await.expect("it stops");
}
