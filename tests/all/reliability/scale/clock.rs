//! Hours, by a clock that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prefect_sdk::testing::{TestServer, op};
use prefect_sdk::types::{ConcurrencyLimitV2Create, Event};

use super::{LONG, Requests};

const MINUTE: Duration = Duration::from_secs(60);

/// A slot is kept and events arrive although the server is away for five minutes in every twenty.
#[tokio::test]
async fn two_hours_with_outages_lose_neither_slot_nor_event() {
    let kit = TestServer::builder().paused().start();
    let (requests, builder) = Requests::of(kit.client_builder());
    let client = builder.build().expect("a client");
    let limits = client.global_concurrency_limits();
    let limit = ConcurrencyLimitV2Create::new("a", 1);
    limits.create(&limit).await.expect("a limit");
    let is_away = Arc::new(AtomicBool::new(false));
    let away = Arc::clone(&is_away);
    let refused = kit.on_any().when(move |_| away.load(Ordering::SeqCst));
    let refused = refused.break_connection();
    let slot = client.concurrency("a").lease(30 * MINUTE);
    let slot = slot.acquire().await.expect("free");
    let emitter = client.events().emitter().start().expect("an emitter");
    // The first lease is one of a minute.
    let renewed = |kit: &TestServer| kit.requests().of(op::renew_concurrency_lease).pop();
    kit.skip_waits(kit.until(renewed)).await;
    for minute in 0..120 {
        let outage = (10..15).contains(&(minute % 20));
        is_away.store(outage, Ordering::SeqCst);
        let order = [("prefect.resource.id".to_owned(), "order".to_owned())];
        let event = Event::new(kit.now(), "paid", order, uuid::Uuid::new_v4());
        emitter.emit(event).expect("queued");
        if !outage {
            // So the clock does not leave behind a program that gets no time on a busy machine.
            kit.skip_waits(emitter.flush()).await.expect("sent");
        }
        kit.advance(MINUTE).await;
        assert!(!slot.is_lost(), "in minute {minute}");
    }
    let stats = kit.skip_waits(emitter.close_within(LONG)).await;
    assert_eq!((stats.confirmed, stats.failed), (120, 0));
    let paid = kit.events();
    assert_eq!(
        paid.iter().filter(|event| event.event == "paid").count(),
        120
    );
    let held = limits.get("a").await.expect("there").active_slots;
    assert_eq!(held, 1, "the lease goes on at the server, too");
    slot.release().await.expect("still held");
    assert!(refused.calls() > 0, "there were outages");
    requests.print(&format!("two hours, {} refused", refused.calls()));
    // A request for each event, and some for the lease.
    let most = 2 * 120 + refused.calls() + 100;
    assert!(requests.count() <= most, "{} of {most}", requests.count());
}
