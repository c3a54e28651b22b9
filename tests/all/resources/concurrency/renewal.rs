//! Leases are renewed as long as possible, and reported as lost when they cannot be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use prefect_sdk::testing::{TestServer, op};
use prefect_sdk::types::{BulkDecrementActiveSlotsWithLeaseRequest, ConcurrencyLimitV2Create};
use prefect_sdk::{Client, ErrorKind, LocalServer};
use serde_json::json;

use super::{a_limit, done, granted, held, server_that_expires_leases_quickly, until_held};
use crate::support::{
    FakeClock, FastClock, Fault, FaultProxy, Scripted, Step, live, plain, refusal, reply,
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
    let kit = TestServer::start();
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = kit.client_builder().clock(FastClock::new(30)).build();
        let client = client.expect("a client");
        let limit = ConcurrencyLimitV2Create::new("a", 1);
        let limits = client.global_concurrency_limits();
        limits.create(&limit).await.expect("a limit");
        let limit = client.concurrency("a").lease(MINUTE);
        let slot = limit.acquire().await.expect("granted");
        std::thread::sleep(Duration::from_secs(3));
        assert!(!slot.is_lost());
        let renewals = kit.requests().count(op::renew_concurrency_lease);
        assert!((3..=6).contains(&renewals), "{renewals} in 90 s");
        slot.release().await.expect("given back");
    });
}

/// A client whose waits never end, while its clock goes on.
#[tokio::test]
async fn one_who_renews_no_more_has_lost_the_lease() {
    #[derive(Clone)]
    struct Jumping(FakeClock);
    impl prefect_sdk::client::Clock for Jumping {
        fn now(&self) -> Instant {
            self.0.now()
        }
        fn sleep(
            &self,
            _: Duration,
        ) -> std::pin::Pin<Box<dyn std::future::Future<Output = ()> + Send + '_>> {
            Box::pin(std::future::pending())
        }
    }
    let server = Scripted::start([granted("a"), done()]).await;
    let clock = Jumping(FakeClock::default());
    let client = plain(&server.url)
        .clock(clock.clone())
        .build()
        .expect("a client");
    let slot = client.concurrency("a").acquire().await.expect("granted");
    assert!(!slot.is_lost());
    clock.0.advance(Duration::from_secs(100));
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
    // The first renewal falls into this outage.
    sleep_until(start, 17).await;
    cut.store(true, Ordering::Relaxed);
    sleep_until(start, 27).await;
    cut.store(false, Ordering::Relaxed);
    sleep_until(start, 66).await;
    let renewals = proxy.delivered().into_iter();
    let renewals = renewals
        .filter(|it| it.target().ends_with("/renew"))
        .count();
    assert!(spoilt.load(Ordering::Relaxed) > 0 && renewals > 0);
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
    let (proxy, cut, _) = cuttable(server).await;
    let client = proxy.builder().build().expect("a client");
    let slot = client
        .concurrency(&limit)
        .lease(MINUTE)
        .acquire()
        .await
        .expect("free");
    let start = Instant::now();
    cut.store(true, Ordering::Relaxed);
    let lost = slot.lost().await;
    let elapsed = start.elapsed().as_secs_f64();
    assert!((53.0..=56.0).contains(&elapsed), "{elapsed}");
    assert_eq!(lost.kind(), ErrorKind::Gone);
    assert!(
        direct
            .concurrency(&limit)
            .try_acquire()
            .await
            .expect("answered")
            .is_none()
    );
    assert!(slot.release().await.is_err());
    until_held(
        &direct,
        &limit,
        0,
        Duration::from_secs(61).saturating_sub(start.elapsed()),
    )
    .await;
    assert!(
        start.elapsed() > Duration::from_secs(59),
        "{:?}",
        start.elapsed()
    );
}

/// This happens when somebody resets the limit, or the server has been restarted.
#[tokio::test]
async fn a_lease_that_somebody_else_has_ended_is_lost() {
    let client: Client = live().await;
    let limit = a_limit(&client, 1).await;
    let clock = FastClock::new(5);
    let fast = crate::support::live_builder()
        .await
        .clock(clock)
        .build()
        .expect("a client");
    let slot = fast.concurrency(&limit).acquire().await.expect("free");
    let body = BulkDecrementActiveSlotsWithLeaseRequest::new(slot.lease_id().expect("a lease"));
    client
        .global_concurrency_limits()
        .decrement_with_lease(&body)
        .await
        .expect("ended");
    let lost = slot.lost().await;
    assert!(lost.to_string().contains("Lease not found"), "{lost}");
}

/// For example because an interceptor of the program panics.
#[tokio::test]
async fn a_renewal_that_panics_is_one_that_failed() {
    let server = Scripted::start([granted("a"), done()]).await;
    let clock = FastClock::new(100);
    let client =
        server
            .builder()
            .clock(clock)
            .observer(|attempt: &prefect_sdk::client::Attempt<'_>| {
                assert_ne!(attempt.operation(), "renew_concurrency_lease", "on purpose");
            });
    let client = client.build().expect("a client");
    let limit = client.concurrency("a").lease(MINUTE);
    let slot = limit.acquire().await.expect("granted");
    let lost = tokio::time::timeout(MINUTE, slot.lost()).await;
    assert_eq!(lost.expect("in time").kind(), ErrorKind::Gone);
}
