//! `Client::shutdown`: nothing is left behind when a program ends.

use std::future::Future;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::poll;
use prefect_sdk::testing::TestServer;
use prefect_sdk::testing::op::bulk_increment_active_slots as ASK_RATE;
use prefect_sdk::testing::op::bulk_increment_active_slots_with_lease as ASK;
use prefect_sdk::types::ConcurrencyLimitV2Create;
use prefect_sdk::{Client, ErrorKind};

use crate::support::idle_runtime;

/// How long a shutdown has; it needs far less.
const LONG: Duration = Duration::from_secs(60);

/// A server with one slot of a limit `a`, whose clock stands still, and a client.
fn server() -> (TestServer, Client) {
    let kit = TestServer::builder().paused().start();
    let limit = ConcurrencyLimitV2Create::new("a", 1);
    program(kit.client().global_concurrency_limits().create(&limit)).expect("a limit");
    let client = kit.client();
    (kit, client)
}

async fn held(kit: &TestServer) -> i64 {
    let limit = kit.client().global_concurrency_limits().get("a").await;
    limit.expect("there").active_slots
}

/// Runs a program in a runtime of its own, which ends with it.
fn program<T>(program: impl Future<Output = T>) -> T {
    idle_runtime().block_on(program)
}

#[test]
fn a_slot_that_is_dropped_at_the_end_of_main_is_given_back() {
    for _ in 0..20 {
        let (kit, client) = server();
        program(async {
            let slot = client.concurrency("a").acquire().await.expect("free");
            drop(slot);
            client.shutdown(LONG).await.expect("in time");
            assert_eq!(held(&kit).await, 0);
        });
    }
}

#[test]
fn a_release_that_is_under_way_when_the_runtime_ends_goes_on() {
    let (kit, client) = server();
    program(async {
        let slot = client.concurrency("a").acquire().await.expect("free");
        let mut release = Box::pin(slot.release());
        // It may be done at once, on a busy machine.
        let _ = poll!(&mut release);
    });
    program(client.shutdown(LONG)).expect("in time");
    assert_eq!(program(held(&kit)), 0);
}

#[test]
fn a_body_that_is_interrupted_gives_its_slot_back() {
    let (kit, client) = server();
    program(async {
        let limit = client.concurrency("a");
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let body = Box::pin(limit.run(async {
            begun.send(()).expect("waited for");
            std::future::pending::<()>().await;
        }));
        // As a program that is ended by Ctrl-C does.
        let ended = select(body, has_begun).await;
        assert!(matches!(ended, Either::Right(_)));
        drop(ended);
        client.shutdown(LONG).await.expect("in time");
    });
    assert_eq!(program(held(&kit)), 0);
}

#[test]
fn what_is_granted_to_a_caller_that_has_gone_is_given_back() {
    let mut asked = 0;
    for round in 0..20 {
        let (kit, client) = server();
        program(async {
            let limit = client.concurrency("a");
            let mut acquiring = Box::pin(limit.acquire());
            // It may be granted at once, on a busy machine.
            let _ = poll!(&mut acquiring);
            // In every other round, once the request has been sent.
            while round % 2 == 0 && kit.requests().count(ASK) == 0 {
                tokio::task::yield_now().await;
            }
        });
        program(client.shutdown(LONG)).expect("in time");
        assert_eq!(program(held(&kit)), 0);
        asked += kit.requests().count(ASK);
    }
    assert!(asked >= 10, "{asked}");
}

/// Waiting for a rate ends as well, though nothing is held.
#[test]
fn waiting_for_a_rate_ends() {
    let (kit, client) = server();
    let _full = kit.on(ASK_RATE).status(423).header("retry-after", "3600");
    program(async {
        let rate = client.rate_limit("a");
        let waiting = tokio::spawn(async move { rate.acquire().await });
        while kit.requests().count(ASK_RATE) < 1 {
            tokio::task::yield_now().await;
        }
        client.shutdown(LONG).await.expect("nothing is left");
        let error = waiting.await.expect("not panicked").expect_err("ended");
        assert!(error.to_string().contains("shut down"), "{error}");
    });
}

#[test]
fn it_says_what_is_left_and_begins_nothing_new() {
    let (kit, client) = server();
    program(async {
        let slot = client.concurrency("a").acquire().await.expect("free");
        let limit = client.concurrency("a");
        let waiting = tokio::spawn(async move { limit.acquire().await.map(drop) });
        while kit.requests().count(ASK) < 2 {
            tokio::task::yield_now().await;
        }
        let error = client
            .shutdown(Duration::ZERO)
            .await
            .expect_err("it is held");
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.to_string().contains("not given back"), "{error}");
        let error = waiting.await.expect("not panicked").expect_err("ended");
        assert!(error.to_string().contains("shut down"), "{error}");
        let error = client.concurrency("a").acquire().await.map(drop);
        let error = error.expect_err("nothing is begun");
        assert!(error.to_string().contains("shut down"), "{error}");
        drop(slot);
        client.shutdown(LONG).await.expect("given back");
        assert_eq!(held(&kit).await, 0);
    });
}

#[tokio::test]
async fn a_client_that_has_done_nothing_in_the_background_is_shut_down_at_once() {
    let builder = Client::builder().api_url("http://127.0.0.1:1/api");
    let client = builder.build().expect("a client");
    client
        .shutdown(Duration::ZERO)
        .await
        .expect("nothing to do");
}
