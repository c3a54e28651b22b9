//! Hours, by a clock that runs faster.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{LONG, Requests, scaled};
use crate::support::http::Message;
use crate::support::{FastClock, Fault, FaultProxy, SlotServer};

const MINUTE: Duration = Duration::from_secs(60);

/// How much faster than real time the client's clock runs.
const FACTOR: u32 = 120;

/// A slot is kept and events arrive although the server is away for five minutes in every twenty.
#[tokio::test]
async fn two_hours_with_outages_lose_neither_slot_nor_event() {
    let duration = scaled(120 * MINUTE, 40 * MINUTE);
    let (server, start) = (SlotServer::start(1).await, Instant::now());
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&refused);
    let outage = move |_: &Message| {
        let minute = start.elapsed() * FACTOR / 60;
        match minute.as_secs() % 20 {
            10..15 => {
                counted.fetch_add(1, Ordering::Relaxed);
                Fault::ResetBefore
            }
            _ => Fault::None,
        }
    };
    let proxy = FaultProxy::start(&server.url(), outage).await;
    let (requests, builder) = Requests::of(proxy.builder().clock(FastClock::new(FACTOR)));
    let client = builder.build().expect("a client");
    let slot = client.concurrency("a").lease(30 * MINUTE);
    let slot = slot.acquire().await.expect("free");
    let emitter = client.events().emitter().start().expect("an emitter");
    let mut emitted = 0;
    while start.elapsed() * FACTOR < duration {
        let order = [("prefect.resource.id".to_owned(), "order".to_owned())];
        let id = uuid::Uuid::new_v4();
        let event = prefect_sdk::types::Event::new(chrono::Utc::now(), "paid", order, id);
        emitter.emit(event).expect("queued");
        emitted += 1;
        let tick = tokio::time::timeout(MINUTE / FACTOR, slot.lost()).await;
        tick.expect_err("the slot is kept");
    }
    let stats = emitter.close_within(LONG).await;
    assert_eq!((stats.confirmed, stats.failed), (emitted, 0));
    slot.release().await.expect("still held");
    assert_eq!(server.held(), 0);
    let refused = refused.load(Ordering::Relaxed);
    assert!(refused > 0, "there were outages");
    requests.print(&format!("{duration:?} of its clock, {refused} refused"));
    // A request for each event, and some for the lease.
    let most = 2 * emitted as usize + refused + 100;
    assert!(requests.count() <= most, "{} of {most}", requests.count());
}
