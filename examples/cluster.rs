//! Starts three Prefect servers behind a balancer, with PostgreSQL and Redis, and keeps them until Ctrl-C.
//!
//! `cargo run --features local-server --example cluster`

use prefect_sdk::Result;
use prefect_sdk::local_server::LocalCluster;

#[tokio::main]
async fn main() -> Result<()> {
    println!("Starting a cluster …");
    let cluster = LocalCluster::start().await?;
    println!("Prefect answers at {}", cluster.api_url());
    for url in cluster.server_urls() {
        println!("  a server of it: {url}");
    }
    println!("It ends with Ctrl-C.");
    // Without a handler for Ctrl-C the cluster would end as well: it ends with this program.
    let _ = tokio::signal::ctrl_c().await;
    cluster.stop().await
}
