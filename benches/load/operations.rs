//! Mixed operations at once, of which every fifth request is spoilt.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use prefect_sdk::RetryPolicy;
use tokio::task::JoinSet;

use crate::cluster::{Cluster, SHUTDOWN_TIMEOUT};
use crate::figures::Figures;
use crate::support::{FaultProxy, MixedOperations, counting, spoiling};

/// Executes at least `count` operations, so many at once.
pub async fn run(cluster: &Cluster, count: usize, at_once: usize, seed: u64) -> Figures {
    let spoilt = Arc::new(AtomicUsize::new(0));
    let plan = spoiling(seed, Arc::clone(&spoilt));
    let proxy = FaultProxy::start(cluster.api_url(), plan).await;
    let (builder, requests) = counting(proxy.builder(), |_| true);
    let retry = RetryPolicy::default().base_delay(Duration::from_millis(50));
    let client = builder.retry(retry).build().expect("a client");
    // A client that has reached no server yet takes a refused connection for a wrong address, and does not try again.
    while client.admin().version().await.is_err() {}
    let operations = MixedOperations::prepare(&cluster.checker, client.clone()).await;
    let (flow, operations) = (operations.flow, Arc::new(operations));

    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..at_once as u64 {
        let operations = Arc::clone(&operations);
        tasks.spawn(async move {
            let mut rng = Rng::with_seed(!seed ^ number << 32);
            while operations.count() < count {
                operations.operate(&mut rng).await;
            }
        });
    }
    tasks.join_all().await;
    let took = begun.elapsed();

    let left = client.shutdown(SHUTDOWN_TIMEOUT).await;
    proxy.stop();
    let operations = Arc::into_inner(operations).expect("all tasks have ended");
    let (summary, mut findings) = operations.check(&cluster.checker).await;
    findings.leaked.extend(left.err().map(|it| it.to_string()));
    let runs = cluster.checker.flow_runs().delete_many().flow_id(flow);
    runs.await.expect("deleted");
    Figures {
        part: "operations",
        count: summary.operations,
        took,
        requests: requests.load(Ordering::Relaxed),
        details: format!(
            "{at_once} at once, {} requests spoilt, {} done, {} ambiguous, {} not done",
            spoilt.load(Ordering::Relaxed),
            summary.done,
            summary.perhaps,
            summary.not_done
        ),
        findings,
    }
}
