//! Infrastructure as code: creates the work pools, queues, limits and variables that this file defines, or
//! updates those that exist: `cargo run --example infrastructure`.
//!
//! It uses the same server as Prefect's own tools (`PREFECT_API_URL`, or the profile).

use prefect_sdk::types::{ConcurrencyLimitV2Create, WorkPoolCreate, WorkQueueCreate};
use prefect_sdk::{Client, Result};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<()> {
    run(&Client::from_env()?).await
}

/// Creates or updates everything that this file defines.
pub async fn run(client: &Client) -> Result<()> {
    let pools = client.work_pools();
    for (pool, kind, at_once) in [("batch", "process", 20), ("reports", "process", 5)] {
        let wanted = WorkPoolCreate::new(pool)
            .type_(kind)
            .concurrency_limit(at_once);
        let found = pools.ensure(&wanted).await?;
        println!(
            "work pool {}: {:?} runs at once",
            found.name, *found.concurrency_limit
        );
        for (queue, priority) in [("urgent", 1), ("ordinary", 10)] {
            let wanted = WorkQueueCreate::new(queue).priority(priority);
            pools.queues(pool).ensure(&wanted).await?;
        }
    }

    let limits = client.global_concurrency_limits();
    limits
        .ensure(&ConcurrencyLimitV2Create::new("database", 10))
        .await?;
    // One call every two seconds, on average.
    let api = ConcurrencyLimitV2Create::new("partner-api", 5).slot_decay_per_second(0.5);
    limits.ensure(&api).await?;
    client.concurrency_limits().create("gpu", 2).await?;

    let variables = client.variables();
    variables.set("regions", json!(["eu", "us"])).await?;
    variables.set("rows_at_once", 5000).await?;
    let rows: Option<u32> = variables.value("rows_at_once").await?;
    println!("rows at once: {rows:?}");
    Ok(())
}
