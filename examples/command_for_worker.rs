//! A program that any Prefect worker runs as the command of a deployment: it is handed the run by its environment.
//!
//! A deployment of a process pool with the job variable `command` set to the path of this program, and without an
//! entrypoint, needs nothing else: `cargo build --features flows,logs --example command_for_worker`. How the run is to end is
//! a parameter.

use std::time::Duration;

use prefect_sdk::flow::{BoxError, Flow, Outcome, Run};
use prefect_sdk::{Client, logs};
use serde::Deserialize;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[derive(Deserialize)]
struct Parameters {
    #[serde(default)]
    end: String,
}

async fn work(run: Run, Parameters { end }: Parameters) -> Result<String, BoxError> {
    tracing::info!("working on {}", run.name());
    match end.as_str() {
        "fail" => Err("told to fail".into()),
        "abort" => std::process::abort(),
        "wait" => {
            let reason = run.cancelled().await;
            tracing::warn!("stopping: {reason}");
            Err(reason.to_string().into())
        }
        _ => {
            let task = run.task("greet").run(|_| async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok::<_, BoxError>("Hello from Rust".to_owned())
            });
            Ok(task.await?.into_inner())
        }
    }
}

#[tokio::main]
async fn main() -> Result<Outcome<String>, BoxError> {
    let client = Client::from_env()?;
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_filter(LevelFilter::INFO))
        .with(logs::layer(&client))
        .init();
    let flow = Flow::new("command", work);
    Ok(client.attempt(&flow).await?)
}
