//! Two thousand mixed operations on a real server, through a proxy that spoils every fifth request: each
//! succeeds, or its error says whether it may have happened. (`cargo bench -p prefect-sdk-benches --bench load` runs as many at
//! once, on several servers.)

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fastrand::Rng;
use prefect_sdk::{Client, LocalServer, RetryPolicy};

use crate::support::{FaultProxy, MixedOperations, spoiling};

const SEEDS: [u64; 2] = [3, 2026];
const OPERATIONS: usize = 1000;

#[tokio::test]
async fn nothing_is_doubled_lost_or_falsely_said_to_exist() {
    // A server of its own: on a shared one, other tests would wait for the database.
    let server = LocalServer::start().await.expect("a server");
    let client = server.client().expect("a client");
    for seed in SEEDS {
        run(&client, seed).await;
    }
}

/// Runs the operations one after the other, so that the same seed does the same. (Many concurrent writers
/// make a real server on SQLite block for a minute at a time: it waits for a lock whose holder waits for
/// it.)
async fn run(server: &Client, seed: u64) {
    let spoilt = Arc::new(AtomicUsize::new(0));
    let proxy = FaultProxy::start(server.api_url(), spoiling(seed, Arc::clone(&spoilt))).await;
    let retry = RetryPolicy::default().base_delay(Duration::from_millis(5));
    let client = proxy.builder().retry(retry).build().expect("a client");
    let operations = MixedOperations::prepare(server, client).await;
    let mut rng = Rng::with_seed(!seed);
    while operations.count() < OPERATIONS {
        operations.operate(&mut rng).await;
    }
    proxy.stop();
    let spoilt = spoilt.load(Ordering::Relaxed);
    let (summary, findings) = operations.check(server).await;
    println!("seed {seed}: {spoilt} requests spoilt; {summary:?}");
    assert!(findings.is_empty(), "{findings}");
    assert!(spoilt > OPERATIONS / 10, "{spoilt}");
    assert!(summary.done > summary.operations * 8 / 10, "{summary:?}");
    // Ambiguous transitions are reconciled.
    let open = summary.open_transitions;
    assert!(open * 20 <= summary.transitions, "{summary:?}");
}
