//! What several servers share: the database, CSRF tokens, leases and events.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use futures_util::future::join_all;
use prefect_sdk::Client;
use prefect_sdk::reqwest::{self, StatusCode};
use prefect_sdk::types::*;
use serde_json::json;
use uuid::Uuid;

use super::{balanced, cluster, each};
use crate::resources::events::subscription::{is_live, subscribe, without_stored_events};
use crate::support::{a_flow, a_run, unique};

#[tokio::test]
async fn what_one_server_has_written_is_read_from_the_others() {
    let cluster = cluster().await;
    let clients = each(&cluster);
    let flow = a_flow(&clients[0]).await;
    let name = unique("written").replace('-', "_");
    for round in 0..30_i32 {
        let [writer, others @ ..] = [0, 1, 2].map(|n| &clients[(round as usize + n) % 3]);
        let run = a_run(writer, flow, |run| run).await;
        let set = writer.variables().set(&name, round).await;
        set.expect("set");
        for reader in others {
            let found = reader.flow_runs().get(run).await.expect("there");
            assert_eq!(found.id, run);
            let read = reader.variables().get_by_name(&name).await.expect("there");
            assert_eq!(
                serde_json::to_value(&read.value).expect("JSON"),
                json!(round)
            );
        }
        let [next, ..] = others;
        let running = StateCreate::new(StateType::Running);
        let outcome = next.flow_runs().propose(run, running).await;
        outcome.expect("proposed");
        let found = writer.flow_runs().get(run).await.expect("there");
        assert_eq!(found.state_type, Some(StateType::Running));
    }
}

/// Sends a request that needs a token, and returns the status.
async fn with_token(url: &str, client: &str, token: &str) -> StatusCode {
    // Another test may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let request = reqwest::Client::new()
        .post(format!("{url}/flows/"))
        .header("prefect-csrf-client", client)
        .header("prefect-csrf-token", token)
        .json(&json!({"name": unique("csrf")}));
    request.send().await.expect("a reply").status()
}

#[tokio::test]
async fn a_csrf_token_of_one_server_holds_for_all_until_any_replaces_it() {
    let cluster = cluster().await;
    let (urls, clients) = (cluster.server_urls(), each(&cluster));
    let client = unique("client");
    let [one, another, _] = &clients;
    let first = one.raw().create_csrf_token(&client).await.expect("a token");
    for url in &urls {
        assert!(with_token(url, &client, &first.token).await.is_success());
    }
    let second = another.raw().create_csrf_token(&client).await;
    let second = second.expect("a token");
    for url in &urls {
        let refused = with_token(url, &client, &first.token).await;
        assert_eq!(refused, StatusCode::FORBIDDEN);
        assert!(with_token(url, &client, &second.token).await.is_success());
    }
}

#[tokio::test]
async fn a_client_of_the_balancer_asks_for_one_token() {
    let cluster = cluster().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let builder = balanced(&cluster).observer(move |attempt| {
        let asks = attempt.operation() == "create_csrf_token";
        counter.fetch_add(usize::from(asks), Ordering::Relaxed);
    });
    let client = builder.build().expect("a client");
    join_all((0..30).map(|_| a_flow(&client))).await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

async fn a_limit(client: &Client, slots: i64) -> String {
    let limit = ConcurrencyLimitV2Create::new(unique("limit"), slots);
    let limit = client.global_concurrency_limits().create(&limit).await;
    limit.expect("a limit").name
}

async fn held(client: &Client, limit: &str) -> i64 {
    let limit = client.global_concurrency_limits().get(limit).await;
    limit.expect("there").active_slots
}

/// Takes a slot from one server, and returns its lease.
async fn leased(from: &Client, limit: &str) -> Uuid {
    let slot = BulkIncrementActiveSlotsWithLeaseRequest::new(1, vec![limit.to_owned()]);
    let granted = from.global_concurrency_limits().increment_with_lease(&slot);
    granted.await.expect("granted").lease_id
}

async fn renewed(by: &Client, lease: Uuid) {
    let body = RenewConcurrencyLeaseRequest::new();
    let renewed = by.raw().renew_concurrency_lease(&lease, &body).await;
    renewed.expect("the lease is known there");
}

async fn given_back(to: &Client, lease: Uuid) {
    let body = BulkDecrementActiveSlotsWithLeaseRequest::new(lease);
    let limits = to.global_concurrency_limits();
    limits
        .decrement_with_lease(&body)
        .await
        .expect("given back");
}

#[tokio::test]
async fn a_lease_of_one_server_is_renewed_by_another_and_given_back_to_a_third() {
    let cluster = cluster().await;
    let [one, two, three] = each(&cluster);
    let limit = a_limit(&one, 1).await;
    let lease = leased(&one, &limit).await;
    assert_eq!(held(&two, &limit).await, 1);
    renewed(&two, lease).await;
    given_back(&three, lease).await;
    assert_eq!(held(&one, &limit).await, 0);
}

#[tokio::test]
async fn a_lease_outlives_the_server_that_has_granted_it() {
    let mut cluster = cluster().await;
    let [one, two, three] = each(&cluster);
    let limit = a_limit(&one, 1).await;
    let lease = leased(&one, &limit).await;
    cluster.kill_server(0).await.expect("killed");
    renewed(&two, lease).await;
    given_back(&three, lease).await;
    assert_eq!(held(&two, &limit).await, 0);
    cluster.start_server(0).await.expect("started");
    assert_eq!(held(&one, &limit).await, 0);
}

#[tokio::test]
async fn events_that_one_server_has_taken_come_from_another() {
    let cluster = cluster().await;
    let (urls, [emitter, ..]) = (cluster.server_urls(), each(&cluster));
    for url in &urls[1..] {
        let builder = balanced(&cluster).api_url(*url);
        let (client, live_only) = without_stored_events(builder);
        let name = unique("elsewhere");
        let mut events = subscribe(&client, &name).await;
        live_only.store(true, Ordering::SeqCst);
        is_live(&emitter, &mut events, &name).await;
    }
}

/// How many tasks want a slot at once, how often each, and how many there are.
const TASKS: usize = 60;
const ROUNDS: usize = 3;
const SLOTS: i64 = 5;

/// On SQLite many writers make a server answer 503, and stand still for a minute at a time.
#[tokio::test]
async fn many_that_want_the_same_slots_are_told_to_wait_and_nothing_worse() {
    let cluster = cluster().await;
    let (refused, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (Arc::clone(&refused), Arc::clone(&failed));
    let builder = balanced(&cluster).observer(move |attempt| match attempt.status() {
        Some(status) if status == StatusCode::LOCKED => {
            counters.0.fetch_add(1, Ordering::Relaxed);
        }
        Some(status) if status.is_server_error() => {
            counters.1.fetch_add(1, Ordering::Relaxed);
        }
        _ => {}
    });
    let client = builder.build().expect("a client");
    let limit = a_limit(&client, SLOTS).await;
    let holders = AtomicI64::new(0);
    let tasks = (0..TASKS).map(async |_| {
        for _ in 0..ROUNDS {
            let slot = client.concurrency(&limit).acquire().await.expect("a slot");
            let others = holders.fetch_add(1, Ordering::SeqCst);
            assert!(others < SLOTS, "{others} others hold one of {SLOTS} slots");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            holders.fetch_sub(1, Ordering::SeqCst);
            slot.release().await.expect("given back");
        }
    });
    join_all(tasks).await;
    assert_eq!(held(&client, &limit).await, 0);
    assert!(refused.load(Ordering::Relaxed) > 0, "nobody had to wait");
    assert_eq!(failed.load(Ordering::Relaxed), 0);
}
