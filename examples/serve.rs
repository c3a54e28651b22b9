//! Serves two flows: one by a schedule, every ten seconds, and one with parameters, which Prefect's UI asks for in a form.
//!
//! With `PREFECT_API_URL` set it uses that server; otherwise it starts one of its own, with its UI:
//! `cargo run --features flows,logs,schedules,schema,local-server --example serve`. Ctrl-C and SIGTERM end it. With
//! `HEALTH_ADDRESS=127.0.0.1:8080` it answers `GET /health` there, for systemd, Kubernetes and the like.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use chrono::{TimeDelta, Utc};
use prefect_sdk::flow::{BoxError, Flow, Run};
use prefect_sdk::serve::{ServerHandle, Shutdown};
use prefect_sdk::{Client, LocalServer, logs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How long the server may not have answered before this process counts as unhealthy.
const MAX_SILENCE: TimeDelta = TimeDelta::seconds(60);

/// What the second flow is to do. The comments are what the form shows.
#[derive(Deserialize, JsonSchema)]
struct Report {
    /// The region that the report is about.
    region: Region,
    /// How many days it covers.
    #[serde(default = "a_week")]
    #[schemars(range(min = 1, max = 366))]
    days: u32,
    /// Who is to get it.
    #[serde(default)]
    recipients: Vec<String>,
    /// A note for the first page.
    note: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
enum Region {
    Europe,
    America,
    Asia,
}

fn a_week() -> u32 {
    7
}

async fn tick(run: Run, _: ()) -> Result<(), BoxError> {
    tracing::info!("{} ticks at {}", run.name(), Utc::now());
    Ok(())
}

async fn report(run: Run, report: Report) -> Result<usize, BoxError> {
    let Report { region, days, .. } = report;
    let collect = run
        .task("collect")
        .input("region", &region)
        .input("days", &days);
    let rows = collect.run(|_| async move { Ok::<_, BoxError>(vec![region; days as usize]) });
    let rows = rows.await?;
    tracing::info!(
        "{} rows of {region:?} for {:?}",
        rows.len(),
        report.recipients
    );
    if let Some(note) = report.note {
        tracing::info!("{note}");
    }
    Ok(rows.len())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (client, server) = match std::env::var_os("PREFECT_API_URL") {
        Some(_) => (Client::from_env()?, None),
        None => {
            println!("Starting a server: set PREFECT_API_URL to use yours.");
            let server = LocalServer::builder().ui(true).start().await?;
            println!("Its UI is at {}", server.api_url().trim_end_matches("/api"));
            (server.client()?, Some(server))
        }
    };
    tracing_subscriber::registry()
        .with(
            tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_filter(LevelFilter::INFO),
        )
        .with(logs::layer(&client))
        .init();

    let every_ten_seconds = Flow::new("tick", tick)
        .deployment("every-ten-seconds")
        .interval(Duration::from_secs(10))?
        .tags(["example"]);
    let by_hand = Flow::new("report", report)
        .retries(1)
        .deployment("by-hand")
        .schema()?
        .description("Collects the rows of a region.")
        .concurrency_limit(2);
    let serving = client
        .serve()
        .add(every_ten_seconds)
        .add(by_hand)
        .limit(8)
        .on_shutdown(Shutdown::Drain(Duration::from_secs(20)))
        .start()
        .await?;
    if let Ok(address) = std::env::var("HEALTH_ADDRESS") {
        let listener = tokio::net::TcpListener::bind(address).await?;
        tokio::spawn(answer_health(listener, serving.handle()));
    }
    println!("Serving tick/every-ten-seconds and report/by-hand until Ctrl-C.");
    let stats = serving.run().await?;
    println!("{} runs are completed", stats.completed);
    client.shutdown(Duration::from_secs(5)).await?;
    if let Some(server) = server {
        server.stop().await?;
    }
    Ok(())
}

/// Answers 200 while the server is in reach, and else 503.
async fn answer_health(listener: tokio::net::TcpListener, serving: ServerHandle) {
    let health = move || async move {
        let stats = serving.stats();
        let is_live = stats
            .last_poll
            .is_some_and(|last| Utc::now() - last < MAX_SILENCE);
        let status = match is_live {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, format!("{stats:#?}\n"))
    };
    let served = axum::serve(listener, Router::new().route("/health", get(health)));
    if let Err(error) = served.await {
        tracing::error!(%error, "health is not answered any more");
    }
}
