//! Slots are taken, waited for and given back.

use std::time::{Duration, Instant};

use prefect_sdk::ErrorKind;
use serde_json::{Value, json};

use super::{a_limit, done, full, granted, held, until_held};
use crate::support::{FastClock, Fault, FaultProxy, Scripted, Step, live, unique};

/// On an idle server it takes milliseconds; one that others write to may stand still for a minute.
const SOON: Duration = Duration::from_secs(90);

#[tokio::test]
async fn slots_of_all_limits_are_taken_and_given_back() {
    let client = live().await;
    let (one, other) = (a_limit(&client, 5).await, a_limit(&client, 3).await);
    let both = client.concurrency([&one, &other]).slots(2);
    let slot = both.acquire().await.expect("free");
    assert_eq!(
        (held(&client, &one).await, held(&client, &other).await),
        (2, 2)
    );
    assert_eq!(slot.limits().len(), 2);
    assert!(!slot.is_lost());

    // All or none: one slot of `other` is left.
    assert!(both.try_acquire().await.expect("answered").is_none());
    assert_eq!(held(&client, &one).await, 2);
    slot.release().await.expect("given back");
    assert_eq!(
        (held(&client, &one).await, held(&client, &other).await),
        (0, 0)
    );
    let slot = both.try_acquire().await.expect("answered").expect("free");
    slot.release().await.expect("given back");
}

#[tokio::test]
async fn a_slot_that_is_dropped_is_given_back() {
    let client = live().await;
    let limit = a_limit(&client, 1).await;
    let slot = client.concurrency(&limit).acquire().await.expect("free");
    assert_eq!(held(&client, &limit).await, 1);
    drop(slot);
    until_held(&client, &limit, 0, SOON).await;
}

/// The last clone of a client is dropped before its slot.
#[tokio::test]
async fn a_slot_outlives_its_client() {
    let client = live().await;
    let limit = a_limit(&client, 1).await;
    let other = live().await;
    let slot = other.concurrency(&limit).acquire().await.expect("free");
    drop(other);
    drop(slot);
    until_held(&client, &limit, 0, SOON).await;
}

#[tokio::test]
async fn what_comes_out_of_a_body_is_returned_and_its_slot_given_back() {
    let client = live().await;
    let limit = a_limit(&client, 1).await;
    let body = async { held(&client, &limit).await };
    let inside = client.concurrency(&limit).run(body).await;
    assert_eq!(inside.expect("run"), 1);
    assert_eq!(held(&client, &limit).await, 0);
}

#[tokio::test]
async fn a_body_that_takes_too_long_leaves_no_slot_behind() {
    let client = live().await;
    let limit = a_limit(&client, 1).await;
    let both = [limit.clone(), a_limit(&client, 1).await];
    let limits = client.concurrency(&both);
    let body = limits.run(std::future::pending::<()>());
    let ended = tokio::time::timeout(Duration::from_secs(1), body).await;
    ended.expect_err("it takes too long");
    for limit in &both {
        until_held(&client, limit, 0, SOON).await;
    }
}

#[tokio::test]
async fn a_limit_that_does_not_exist_is_an_error_and_nothing_is_kept_of_the_others() {
    let client = live().await;
    let (there, missing) = (a_limit(&client, 1).await, unique("missing"));
    let error = client.concurrency([&there, &missing]).acquire().await;
    let error = error.expect_err("one is missing");
    assert!(
        error.is_not_found() && error.to_string().contains(&missing),
        "{error}"
    );
    assert!(!error.to_string().contains(&there), "{error}");
    until_held(&client, &there, 0, SOON).await;
    let error = client.concurrency(&missing).try_acquire().await;
    assert!(error.expect_err("it is missing").is_not_found());
}

#[tokio::test]
async fn lenient_takes_what_there_is() {
    let client = live().await;
    let (there, missing) = (a_limit(&client, 1).await, unique("missing"));
    let slot = client
        .concurrency([&there, &missing])
        .lenient()
        .acquire()
        .await;
    let slot = slot.expect("one is there");
    let names: Vec<_> = slot.limits().iter().map(|limit| &limit.name).collect();
    assert_eq!(names, [&there]);
    slot.release().await.expect("given back");
    assert_eq!(held(&client, &there).await, 0);
}

/// Nothing was taken, so nothing is renewed or given back.
#[tokio::test]
async fn without_any_limit_the_body_runs_and_nothing_more_is_sent() {
    let nothing = json!({"lease_id": uuid::Uuid::new_v4(), "limits": []});
    let server = Scripted::start([crate::support::reply(200, nothing)]).await;
    let client = server.client();
    let answer = client
        .concurrency("missing")
        .lenient()
        .run(async { 42 })
        .await;
    assert_eq!(answer.expect("run"), 42);
    let slot = client.concurrency("missing").lenient().acquire().await;
    assert_eq!(slot.expect("nothing to wait for").lease_id(), None);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.requests().len(), 2, "{:?}", server.requests());
}

#[tokio::test]
async fn without_names_nothing_is_sent() {
    let server = Scripted::start([done()]).await;
    let client = server.client();
    let none: [&str; 0] = [];
    let slot = client.concurrency(none).acquire().await;
    assert!(slot.expect("nothing to do").limits().is_empty());
    assert!(
        client
            .concurrency(none)
            .try_acquire()
            .await
            .expect("nothing to do")
            .is_some()
    );
    client
        .rate_limit(none)
        .acquire()
        .await
        .expect("nothing to do");
    assert!(
        client
            .rate_limit(none)
            .try_acquire()
            .await
            .expect("nothing to do")
    );
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_anything_is_sent() {
    let server = Scripted::start([done()]).await;
    let client = server.client();
    let minute = Duration::from_secs(60);
    for (limits, says) in [
        (client.concurrency("").clone(), "no name"),
        (client.concurrency("a").slots(0), "0 is not between"),
        (client.concurrency("a").slots(u32::MAX), "4294967295 is not"),
        (
            client
                .concurrency("a")
                .lease(minute - Duration::from_millis(1)),
            "59.999s",
        ),
        (
            client.concurrency("a").lease(minute * 60 * 24 + minute),
            "one day",
        ),
    ] {
        let error = limits.acquire().await.expect_err("cannot be");
        assert!(
            error.is_invalid_request() && error.to_string().contains(says),
            "{error}"
        );
        assert!(
            limits
                .try_acquire()
                .await
                .expect_err("cannot be")
                .is_invalid_request()
        );
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn more_slots_than_there_are_is_not_waited_for() {
    let client = live().await;
    let limit = a_limit(&client, 2).await;
    let error = client.concurrency(&limit).slots(3).acquire().await;
    let error = error.expect_err("never");
    assert!(
        error.is_validation() && error.is_permanently_locked(),
        "{error}"
    );
    assert!(
        error.to_string().contains("greater than the limit"),
        "{error}"
    );
}

/// Each by itself: in Prefect's own client they queue, and the third waits three times as long.
#[tokio::test]
async fn each_waiter_has_its_own_time() {
    let client = live().await;
    let limit = a_limit(&client, 1).await;
    let _held = client.concurrency(&limit).acquire().await.expect("free");
    let patience = Duration::from_secs(2);
    let waiters = (0..5).map(|_| {
        let waiter = client.concurrency(&limit).timeout(patience);
        tokio::spawn(async move {
            let start = Instant::now();
            let error = waiter.acquire().await.expect_err("it is held");
            (start.elapsed(), error)
        })
    });
    for waiter in waiters.collect::<Vec<_>>() {
        let (waited, error) = waiter.await.expect("no panic");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(
            error.to_string().contains(&limit) && error.is_retryable(),
            "{error}"
        );
        assert!(waited < patience + Duration::from_secs(1), "{waited:?}");
    }
}

#[tokio::test]
async fn a_waiter_gets_what_another_gives_back() {
    let client = live().await;
    let limit = a_limit(&client, 1).await;
    let first = client.concurrency(&limit).acquire().await.expect("free");
    let waiter = client.concurrency(&limit).timeout(Duration::from_secs(60));
    let waiter = tokio::spawn(async move { waiter.acquire().await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    first.release().await.expect("given back");
    let second = waiter.await.expect("no panic").expect("it is free");
    assert_eq!(held(&client, &limit).await, 1);
    second.release().await.expect("given back");
}

/// What the server asks for, and up to a fifth more.
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

/// When the server asks for more than is left, it is asked once more shortly before the end.
#[tokio::test]
async fn the_last_request_is_shortly_before_the_end() {
    let server = Scripted::start([full("30"), full("30")]).await;
    let clock = crate::support::FakeClock::default();
    let client = server
        .builder()
        .clock(clock.clone())
        .build()
        .expect("a client");
    let waiter = client.concurrency("a").timeout(Duration::from_secs(10));
    let error = waiter.acquire().await.expect_err("full");
    assert!(error.is_timeout(), "{error}");
    let waited: f64 = clock.waits().iter().sum();
    assert!((8.9..=9.0).contains(&waited), "{:?}", clock.waits());
    assert_eq!(server.requests().len(), 2);
}

/// The request is on its way when nobody waits for it any more: what it is granted is given back.
#[tokio::test]
async fn what_is_granted_to_one_who_has_gone_is_given_back() {
    let client = live().await;
    let limit = a_limit(&client, 1).await;
    let plan = |request: &crate::support::http::Message| match request
        .target()
        .ends_with("/decrement-with-lease")
    {
        true => Fault::Delay(Duration::from_secs(2)),
        false => Fault::Delay(Duration::from_millis(300)),
    };
    let proxy = FaultProxy::start(client.api_url(), plan).await;
    let slow = proxy.builder().build().expect("a client");
    let waiter = slow.concurrency(&limit);
    let gone = tokio::time::timeout(Duration::from_millis(100), waiter.acquire()).await;
    gone.expect_err("it takes 300 ms");
    until_held(&client, &limit, 1, SOON).await;
    until_held(&client, &limit, 0, SOON).await;

    // The same by its own timeout.
    let waiter = slow.concurrency(&limit).timeout(Duration::from_millis(100));
    assert!(waiter.acquire().await.expect_err("too late").is_timeout());
    until_held(&client, &limit, 1, SOON).await;
    until_held(&client, &limit, 0, SOON).await;
    let asked = |end: &str| {
        let delivered = proxy.delivered();
        delivered
            .iter()
            .filter(|it| it.target().ends_with(end))
            .count()
    };
    assert_eq!(
        (
            asked("/increment-with-lease"),
            asked("/decrement-with-lease")
        ),
        (2, 2)
    );
}

/// Giving back is seen to its end as well.
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
    until_held(&client, &limit, 1, SOON).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(held(&client, &limit).await, 1, "the other's is still held");
    other.release().await.expect("given back");
}

/// Nobody can give back what a lost reply has granted: it is asked for a minute, whatever lease is
/// wanted, and then asked again.
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

/// Not for ever: as often as the policy says.
#[tokio::test]
async fn a_server_that_loses_every_reply_is_given_up() {
    let server = Scripted::start([granted("a"), done(), Step::Drop]).await;
    let client = server.builder().clock(FastClock::new(20)).build();
    let client = client.expect("a client");
    let slot = client.concurrency("a").acquire().await.expect("granted");
    slot.release().await.expect("given back");
    let error = client
        .concurrency("a")
        .acquire()
        .await
        .expect_err("no reply");
    assert!(
        error.is_connection() && error.may_have_happened(),
        "{error:?}"
    );
    assert_eq!(server.requests().len(), 2 + 6);
}

/// As any call of a client that has never had a reply.
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

/// The server counts the slots before it makes the lease: after a 500 they may be held without one.
#[tokio::test]
async fn a_500_is_not_tried_again() {
    let server = Scripted::start([crate::support::refusal(500)]).await;
    let error = server.client().concurrency("a").acquire().await;
    assert!(error.expect_err("it failed").may_have_happened());
    assert_eq!(server.requests().len(), 1);
}

/// Those of one limit do not wait for those of another.
#[tokio::test]
async fn a_request_that_hangs_delays_nobody_who_wants_something_else() {
    let hanging =
        |request: &crate::support::http::Message| match String::from_utf8_lossy(&request.body)
            .contains("hanging")
        {
            true => Fault::Delay(Duration::from_secs(30)),
            false => Fault::None,
        };
    let server = Scripted::start([granted("free"), full("1"), granted("free"), done()]).await;
    let proxy = FaultProxy::start(&server.url, hanging).await;
    let client = proxy.builder().build().expect("a client");
    let slot = client.concurrency("free").acquire().await.expect("granted");
    slot.release().await.ok();
    let waiter = client.concurrency("hanging");
    let waiting = tokio::spawn(async move { waiter.acquire().await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let other = client.concurrency("free").timeout(Duration::from_secs(5));
    let slot = other.acquire().await.expect("granted");
    waiting.abort();
    drop(slot);
}

/// As any call: what passes is tried again.
#[tokio::test]
async fn trying_is_not_given_up_for_a_busy_server() {
    let busy = crate::support::refusal(503);
    let server = Scripted::start([busy.clone(), busy, full("1")]).await;
    let tried = server.builder().clock(FastClock::new(20)).build();
    let tried = tried
        .expect("a client")
        .concurrency("a")
        .try_acquire()
        .await;
    assert!(tried.expect("answered").is_none());
    assert_eq!(server.requests().len(), 3);
}
