//! What a subscription does when stored events cannot be read.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use prefect_sdk::events::{EventGap, EventUpdate, Subscription};
use prefect_sdk::testing::{TestServer, op};
use prefect_sdk::types::{Event, ReceivedEvent};
use prefect_sdk::{Client, reqwest};
use serde_json::json;
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

/// One event that the server cannot send as it should was the end of all others.
#[tokio::test]
async fn what_cannot_be_decoded_is_a_gap() {
    let (kit, client) = without_sockets();
    let since = kit.now() - TimeDelta::hours(1);
    emit(&client, since, 120).await;
    let page = json!({"events": [{"id": 7}], "total": 120, "next_page": null});
    let _broken = kit.on(op::read_account_events_page).respond(200, page);
    let mut events = subscribe(&client, since).await;
    receive(&kit, &mut events, since, 50).await;
    emit(&client, kit.now(), 1).await;
    let (gap, _) = next(&kit, &mut events).await;
    let gap = gap.expect("a gap");
    assert_eq!(gap.since, since + TimeDelta::seconds(49));
    assert!(gap.until <= kit.now(), "{gap}");
    assert!(gap.reason.contains("events[0]"), "{gap}");
}

#[tokio::test]
async fn a_backlog_that_the_server_fails_to_read_is_given_up_at_last() {
    let (kit, client) = without_sockets();
    let since = kit.now() - TimeDelta::hours(1);
    emit(&client, since, 120).await;
    let second_page = kit.on(op::read_account_events_page).status(500);
    let last_read = since + TimeDelta::seconds(49);
    let again = kit.on(op::read_events);
    let again = again.when(move |ask| span(ask).is_some_and(|(since, _)| since == last_read));
    let again = again.status(500);
    let mut events = subscribe(&client, since).await;
    receive(&kit, &mut events, since, 50).await;
    kit.skip_waits(kit.until(|_| (again.calls() == 9).then_some(())))
        .await;
    emit(&client, kit.now(), 1).await;
    let (gap, _) = next(&kit, &mut events).await;
    assert_eq!(gap.expect("a gap").since, last_read);
    assert_eq!((second_page.calls(), again.calls()), (1, 9));
}

#[tokio::test]
async fn a_second_whose_events_cannot_be_read_holds_up_no_other() {
    let (kit, client) = without_sockets();
    let events = client.events().subscribe().name("test.stored").start();
    let mut events = events.await.expect("started");
    let broken = kit.now() + TimeDelta::seconds(2);
    let fails = kit
        .on(op::read_events)
        .when(move |ask| span(ask).is_some_and(|(since, until)| (since..=until).contains(&broken)));
    let fails = fails.status(500);
    emit(&client, broken, 1).await;
    let readable = broken + TimeDelta::seconds(3);
    emit(&client, readable, 1).await;
    receive(&kit, &mut events, readable, 1).await;
    assert!(fails.calls() > 0);
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
