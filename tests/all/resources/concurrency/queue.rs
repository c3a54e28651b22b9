//! Waiters of one client: who asks, in which order, and what wakes them. The clock of these tests stands still, so that
//! whoever is not woken is seen to wait.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::poll;

use super::{ASK, held, stopped, until_held};
use crate::support::counting;

/// How long what is woken may take; it takes far less.
const WOKEN: Duration = Duration::from_secs(60);

#[tokio::test]
async fn waiters_are_served_in_order_and_woken_by_what_is_given_back() {
    const WAITERS: usize = 200;
    let (kit, _) = stopped(1, 0).await;
    let asks = |attempt: &prefect_sdk::client::Attempt<'_>| attempt.operation() == ASK.name();
    let (client, answered) = counting(kit.client_builder(), asks);
    let client = client.build().expect("a client");
    let asked = || kit.requests().count(ASK);
    let first = client.concurrency("a").acquire().await.expect("free");
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
        let is_quiet = answered > 1 && answered == asked();
        quiet = if is_quiet { quiet + 1 } else { 0 };
    }
    drop(first);
    for waiter in waiters {
        let waiter = tokio::time::timeout(WOKEN, waiter).await;
        waiter.expect("woken").expect("not panicked");
    }
    let order = order.lock().expect("not poisoned").clone();
    assert_eq!(order, (0..WAITERS).collect::<Vec<_>>());
    // Up to 64 ask before one is refused; then each asks when it is the first, and again when it was too early.
    assert!(asked() <= 64 + 3 * WAITERS, "{}", asked());
    assert_eq!(held(&client, "a").await, 0);
}

/// A caller of which the future is no longer polled is not in the way of the others, once it has got its slot.
#[tokio::test]
async fn a_waiter_that_is_not_polled_blocks_none_that_gives_up() {
    let (_kit, client) = stopped(1, 0).await;
    let slot = client.concurrency("a").acquire().await.expect("free");
    let (first, second) = (client.concurrency("a"), client.concurrency("a"));
    let (mut first, mut second) = (Box::pin(first.acquire()), pin!(second.acquire()));
    assert!(poll!(&mut first).is_pending());
    assert!(poll!(&mut second).is_pending());
    slot.release().await.expect("released");
    // The first is never polled again: its slot is given back when it is dropped.
    until_held(&client, "a", 1, WOKEN).await;
    drop(first);
    let second = tokio::time::timeout(WOKEN, second).await;
    let second = second.expect("woken").expect("acquired");
    second.release().await.expect("released");
}

/// Those that come while nobody was refused ask as well.
#[tokio::test]
async fn a_full_limit_is_asked_for_by_few_and_then_by_none() {
    let (kit, client) = stopped(1, 1).await;
    let limit = client.concurrency("a");
    let waiters = futures_util::future::join_all((0..1_000).map(|_| limit.acquire()));
    let waiters = pin!(waiters);
    let asked = pin!(kit.until(|kit| (kit.requests().count(ASK) > 0).then_some(())));
    let Either::Right(((), waiters)) = select(waiters, asked).await else {
        panic!("it is full");
    };
    // The others that ask do so now, if at all.
    let none = tokio::time::timeout(Duration::from_secs(1), waiters).await;
    assert!(none.is_err(), "it is full");
    let asked = kit.requests().count(ASK);
    assert!((1..=64).contains(&asked), "{asked}");
}

/// What is free is not waited for in turn.
#[tokio::test]
async fn waiters_for_free_slots_ask_at_once() {
    let (kit, client) = stopped(50, 0).await;
    let limit = client.concurrency("a");
    let slots = futures_util::future::join_all((0..50).map(|_| limit.acquire())).await;
    assert_eq!(kit.requests().count(ASK), 50);
    assert_eq!(held(&client, "a").await, 50);
    assert!(slots.iter().all(|slot| slot.is_ok()));
}
