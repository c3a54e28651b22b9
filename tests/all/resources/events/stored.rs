//! What a subscription does when stored events cannot be read.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use prefect_sdk::events::{EventGap, EventUpdate, Subscription};
use prefect_sdk::testing::{TestServer, op};
use prefect_sdk::types::{Event, ReceivedEvent};
use prefect_sdk::{Client, reqwest};
use serde_json::{Value, json};
use uuid::Uuid;

/// A server without live events, so that all come from those stored, and a client of it.
fn without_sockets() -> (TestServer, Client) {
    let kit = TestServer::builder().paused().start();
    let builder = kit.client_builder();
    let builder = builder.interceptor(|request: &mut reqwest::Request| {
        match request.url().path().ends_with("/events/out") {
            true => Err("not in this test"),
            false => Ok(()),
        }
    });
    let client = builder.build().expect("a client");
    (kit, client)
}

/// Emits events a second apart, the first of them at this time.
async fn emit(client: &Client, first: DateTime<Utc>, count: u32) {
    let events = (0..count).map(|number| {
        let occurred = first + TimeDelta::seconds(number.into());
        let resource = [("prefect.resource.id".to_owned(), "test.1".to_owned())];
        Event::new(occurred, "test.stored", resource, Uuid::new_v4())
    });
    client.events().create(events).await.expect("recorded");
}

async fn subscribe(client: &Client, since: DateTime<Utc>) -> Subscription {
    let subscription = client.events().subscribe().name("test.stored").since(since);
    subscription.start().await.expect("started")
}

/// The time of the events that are asked for.
fn span(asked: &op::ReadEvents) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let occurred = asked.body.filter.as_ref()?.occurred.as_ref()?;
    occurred.since.zip(occurred.until)
}

/// Whether it is asked for the events of a span with this time.
fn asks_for(time: DateTime<Utc>) -> impl Fn(&op::ReadEvents) -> bool + Send + 'static {
    move |asked| span(asked).is_some_and(|(since, until)| (since..=until).contains(&time))
}

/// The next event, and the gap before it if there is one.
async fn next(kit: &TestServer, events: &mut Subscription) -> (Option<EventGap>, ReceivedEvent) {
    let mut gap = None;
    loop {
        let update = kit.skip_waits(events.next()).await.expect("it goes on");
        match update.expect("no error") {
            EventUpdate::Event(event) => return (gap, *event),
            EventUpdate::Gap(found) => gap = Some(found),
            other => panic!("{other:?}"),
        }
    }
}

/// Receives that many events, without a gap, from this time on and a second apart.
async fn receive(kit: &TestServer, events: &mut Subscription, first: DateTime<Utc>, count: u32) {
    for number in 0..count {
        let (gap, event) = next(kit, events).await;
        assert_eq!(gap, None);
        let occurred = first + TimeDelta::seconds(number.into());
        assert_eq!(event.occurred, occurred, "event {number}");
    }
}

#[tokio::test]
async fn a_backlog_goes_on_where_reading_it_has_failed() {
    let (kit, client) = without_sockets();
    let since = kit.now() - TimeDelta::hours(1);
    emit(&client, since, 120).await;
    let away = kit.on(op::read_account_events_page).status(503).times(3);
    let mut events = subscribe(&client, since).await;
    receive(&kit, &mut events, since, 120).await;
    assert_eq!(away.calls(), 3);
    let asked = kit.requests().of(op::read_events);
    let asked = asked.iter().map(|ask| span(ask).map(|(since, _)| since));
    let asked: Vec<_> = asked.take(3).collect();
    let last_of_first_page = since + TimeDelta::seconds(49);
    assert_eq!(asked, [None, Some(since), Some(last_of_first_page)]);
}

/// A reply that no client can decode.
fn undecodable() -> Value {
    json!({"events": [{"id": 7}], "total": 1, "next_page": null})
}

/// It was the end of all that came behind it.
#[tokio::test]
async fn an_event_that_cannot_be_decoded_is_a_gap_and_no_other_is_lost() {
    let (kit, client) = without_sockets();
    let since = kit.now() - TimeDelta::hours(1);
    emit(&client, since, 40).await;
    let bad = since + TimeDelta::seconds(20);
    let broken = kit.on(op::read_events).when(asks_for(bad));
    let broken = broken.respond(200, undecodable());
    let mut events = subscribe(&client, since).await;
    receive(&kit, &mut events, since, 20).await;
    let (gap, after) = next(&kit, &mut events).await;
    let second = TimeDelta::seconds(1);
    assert_eq!(after.occurred, bad + second);
    receive(&kit, &mut events, bad + second * 2, 18).await;
    let gap = gap.expect("a gap");
    assert!((gap.since..=gap.until).contains(&bad), "{gap}");
    assert!(gap.until - gap.since <= TimeDelta::milliseconds(1), "{gap}");
    assert!(gap.reason.contains("events[0]"), "{gap}");
    // It is looked for by halves.
    assert!(broken.calls() < 40, "{}", broken.calls());
}

#[tokio::test]
async fn a_server_of_which_nothing_can_be_decoded_is_not_asked_for_ever() {
    let (kit, client) = without_sockets();
    let since = kit.now() - TimeDelta::days(7);
    emit(&client, since, 40).await;
    let of_the_backlog = asks_for(since + TimeDelta::days(6));
    let broken = kit.on(op::read_events);
    let broken = broken.when(move |ask| {
        let is_old = span(ask).is_some_and(|(_, until)| until < since + TimeDelta::days(6));
        of_the_backlog(ask) || is_old
    });
    let broken = broken.respond(200, undecodable());
    let mut events = subscribe(&client, since).await;
    let latest = kit.now();
    emit(&client, latest, 1).await;
    let (gap, event) = next(&kit, &mut events).await;
    assert_eq!(event.occurred, latest);
    assert!(gap.is_some() && broken.calls() < 500, "{}", broken.calls());
}

#[tokio::test]
async fn a_backlog_that_the_server_fails_to_read_is_given_up_at_last() {
    let (kit, client) = without_sockets();
    let since = kit.now() - TimeDelta::hours(1);
    emit(&client, since, 120).await;
    let _second_page = kit.on(op::read_account_events_page).status(500).once();
    let last_read = since + TimeDelta::seconds(49);
    let again = kit.on(op::read_events);
    let again = again.when(move |ask| span(ask).is_some_and(|(since, _)| since == last_read));
    let again = again.status(500);
    let mut events = subscribe(&client, since).await;
    receive(&kit, &mut events, since, 50).await;
    let (gap, after) = next(&kit, &mut events).await;
    assert_eq!(after.occurred, since + TimeDelta::seconds(50));
    assert_eq!(gap.expect("a gap").since, last_read);
    receive(&kit, &mut events, since + TimeDelta::seconds(51), 69).await;
    assert!((10..50).contains(&again.calls()), "{}", again.calls());
}

/// Servers answer 500 to everything while their database is away, and are not ready then.
#[tokio::test]
async fn a_backlog_outlasts_an_outage_of_the_database() {
    let (kit, client) = without_sockets();
    let since = kit.now() - TimeDelta::hours(1);
    emit(&client, since, 40).await;
    let refused = kit.on(op::read_events).when(|ask| ask.body.limit.is_none());
    let refused = refused.status(500).times(30);
    let _unready = kit.on(op::perform_readiness_check).status(503);
    let mut events = subscribe(&client, since).await;
    receive(&kit, &mut events, since, 40).await;
    assert_eq!(refused.calls(), 30);
}

#[tokio::test]
async fn a_second_whose_events_cannot_be_read_holds_up_no_other() {
    let (kit, client) = without_sockets();
    let events = client.events().subscribe().name("test.stored").start();
    let mut events = events.await.expect("started");
    let broken = kit.now() + TimeDelta::seconds(2);
    let fails = kit.on(op::read_events).when(asks_for(broken));
    let fails = fails.status(500);
    emit(&client, broken, 1).await;
    let readable = broken + TimeDelta::seconds(3);
    emit(&client, readable, 1).await;
    receive(&kit, &mut events, readable, 1).await;
    assert!(fails.calls() > 0);
}

#[tokio::test]
async fn seconds_whose_events_cannot_be_read_are_given_up_at_last() {
    let (kit, client) = without_sockets();
    let events = client.events().subscribe().name("test.stored").start();
    let mut events = events.await.expect("started");
    let mut broken = Vec::new();
    for number in 0..5 {
        let second = kit.now() + TimeDelta::seconds(2 + 3 * number);
        emit(&client, second, 1).await;
        broken.push((
            second,
            kit.on(op::read_events).when(asks_for(second)).status(500),
        ));
    }
    let readable = kit.now() + TimeDelta::seconds(20);
    emit(&client, readable, 1).await;
    for _ in 0..5 {
        let update = kit.skip_waits(events.next()).await.expect("it goes on");
        let EventUpdate::Gap(gap) = update.expect("no error") else {
            panic!("not a gap");
        };
        let (second, _rule) = broken.remove(0);
        assert!((gap.since..=gap.until).contains(&second), "{gap}");
    }
    receive(&kit, &mut events, readable, 1).await;
}

/// It asked for ever, because only a page that was read showed that nobody was waiting.
#[tokio::test]
async fn nothing_is_asked_for_a_subscription_that_is_dropped_while_the_server_is_away() {
    let (kit, client) = without_sockets();
    let since = kit.now() - TimeDelta::hours(1);
    let away = kit.on(op::read_events).when(|ask| ask.body.limit.is_none());
    let away = away.status(503);
    let mut events = subscribe(&client, since).await;
    kit.skip_waits(kit.until(|_| (away.calls() >= 4).then_some(())))
        .await;
    assert!(events.next().now_or_never().is_none());
    drop(events);
    // The request that is under way ends.
    kit.advance(Duration::ZERO).await;
    let asked = away.calls();
    kit.advance(Duration::from_secs(3600)).await;
    assert_eq!(away.calls(), asked);
}
