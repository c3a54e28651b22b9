//! A worker: takes the runs of a work pool, and starts the process of each.
//!
//! `cargo run --features worker --example worker -- POOL [LIMIT]`. It creates the pool if there is none. A deployment in this
//! pool says by the job variable `command` what is started; without it, it is the deployment's Python flow. Ctrl-C and
//! SIGTERM end it: the runs in progress have a minute to end, and are rescheduled then.

use std::time::Duration;

use prefect_sdk::Client;
use prefect_sdk::flow::BoxError;
use prefect_sdk::serve::Shutdown;
use prefect_sdk::worker::ProcessInfrastructure;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let mut arguments = std::env::args().skip(1);
    let pool = arguments
        .next()
        .ok_or("say which work pool: worker POOL [LIMIT]")?;
    let limit = arguments.next().map_or(Ok(10), |limit| limit.parse())?;

    let client = Client::from_env()?;
    let worker = client
        .worker(&pool, ProcessInfrastructure::new())
        .create_pool()
        .limit(limit)
        .on_shutdown(Shutdown::Drain(Duration::from_secs(60)))
        .start()
        .await?;
    println!("{} takes the runs of {pool}", worker.handle().name());
    let stats = worker.run().await?;
    println!(
        "{} processes were started, {} have succeeded",
        stats.started, stats.succeeded
    );
    client.shutdown(Duration::from_secs(5)).await?;
    Ok(())
}
