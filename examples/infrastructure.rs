//! Infrastructure as code: creates the work pools, queues, limits and variables that this file defines, or
//! updates those that differ: `cargo run --example infrastructure`. It prints each plan first; running it again changes
//! nothing.
//!
//! It uses the same server as Prefect's own tools (`PREFECT_API_URL`, or the profile).

use prefect_sdk::types::{
    ConcurrencyLimitV2Create, VariableCreate, WorkPoolCreate, WorkQueueCreate,
};
use prefect_sdk::{Client, Result};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<()> {
    let changes = run(&Client::from_env()?).await?;
    println!("{changes} changes");
    Ok(())
}

/// Creates or updates everything that this file defines, and returns how much has changed.
pub async fn run(client: &Client) -> Result<usize> {
    let mut changes = 0;
    let pools = client.work_pools();
    for (pool, kind, at_once) in [("batch", "process", 20), ("reports", "process", 5)] {
        let wanted = WorkPoolCreate::new(pool)
            .type_(kind)
            .concurrency_limit(at_once);
        println!("{}", pools.plan(&wanted).await?);
        changes += usize::from(pools.ensure(&wanted).await?.is_changed());
        let queues = pools.queues(pool);
        for (queue, priority) in [("urgent", 1), ("ordinary", 10)] {
            let wanted = WorkQueueCreate::new(queue).priority(priority);
            println!("{}", queues.plan(&wanted).await?);
            changes += usize::from(queues.ensure(&wanted).await?.is_changed());
        }
    }

    // One call every two seconds, on average.
    let api = ConcurrencyLimitV2Create::new("partner-api", 5).slot_decay_per_second(0.5);
    let limits = client.global_concurrency_limits();
    for limit in [ConcurrencyLimitV2Create::new("database", 10), api] {
        println!("{}", limits.plan(&limit).await?);
        changes += usize::from(limits.ensure(&limit).await?.is_changed());
    }
    let tags = client.concurrency_limits();
    println!("{}", tags.plan("gpu", 2).await?);
    changes += usize::from(tags.ensure("gpu", 2).await?.is_changed());

    let variables = client.variables();
    for variable in [
        VariableCreate::new("regions", json!(["eu", "us"])),
        VariableCreate::new("rows_at_once", 5000),
    ] {
        println!("{}", variables.plan(&variable).await?);
        changes += usize::from(variables.ensure(&variable).await?.is_changed());
    }
    Ok(changes)
}
