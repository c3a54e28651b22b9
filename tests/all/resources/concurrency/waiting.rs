//! Waiting for slots: in turn, for how long, and after failures.

use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use prefect_sdk::ErrorKind;
use prefect_sdk::testing::TestServer;
use prefect_sdk::testing::op::bulk_decrement_active_slots_with_lease as GIVE_BACK;
use serde_json::{Value, json};

use super::{ASK, a_limit, done, full, granted, held, stopped, until_held};
use crate::support::{Fault, FaultProxy, Scripted, live};

/// On an idle server it takes milliseconds; one that others write to may stand still for a minute.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(90);

/// In Prefect's own client waiters queue, and the third one waits three times as long.
#[tokio::test]
async fn each_waiter_has_its_own_time() {
    let (kit, client) = stopped(1, 1).await;
    let begin = kit.now();
    let waiter = client.concurrency("a").timeout(Duration::from_secs(60));
    let waiters = join_all((0..5).map(|_| async {
        let error = waiter.acquire().await.expect_err("it is held");
        (error, (kit.now() - begin).as_seconds_f64())
    }));
    for (error, waited) in kit.skip_waits(waiters).await {
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(
            error.to_string().contains(r#"["a"]"#) && error.is_retryable(),
            "{error}"
        );
        // One after the other, the second would wait for 120 s.
        assert!(waited < 90.0, "{waited}");
    }
}

#[tokio::test]
async fn a_waiter_gets_what_another_gives_back() {
    let client = live().await;
    let limit = a_limit(&client, 1).await;
    let first = client.concurrency(&limit).acquire().await.expect("free");
    let waiter = client
        .concurrency(&limit)
        .timeout(Duration::from_secs(1800));
    let waiter = tokio::spawn(async move { waiter.acquire().await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    first.release().await.expect("given back");
    let second = waiter.await.expect("no panic").expect("it is free");
    assert_eq!(held(&client, &limit).await, 1);
    second.release().await.expect("given back");
}

/// Each wait is what the server asks for, plus up to a fifth.
#[tokio::test]
async fn waiting_is_as_the_server_says() {
    let asked = ["1.5", "7.25", "0", "90"];
    let steps = asked.map(full).into_iter().chain([granted("a"), done()]);
    let server = Scripted::start(steps).await;
    let clock = crate::support::FakeClock::default();
    let client = server
        .builder()
        .clock(clock.clone())
        .build()
        .expect("a client");
    let slot = client.concurrency("a").acquire().await.expect("granted");
    let waits = clock.waits();
    for (wait, least, most) in [
        (waits[0], 1.5, 1.8),
        (waits[1], 7.25, 8.7),
        (waits[2], 0.1, 0.2),
        (waits[3], 60.0, 60.0),
    ] {
        assert!((least..=most).contains(&wait), "{waits:?}");
    }
    drop(slot);
}

/// When the server asks for a longer wait than is left, a last request is sent shortly before the end.
#[tokio::test]
async fn the_last_request_is_shortly_before_the_end() {
    let (kit, client) = stopped(1, 1).await;
    let full = kit.on(ASK).status(423).header("retry-after", "30");
    let begin = kit.now();
    let waiter = client.concurrency("a").timeout(Duration::from_secs(10));
    let error = kit.skip_waits(waiter.acquire()).await.expect_err("full");
    assert!(error.is_timeout(), "{error}");
    let waited = (kit.now() - begin).as_seconds_f64();
    assert!((8.9..=9.0).contains(&waited), "{waited}");
    assert_eq!(full.calls(), 2);
}

/// If the caller stops waiting while the request is in flight, the slot that is granted is given back.
#[tokio::test]
async fn a_slot_granted_after_the_caller_has_gone_is_given_back() {
    let (kit, client) = stopped(1, 0).await;
    let _late = kit.on(ASK).delay(Duration::from_secs(1));
    let _later = kit.on(GIVE_BACK).delay(Duration::from_secs(1));
    let is_given_back = async |times| {
        let asked = |kit: &TestServer| (kit.requests().count(GIVE_BACK) == times).then_some(());
        kit.skip_waits(kit.until(asked)).await;
        assert_eq!(held(&client, "a").await, 1);
        kit.skip_waits(until_held(&client, "a", 0, RELEASE_TIMEOUT))
            .await;
    };
    let waiter = client.concurrency("a");
    // The caller goes once the request is in flight.
    let arrived = kit.until(|kit| (kit.requests().count(ASK) == 1).then_some(()));
    let gone = select(Box::pin(waiter.acquire()), Box::pin(arrived)).await;
    assert!(matches!(gone, Either::Right(_)), "it is not granted yet");
    drop(gone);
    is_given_back(1).await;

    // The same with the waiter's own timeout: as the clock stands still, its 2 s of real time begin when the request is sent.
    let waiter = client.concurrency("a").timeout(Duration::from_secs(2));
    assert!(waiter.acquire().await.expect_err("too late").is_timeout());
    is_given_back(2).await;
    assert_eq!(kit.requests().count(ASK), 2);
}

/// A release also runs to its end when its future is dropped.
#[tokio::test]
async fn a_release_that_is_given_up_is_done_and_once() {
    let client = live().await;
    let limit = a_limit(&client, 2).await;
    let other = client.concurrency(&limit).acquire().await.expect("free");
    let plan = |request: &crate::support::http::Message| match request
        .target()
        .ends_with("/decrement-with-lease")
    {
        true => Fault::Delay(Duration::from_millis(300)),
        false => Fault::None,
    };
    let proxy = FaultProxy::start(client.api_url(), plan).await;
    let slow = proxy.builder().build().expect("a client");
    let slot = slow.concurrency(&limit).acquire().await.expect("free");
    let given_up = tokio::time::timeout(Duration::from_millis(100), slot.release()).await;
    given_up.expect_err("it takes 300 ms");
    until_held(&client, &limit, 1, RELEASE_TIMEOUT).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(held(&client, &limit).await, 1, "the other is still held");
    other.release().await.expect("given back");
}

/// Nobody can give back a slot that a lost reply has granted, so the request asks for a lease of one
/// minute, whatever lease is set, and is then sent again.
#[tokio::test]
async fn a_lost_grant_is_held_for_a_minute_at_most() {
    let client = live().await;
    let limit = a_limit(&client, 2).await;
    let proxy =
        FaultProxy::losing_one_reply(client.api_url(), "POST", "/increment-with-lease").await;
    let losing = proxy.builder().build().expect("a client");
    let lease = Duration::from_secs(3600);
    let slot = losing.concurrency(&limit).lease(lease).acquire().await;
    let slot = slot.expect("granted the second time");
    assert_eq!(held(&client, &limit).await, 2, "one of them was lost");
    for request in proxy.delivered() {
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        assert_eq!(body["lease_duration"], json!(60.0));
    }
    slot.release().await.expect("given back");
}

/// The request is retried as often as the policy allows, not for ever.
#[tokio::test]
async fn a_server_that_loses_every_reply_is_given_up() {
    let (kit, client) = stopped(10, 0).await;
    let lost = kit.on(ASK).lose_reply();
    let limit = client.concurrency("a");
    let error = kit.skip_waits(limit.acquire()).await;
    let error = error.expect_err("no reply");
    assert!(
        error.is_connection() && error.may_have_happened(),
        "{error:?}"
    );
    assert_eq!(lost.calls(), 6);
}

/// Like any call of a client that has never received a reply.
#[tokio::test]
async fn a_wrong_address_fails_at_once() {
    let client = crate::support::plain("http://127.0.0.1:9/api")
        .build()
        .expect("a client");
    let error = client
        .concurrency("a")
        .acquire()
        .await
        .expect_err("nobody there");
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Connection, 1));
}

/// The server counts the slots before it creates the lease: after a 500 they may be held without a lease.
#[tokio::test]
async fn a_500_is_not_tried_again() {
    let (kit, client) = stopped(1, 0).await;
    let failed = kit.on(ASK).status(500);
    let error = client.concurrency("a").acquire().await;
    assert!(error.expect_err("it failed").may_have_happened());
    assert_eq!(failed.calls(), 1);
}

/// Requests for one limit do not wait for requests for another.
#[tokio::test]
async fn a_request_that_hangs_delays_nobody_who_wants_something_else() {
    let (kit, client) = stopped(1, 0).await;
    let _hanging = kit.on(ASK).when(|ask| ask.body.names == ["b"]).hang();
    let waiter = client.concurrency("b");
    let waiting = tokio::spawn(async move { waiter.acquire().await });
    kit.until(|kit| (kit.requests().count(ASK) == 1).then_some(()))
        .await;
    let other = client.concurrency("a").timeout(Duration::from_secs(5));
    let _slot = other.acquire().await.expect("granted");
    waiting.abort();
}

/// Like any call, it is retried after a transient error.
#[tokio::test]
async fn trying_is_not_given_up_for_a_busy_server() {
    let (kit, client) = stopped(1, 1).await;
    let busy = kit.on(ASK).status(503).times(2);
    let limit = client.concurrency("a");
    let tried = kit.skip_waits(limit.try_acquire()).await;
    assert!(tried.expect("answered").is_none());
    assert_eq!((busy.calls(), kit.requests().count(ASK)), (2, 3));
}
