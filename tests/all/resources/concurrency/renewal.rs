//! Leases are renewed as long as possible, and reported as lost when they cannot be.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::future::{Either, select};
use prefect_sdk::testing::TestServer;
use prefect_sdk::types::BulkDecrementActiveSlotsWithLeaseRequest;
use prefect_sdk::{ErrorKind, LocalServer};
use serde_json::json;

use super::{
    ALMOST_A_MINUTE, a_limit, done, granted, held, server_that_expires_leases_quickly, stopped,
    until_held,
};
use crate::support::http::Message;
use crate::support::{
    BUSY_TIMEOUT, FakeClock, Fault, FaultProxy, Scripted, Step, StoppedClock, idle_runtime, plain,
    refusal, reply,
};

fn gone() -> Step {
    reply(
        410,
        json!({"detail": "Lease not found - it may have expired or been revoked"}),
    )
}

/// Renewing within a third of the lease leaves two thirds to get over an outage. The first lease is one of
/// 60 s; the duration that was set is requested with the first renewal, soon after. (Prefect's own client
/// renews at once, and then after three quarters of the lease.)
#[tokio::test]
async fn a_lease_is_renewed_within_a_third_of_it_until_the_server_knows_it_no_more() {
    let server = Scripted::start([granted("a"), done(), done(), done(), gone()]).await;
    let clock = FakeClock::default();
    let client = server
        .builder()
        .clock(clock.clone())
        .build()
        .expect("a client");
    let lease = Duration::from_secs(300);
    let slot = client
        .concurrency("a")
        .lease(lease)
        .acquire()
        .await
        .expect("granted");
    let lost = slot.lost().await;
    assert_eq!(lost.kind(), ErrorKind::Gone);
    assert!(
        lost.to_string()
            .contains("may have expired or been revoked"),
        "{lost}"
    );
    let waits = clock.waits();
    assert!((1.0..=2.0).contains(&waits[0]), "{waits:?}");
    assert!(
        waits[1..4].iter().all(|wait| (90.0..=100.0).contains(wait)),
        "{waits:?}"
    );
    let renewals = &server.requests()[1..];
    for renewal in renewals {
        let id = slot.lease_id().expect("a lease");
        assert!(renewal.target().ends_with(&format!("/leases/{id}/renew")));
        assert_eq!(renewal.body, br#"{"lease_duration":300.0}"#);
    }
    assert!(slot.is_lost());
    let error = slot.release().await.expect_err("others may have had it");
    assert_eq!(error.kind(), ErrorKind::Gone);
    assert_eq!(
        server.requests().len(),
        5,
        "a slot that is lost is not given back"
    );
}

/// Prefect Cloud reports a lost lease this way.
#[tokio::test]
async fn a_404_is_a_lost_lease_too() {
    let unknown = reply(404, json!({"detail": "Lease not found"}));
    let server = Scripted::start([granted("a"), unknown]).await;
    let client = server.client();
    let slot = client.concurrency("a").acquire().await.expect("granted");
    assert_eq!(slot.lost().await.kind(), ErrorKind::Gone);
}

#[tokio::test]
async fn a_renewal_that_fails_is_tried_again() {
    let steps = [
        granted("a"),
        refusal(503),
        Step::Drop,
        refusal(500),
        done(),
        gone(),
    ];
    let server = Scripted::start(steps).await;
    let clock = FakeClock::default();
    let client = server
        .builder()
        .clock(clock.clone())
        .build()
        .expect("a client");
    let slot = client.concurrency("a").acquire().await.expect("granted");
    slot.lost().await;
    let waits = clock.waits();
    assert!(
        waits[1..4].iter().all(|wait| (0.8..=4.8).contains(wait)),
        "{waits:?}"
    );
    assert!(waits[4] >= 90.0, "the renewal succeeded: {waits:?}");
}

#[tokio::test]
async fn a_lease_that_cannot_be_renewed_is_lost_before_it_ends() {
    let server = Scripted::start([granted("a"), refusal(503)]).await;
    let clock = FakeClock::default();
    let client = server
        .builder()
        .clock(clock.clone())
        .build()
        .expect("a client");
    let slot = client.concurrency("a").acquire().await.expect("granted");
    let lost = slot.lost().await;
    assert!(lost.to_string().contains("503"), "{lost}");
    let waited: f64 = clock.waits().iter().sum();
    assert!((53.9..=54.1).contains(&waited), "{:?}", clock.waits());
}

#[tokio::test]
async fn a_body_is_dropped_when_its_lease_is_lost() {
    struct Flag(Arc<AtomicBool>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let server = Scripted::start([granted("a"), gone()]).await;
    let client = server.client();
    let dropped = Arc::new(AtomicBool::new(false));
    let flag = Flag(Arc::clone(&dropped));
    let body = async move {
        let _flag = flag;
        std::future::pending::<()>().await;
    };
    let error = client.concurrency("a").run(body).await.expect_err("lost");
    assert_eq!(error.kind(), ErrorKind::Gone);
    assert!(dropped.load(Ordering::Relaxed));
}

/// The program's only thread computes, and does not return to its runtime for 90 s of this clock.
#[test]
fn a_lease_is_renewed_while_the_programs_thread_is_busy() {
    idle_runtime().block_on(async {
        let (kit, client) = stopped(1, 0).await;
        let limit = client.concurrency("a").lease(MINUTE);
        let slot = limit.acquire().await.expect("granted");
        let end = kit.now() + TimeDelta::seconds(90);
        let is_over = |kit: &TestServer| (kit.now() >= end).then_some(());
        // Another thread moves the clock. This one waits for it, and does nothing else.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                idle_runtime().block_on(async {
                    let over = kit.skip_waits(kit.until(is_over));
                    let over = tokio::time::timeout(BUSY_TIMEOUT, over).await;
                    over.expect("what is due is done");
                });
            });
        });
        assert!(!slot.is_lost());
        slot.release().await.expect("given back");
    });
}

/// A client whose waits never end, while its clock goes on.
#[tokio::test]
async fn one_who_renews_no_more_has_lost_the_lease() {
    let server = Scripted::start([granted("a"), done()]).await;
    let clock = StoppedClock::default();
    let client = plain(&server.url)
        .clock(clock.clone())
        .build()
        .expect("a client");
    let slot = client.concurrency("a").acquire().await.expect("granted");
    assert!(!slot.is_lost());
    clock.advance(Duration::from_secs(100));
    assert!(slot.is_lost());
    assert_eq!(
        slot.release().await.expect_err("too late").kind(),
        ErrorKind::Gone
    );
    assert_eq!(server.requests().len(), 1);
}

/// A proxy in front of the server, a switch that cuts its connections, and the number of requests cut.
async fn cuttable(server: &LocalServer) -> (FaultProxy, Arc<AtomicBool>, Arc<AtomicUsize>) {
    let (cut, spoilt) = (
        Arc::new(AtomicBool::new(false)),
        Arc::<AtomicUsize>::default(),
    );
    let (is_cut, counted) = (Arc::clone(&cut), Arc::clone(&spoilt));
    let plan = move |_: &_| match is_cut.load(Ordering::Relaxed) {
        true => {
            counted.fetch_add(1, Ordering::Relaxed);
            Fault::ResetBefore
        }
        false => Fault::None,
    };
    (FaultProxy::start(server.api_url(), plan).await, cut, spoilt)
}

async fn sleep_until(start: Instant, seconds: u64) {
    tokio::time::sleep_until((start + Duration::from_secs(seconds)).into()).await;
}

const MINUTE: Duration = Duration::from_secs(60);

pub async fn an_outage_shorter_than_the_lease_is_survived() {
    let server = server_that_expires_leases_quickly().await;
    let direct = server.client().expect("a client");
    let limit = a_limit(&direct, 1).await;
    let (proxy, cut, spoilt) = cuttable(server).await;
    let client = proxy.builder().build().expect("a client");
    let slot = client
        .concurrency(&limit)
        .lease(MINUTE)
        .acquire()
        .await
        .expect("free");
    let start = Instant::now();
    // A renewal falls into this outage, and its first repetitions.
    cut.store(true, Ordering::Relaxed);
    while spoilt.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    cut.store(false, Ordering::Relaxed);
    sleep_until(start, 66).await;
    let renewals = proxy.delivered().into_iter();
    let renewals = renewals
        .filter(|it| it.target().ends_with("/renew"))
        .count();
    assert!(renewals > 0);
    assert!(!slot.is_lost(), "{}", slot.lost().await);
    assert_eq!(held(&direct, &limit).await, 1, "past the first lease");
    slot.release().await.expect("given back");
    assert_eq!(held(&direct, &limit).await, 0);
}

pub async fn an_outage_longer_than_the_lease_is_known_before_the_server_gives_the_slots_to_others()
{
    let server = server_that_expires_leases_quickly().await;
    let direct = server.client().expect("a client");
    let limit = a_limit(&direct, 1).await;
    // No renewal ever arrives, however late the grant is.
    let plan = |request: &Message| match request.target().ends_with("/increment-with-lease") {
        true => Fault::None,
        false => Fault::ResetBefore,
    };
    let proxy = FaultProxy::start(server.api_url(), plan).await;
    let client = proxy.builder().build().expect("a client");
    // The client counts the lease from its request on, the server from a moment between that and the reply.
    let begun = Instant::now();
    let slot = client
        .concurrency(&limit)
        .lease(MINUTE)
        .acquire()
        .await
        .expect("free");
    // A wait on this runtime, which a busy machine delays as much as the other.
    let too_late = pin!(sleep_until(Instant::now(), 56));
    let Either::Left((lost, _)) = select(pin!(slot.lost()), too_late).await else {
        panic!("the loss is not known in time");
    };
    // After nine tenths of the lease.
    assert!(begun.elapsed() >= Duration::from_secs(54));
    assert_eq!(lost.kind(), ErrorKind::Gone);
    let others = direct.concurrency(&limit).try_acquire().await;
    // A busy server may answer when the lease has ended.
    let is_free = others.expect("answered").is_some();
    assert!(!is_free || begun.elapsed() >= ALMOST_A_MINUTE);
    assert!(slot.release().await.is_err());
    until_held(&direct, &limit, 0, BUSY_TIMEOUT).await;
    assert!(begun.elapsed() >= ALMOST_A_MINUTE);
}

/// This happens when somebody resets the limit, or the server has been restarted.
#[tokio::test]
async fn a_lease_that_somebody_else_has_ended_is_lost() {
    let (kit, client) = stopped(1, 0).await;
    let slot = client.concurrency("a").acquire().await.expect("free");
    let body = BulkDecrementActiveSlotsWithLeaseRequest::new(slot.lease_id().expect("a lease"));
    kit.client()
        .global_concurrency_limits()
        .decrement_with_lease(&body)
        .await
        .expect("ended");
    let lost = kit.skip_waits(slot.lost()).await;
    assert!(lost.to_string().contains("Lease not found"), "{lost}");
}

/// For example because an interceptor of the program panics.
#[tokio::test]
async fn a_renewal_that_panics_is_one_that_failed() {
    let (kit, _) = stopped(1, 0).await;
    let panicking = |attempt: &prefect_sdk::client::Attempt<'_>| {
        assert_ne!(attempt.operation(), "renew_concurrency_lease", "on purpose");
    };
    let client = kit.client_builder().observer(panicking).build();
    let limit = client.expect("a client").concurrency("a").lease(MINUTE);
    let slot = limit.acquire().await.expect("granted");
    let lost = kit.skip_waits(slot.lost()).await;
    assert_eq!(lost.kind(), ErrorKind::Gone);
}
