//! A Rust job as a flow run: three tasks and their graph, a retry that succeeds, a table, progress, and log lines.
//!
//! With `PREFECT_API_URL` set it uses that server; otherwise it starts one of its own:
//! `cargo run --features flows,logs,local-server --example etl_flow`. With `-- --keep` that server stays up, so that the run
//! can be looked at.

use std::time::Duration;

use prefect_sdk::artifacts::Artifact;
use prefect_sdk::flow::{BoxError, Flow, Outcome, Run};
use prefect_sdk::{Client, LocalServer, logs};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[derive(Deserialize)]
struct Parameters {
    day: String,
}

#[derive(Clone, Serialize)]
struct Sale {
    region: &'static str,
    amount: u32,
}

async fn etl(run: Run, Parameters { day }: Parameters) -> Result<u32, BoxError> {
    tracing::info!("the sales of {day}");
    let extract = run
        .task("extract")
        .input("day", &day)
        .retries(2)
        .retry_delay(Duration::from_millis(200));
    let sales = extract.run(|task| async move {
        if task.attempt() == 1 {
            return Err("the source is busy");
        }
        tracing::info!("extracted on attempt {}", task.attempt());
        let sale = |region, amount| Sale { region, amount };
        Ok(vec![sale("eu", 7), sale("us", 9), sale("eu", 3)])
    });
    let sales = sales.await?;

    let progress = run.progress("transform").await?;
    let count = sales.len();
    let transform = run.task("transform").input("sales", &sales).concurrency(2);
    let parts = transform.map(sales.iter().cloned().enumerate(), |_, (at, sale)| {
        let progress = &progress;
        async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            progress.set((at + 1) as f64 / count as f64);
            Ok::<_, BoxError>(sale.amount * 2)
        }
    });
    let parts = parts.await.into_iter().collect::<Result<Vec<_>, _>>()?;
    progress.set(1.0);

    let load = run.task("load").after_all(&parts).run(|task| {
        let (rows, parts) = (sales.iter(), parts.iter());
        let rows = rows
            .zip(parts)
            .map(|(sale, double)| json!({ "region": sale.region, "double": **double }));
        let rows: Vec<_> = rows.collect();
        async move {
            task.artifact(Artifact::table(&rows)?.key("sales")).await?;
            tracing::warn!("{} rows are loaded", rows.len());
            Ok::<u32, BoxError>(rows.len().try_into()?)
        }
    });
    Ok(load.await?.into_inner())
}

#[tokio::main]
async fn main() -> Result<Outcome<u32>, BoxError> {
    let (client, server) = match std::env::var_os("PREFECT_API_URL") {
        Some(_) => (Client::from_env()?, None),
        None => {
            println!("PREFECT_API_URL is not set: starting a Prefect server …");
            let server = LocalServer::builder().ui(true).start().await?;
            (server.client()?, Some(server))
        }
    };
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_filter(LevelFilter::INFO))
        .with(logs::layer(&client))
        .init();

    let outcome = run(&client).await?;

    let ui = client.api_url().trim_end_matches("/api");
    println!(
        "{}/runs/flow-run/{} {}",
        ui,
        outcome.run_id(),
        outcome.ending()
    );
    if server.is_some() && std::env::args().any(|argument| argument == "--keep") {
        println!("The server stays up until Enter is pressed.");
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    }
    Ok(outcome)
}

/// Runs the flow.
pub async fn run(client: &Client) -> prefect_sdk::Result<Outcome<u32>> {
    let flow = Flow::new("etl", etl)
        .retries(1)
        .timeout(Duration::from_secs(600))
        .run_name(|parameters: &Parameters| format!("etl-{}", parameters.day));
    client
        .attempt(&flow)
        .parameters(json!({ "day": "2026-11-26" }))
        .await
}
