//! Waiters of one client: who asks, in which order, and what wakes them. The server of these tests says to ask
//! again in an hour, so that whoever is not woken is seen to wait.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::poll;
use prefect_sdk::Client;

use crate::support::{SlotServer, counting};

/// How long what is woken may take; it takes far less.
const WOKEN: Duration = Duration::from_secs(60);

async fn full(limit: usize) -> (SlotServer, Client) {
    let server = SlotServer::start(limit).await;
    let client = server.builder().build().expect("a client");
    (server, client)
}

#[tokio::test]
async fn waiters_are_served_in_order_and_woken_by_what_is_given_back() {
    const WAITERS: usize = 200;
    let server = SlotServer::start(1).await;
    let (client, answered) = counting(server.builder(), |_| true);
    let client = client.build().expect("a client");
    let held = client.concurrency("a").acquire().await.expect("free");
    let (order, mut waiters) = (Arc::new(Mutex::new(Vec::new())), Vec::new());
    for number in 0..WAITERS {
        let (client, order) = (client.clone(), Arc::clone(&order));
        waiters.push(tokio::spawn(async move {
            let slot = client.concurrency("a").acquire().await.expect("acquired");
            order.lock().expect("not poisoned").push(number);
            slot.release().await.expect("released");
        }));
        // On this single-threaded runtime the task has begun when this one goes on.
        tokio::task::yield_now().await;
    }
    // Until those that asked at once are refused: from then on there is an order.
    let mut quiet = 0;
    while quiet < 10 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let answered = answered.load(Ordering::SeqCst);
        let is_quiet = answered > 1 && answered == server.asked();
        quiet = if is_quiet { quiet + 1 } else { 0 };
    }
    drop(held);
    for waiter in waiters {
        let waiter = tokio::time::timeout(WOKEN, waiter).await;
        waiter.expect("woken").expect("not panicked");
    }
    let order = order.lock().expect("not poisoned").clone();
    assert_eq!(order, (0..WAITERS).collect::<Vec<_>>());
    // Up to 64 ask before one is refused; then each asks when it is the first, and again when it was too early.
    assert!(server.asked() <= 64 + 3 * WAITERS, "{}", server.asked());
    assert_eq!(server.held(), 0);
}

/// A caller of which the future is no longer polled is not in the way of the others, once it has got its slot.
#[tokio::test]
async fn a_waiter_that_is_not_polled_blocks_none_that_gives_up() {
    let (server, client) = full(1).await;
    let held = client.concurrency("a").acquire().await.expect("free");
    let (first, second) = (client.concurrency("a"), client.concurrency("a"));
    let (mut first, mut second) = (Box::pin(first.acquire()), pin!(second.acquire()));
    assert!(poll!(&mut first).is_pending());
    assert!(poll!(&mut second).is_pending());
    drop(held);
    // The first is never polled again: its slot is given back when it is dropped.
    while server.held() == 0 {
        tokio::task::yield_now().await;
    }
    drop(first);
    let second = tokio::time::timeout(WOKEN, second).await;
    let second = second.expect("woken").expect("acquired");
    second.release().await.expect("released");
}

/// Those that come while nobody was refused ask as well.
#[tokio::test]
async fn a_full_limit_is_asked_for_by_few_and_then_by_none() {
    let (server, client) = full(0).await;
    let limit = client.concurrency("a");
    let waiters = (0..1_000).map(|_| limit.acquire());
    let mut waiters = Box::pin(futures_util::future::join_all(waiters));
    while server.asked() == 0 {
        assert!(poll!(&mut waiters).is_pending(), "it is full");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let none = tokio::time::timeout(Duration::from_secs(1), waiters).await;
    assert!(none.is_err(), "it is full");
    assert!(server.asked() <= 64, "{}", server.asked());
}

/// What is free is not waited for in turn.
#[tokio::test]
async fn waiters_for_free_slots_ask_at_once() {
    let (server, client) = full(50).await;
    let limit = client.concurrency("a");
    let slots = futures_util::future::join_all((0..50).map(|_| limit.acquire())).await;
    assert_eq!((server.asked(), server.held()), (50, 50));
    assert!(slots.iter().all(|slot| slot.is_ok()));
}
