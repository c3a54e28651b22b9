//! A client that is used from several runtimes.

use std::collections::HashSet;
use std::future::IntoFuture as _;
use std::time::Duration;

use futures_util::poll;
use prefect_sdk::{Client, Result, RetryPolicy};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::support::{Scripted, driven_runtime, idle_runtime, reply};

/// How long a call has; it needs far less, unless it waits for a connection that nobody drives.
const TIMEOUT: Duration = Duration::from_secs(10);

async fn count(client: &Client) -> Result<i64> {
    client.flow_runs().count().await
}

/// A server in a runtime that is always driven, and a client with one attempt.
fn server() -> (Runtime, Scripted, Client) {
    let driven = driven_runtime();
    let server = driven.block_on(Scripted::start([reply(200, json!(7))]));
    let client = server.builder().timeout(TIMEOUT);
    let client = client.retry(RetryPolicy::none()).build().expect("a client");
    (driven, server, client)
}

#[test]
fn a_runtime_that_is_idle_is_not_waited_for() {
    let (_driven, server, client) = server();
    let (first, second) = (idle_runtime(), idle_runtime());
    for _ in 0..2 {
        assert_eq!(first.block_on(count(&client)).expect("counted"), 7);
        assert_eq!(second.block_on(count(&client)).expect("counted"), 7);
    }
    assert_eq!(server.connections(), [0, 1, 0, 1], "each keeps its own");
}

#[test]
fn work_that_another_runtime_has_begun_is_not_waited_for() {
    let (_driven, server, _) = server();
    let builder = server.builder().version_check(true).timeout(TIMEOUT);
    let client = builder.retry(RetryPolicy::none()).build();
    let client = client.expect("a client");
    let (first, second) = (idle_runtime(), idle_runtime());
    let mut under_way = client.flow_runs().count().into_future();
    first.block_on(async { assert!(poll!(&mut under_way).is_pending()) });
    assert_eq!(second.block_on(count(&client)).expect("counted"), 7);
    assert_eq!(first.block_on(under_way).expect("counted"), 7);
}

/// As in a test suite with a client in a static.
#[test]
fn many_runtimes_can_come_and_go() {
    let (_driven, server, client) = server();
    for _ in 0..100 {
        let runtime = idle_runtime();
        assert_eq!(runtime.block_on(count(&client)).expect("counted"), 7);
    }
    let connections: HashSet<_> = server.connections().into_iter().collect();
    assert_eq!(connections.len(), 100, "each has its own");
}
