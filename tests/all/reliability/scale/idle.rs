//! A client that has nothing to do.

use std::time::Duration;

use prefect_sdk::types::ConcurrencyLimitV2Create;

use super::{LONG, Requests};
use crate::support::{a_flow, a_run, live, live_builder, unique};

#[tokio::test]
async fn an_idle_client_sends_nothing() {
    let (requests, builder) = Requests::of(live_builder().await);
    let client = builder.build().expect("a client");
    let limit = unique("idle");
    let limits = client.global_concurrency_limits();
    let created = ConcurrencyLimitV2Create::new(&limit, 1);
    limits.create(&created).await.expect("created");
    let slot = client.concurrency(&limit).acquire().await.expect("free");
    slot.release().await.expect("released");
    let emitter = client.events().emitter().start().expect("an emitter");
    emitter.flush().await.expect("nothing to send");
    let server = live().await;
    let run = a_run(&server, a_flow(&server).await, |run| run).await;
    let waiting = client.flow_runs().wait(run).until(|_| true);
    waiting.timeout(LONG).await.expect("it is there");
    // The poller ends after five seconds.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let before = requests.count();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(requests.count(), before);
    requests.print("idle");
}
