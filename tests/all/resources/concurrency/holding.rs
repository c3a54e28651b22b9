//! Taking slots, waiting for them and giving them back.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use prefect_sdk::Client;
use prefect_sdk::testing::TestServer;
use tokio::sync::Notify;

use super::{ASK, a_limit, held, until_held};
use crate::support::{live, live_builder, unique};

/// How long the server may take to free a slot: milliseconds if it is idle; while others write to it, it
/// may block for a minute. It is less than the leases of these tests: their end frees slots, too.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(90);

/// A client, and what is notified when it has renewed a lease: from then on the lease lasts longer than these tests wait.
async fn renewing() -> (Client, Arc<Notify>) {
    let renewed = Arc::new(Notify::new());
    let told = Arc::clone(&renewed);
    let client = live_builder().await.observer(move |attempt| {
        if attempt.operation() == "renew_concurrency_lease" && attempt.error().is_none() {
            told.notify_one();
        }
    });
    (client.build().expect("a client"), renewed)
}

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

    // All or nothing: only one slot of `other` is left.
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
    let (client, holder) = (live().await, live().await);
    let limit = a_limit(&client, 1).await;
    let slot = holder.concurrency(&limit).acquire().await.expect("free");
    assert_eq!(held(&client, &limit).await, 1);
    drop(slot);
    let given_back = holder.shutdown(RELEASE_TIMEOUT).await;
    given_back.expect("given back");
    assert_eq!(held(&client, &limit).await, 0);
}

/// The last clone of a client is dropped before its slot.
#[tokio::test]
async fn a_slot_outlives_its_client() {
    let client = live().await;
    let limit = a_limit(&client, 1).await;
    let (other, renewed) = renewing().await;
    let slot = other.concurrency(&limit).acquire().await.expect("free");
    renewed.notified().await;
    drop(other);
    drop(slot);
    until_held(&client, &limit, 0, RELEASE_TIMEOUT).await;
}

#[tokio::test]
async fn what_comes_out_of_a_body_is_returned_and_its_slot_given_back() {
    let client = live().await;
    let limit = a_limit(&client, 1).await;
    let (holder, renewed) = renewing().await;
    let body = async {
        renewed.notified().await;
        held(&client, &limit).await
    };
    let inside = holder.concurrency(&limit).run(body).await;
    assert_eq!(inside.expect("run"), 1);
    // The output is kept back for 2 s at most.
    until_held(&client, &limit, 0, RELEASE_TIMEOUT).await;
}

#[tokio::test]
async fn a_body_that_takes_too_long_leaves_no_slot_behind() {
    let client = live().await;
    let limit = a_limit(&client, 1).await;
    let both = [limit.clone(), a_limit(&client, 1).await];
    let (holder, renewed) = renewing().await;
    let limits = holder.concurrency(&both);
    let body = Box::pin(limits.run(std::future::pending::<()>()));
    // It is given up while it holds the slots.
    let given_up = select(body, Box::pin(renewed.notified())).await;
    assert!(matches!(given_up, Either::Right(_)), "it takes too long");
    for limit in &both {
        assert_eq!(held(&client, limit).await, 1);
    }
    drop(given_up);
    let given_back = holder.shutdown(RELEASE_TIMEOUT).await;
    given_back.expect("given back");
    for limit in &both {
        assert_eq!(held(&client, limit).await, 0);
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
    until_held(&client, &there, 0, RELEASE_TIMEOUT).await;
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
    let kit = TestServer::start();
    let client = kit.client();
    let answer = client
        .concurrency("missing")
        .lenient()
        .run(async { 42 })
        .await;
    assert_eq!(answer.expect("run"), 42);
    let slot = client.concurrency("missing").lenient().acquire().await;
    assert_eq!(slot.expect("nothing to wait for").lease_id(), None);
    kit.advance(Duration::from_secs(3600)).await;
    assert_eq!(kit.requests().operations(), [ASK.name(); 2]);
}

#[tokio::test]
async fn without_names_nothing_is_sent() {
    let kit = TestServer::start();
    let client = kit.client();
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
    assert!(kit.requests().is_empty());
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_anything_is_sent() {
    let kit = TestServer::start();
    let client = kit.client();
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
        let error = limits.acquire().await.expect_err("invalid");
        assert!(
            error.is_invalid_request() && error.to_string().contains(says),
            "{error}"
        );
        assert!(
            limits
                .try_acquire()
                .await
                .expect_err("invalid")
                .is_invalid_request()
        );
    }
    assert!(kit.requests().is_empty());
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
