//! Many events.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use chrono::Utc;
use prefect_sdk::LocalServer;
use prefect_sdk::events::EventUpdate;
use prefect_sdk::types::Event;
use uuid::Uuid;

use super::{Requests, scaled};

/// How many events are emitted a second.
const RATE: u32 = 375;

/// Each is delivered once, although what was stored is read again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_minutes_of_many_events_are_delivered_once_each() {
    let duration = scaled(Duration::from_secs(600), Duration::from_secs(25));
    let server = LocalServer::start().await.expect("a server");
    let (requests, builder) = Requests::of(server.client_builder());
    let subscriber = builder.build().expect("a client");
    let subscription = subscriber.events().subscribe().name("scale.event").start();
    let mut subscription = subscription.await.expect("started");

    let client = server.client().expect("a client");
    let emitting = tokio::spawn(async move {
        // As fast as one after the other, without the burst that an emitter allows.
        let emitter = client
            .events()
            .emitter()
            .rate(0)
            .start()
            .expect("an emitter");
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
                Err(_) => panic!("nothing comes"),
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
    let stored = server.client().expect("a client");
    let missed: Vec<_> = ids.difference(&delivered).copied().collect();
    let name = format!(
        "{} events in {took:.1?}, {} missed",
        ids.len(),
        missed.len()
    );
    requests.print(&name);
    assert_eq!(twice, 0, "each once");
    // A server drops events when it cannot keep up: those that it has stored have been delivered.
    for id in missed.iter().take(20) {
        let found = stored.events().list().id(*id).await.expect("listed");
        assert!(found.is_empty(), "{id} is stored, but was not delivered");
    }
    // One to count every ten seconds, and some to read what was missed; all of it again would be eight a second.
    let seconds = requests.start.elapsed().as_secs_f64();
    let (count, most) = (requests.count() as f64, 50.0 + 2.0 * seconds);
    assert!(count < most, "{count} of {most}");
    drop(subscription);
    server.stop().await.expect("it stops");
}
