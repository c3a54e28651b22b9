//! Many events.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use chrono::Utc;
use prefect_sdk::LocalServer;
use prefect_sdk::events::EventUpdate;
use prefect_sdk::types::Event;
use uuid::Uuid;

use super::{Requests, scaled};
use crate::support::counting;

/// How many events are emitted a second.
const RATE: u32 = 375;

/// How often stored events are counted until those of the last five minutes are read, too: that is each sixth time.
const COUNTS: usize = 12;

/// Each is delivered once, although what was stored is read again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_minutes_of_many_events_are_delivered_once_each() {
    let duration = scaled(Duration::from_secs(600), Duration::from_secs(25));
    let server = LocalServer::start().await.expect("a server");
    let (requests, builder) = Requests::of(server.client_builder());
    let (builder, counts) = counting(builder, |attempt| {
        let is_success = attempt.status().is_some_and(|status| status.is_success());
        attempt.operation() == "count_account_events" && is_success
    });
    let subscriber = builder.build().expect("a client");
    let subscription = subscriber.events().subscribe().name("scale.event").start();
    let mut subscription = subscription.await.expect("started");

    let client = server.client().expect("a client");
    let emitting = tokio::spawn(async move {
        // As fast as one after the other, without the burst that an emitter allows, and none is dropped if the server halts.
        let emitter = client.events().emitter().rate(0).capacity(usize::MAX);
        let emitter = emitter.start().expect("an emitter");
        let (mut ids, start) = (HashSet::new(), Instant::now());
        let tick = Duration::from_secs(1) / 25;
        while start.elapsed() < duration {
            for _ in 0..RATE / 25 {
                let id = Uuid::new_v4();
                let resource = [("prefect.resource.id".to_owned(), format!("scale.{id}"))];
                let event = Event::new(Utc::now(), "scale.event", resource, id);
                emitter.emit(event).expect("queued");
                ids.insert(id);
            }
            tokio::time::sleep(tick).await;
        }
        emitter.flush().await.expect("sent");
        let stats = emitter.close().await;
        assert_eq!((stats.failed, stats.dropped), (0, 0));
        (ids, start.elapsed())
    });

    let (mut delivered, mut twice) = (HashSet::new(), 0);
    let mut emitted = None;
    tokio::pin!(emitting);
    // Until nothing has come for a while after the end.
    let quiet = Duration::from_secs(30);
    loop {
        tokio::select! {
            ended = &mut emitting, if emitted.is_none() => {
                emitted = Some(ended.expect("no panic"));
            }
            update = tokio::time::timeout(quiet, subscription.next()) => match update {
                Ok(Some(Ok(EventUpdate::Event(event)))) => {
                    twice += usize::from(!delivered.insert(event.id));
                }
                Ok(Some(Ok(gap))) => println!("{gap:?}"),
                Ok(other) => panic!("{other:?}"),
                Err(_) if emitted.is_some() => break,
                Err(_) => {}
            },
        }
        if emitted
            .as_ref()
            .is_some_and(|(ids, _)| delivered.len() == ids.len())
        {
            break;
        }
    }
    // What is read again would come now.
    while let Ok(Some(Ok(EventUpdate::Event(event)))) =
        tokio::time::timeout(quiet, subscription.next()).await
    {
        twice += usize::from(!delivered.insert(event.id));
    }
    let (ids, took) = emitted.expect("ended");
    // A server drops events when it cannot keep up: those that it has stored are delivered.
    let stored = server.client().expect("a client");
    let mut late = HashSet::new();
    for id in ids.difference(&delivered).take(20) {
        let found = stored.events().list().id(*id).await.expect("listed");
        late.extend(found.iter().map(|event| event.id));
    }
    // What was stored as late as that comes with those of the last five minutes.
    let last = counts.load(Ordering::SeqCst) + COUNTS;
    while !late.is_subset(&delivered) && counts.load(Ordering::SeqCst) < last {
        match tokio::time::timeout(Duration::from_secs(1), subscription.next()).await {
            Ok(Some(Ok(EventUpdate::Event(event)))) => {
                twice += usize::from(!delivered.insert(event.id));
            }
            Ok(Some(Ok(gap))) => println!("{gap:?}"),
            Ok(other) => panic!("{other:?}"),
            Err(_) => {}
        }
    }
    let missed: Vec<_> = ids.difference(&delivered).copied().collect();
    let name = format!(
        "{} events in {took:.1?}, {} missed",
        ids.len(),
        missed.len()
    );
    requests.print(&name);
    assert_eq!(twice, 0, "each once");
    let undelivered: Vec<_> = late.difference(&delivered).collect();
    assert!(
        undelivered.is_empty(),
        "stored, but not delivered: {undelivered:?}"
    );
    // One to count every ten seconds, and some to read what was missed; all of it again would be eight a second.
    let seconds = requests.start.elapsed().as_secs_f64();
    let (count, most) = (requests.count() as f64, 50.0 + 2.0 * seconds);
    assert!(count < most, "{count} of {most}");
    drop(subscription);
    server.stop().await.expect("it stops");
}
