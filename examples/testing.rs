//! A program that uses Prefect, and its tests: `cargo test --features flows,logs,testing --example testing`.
//!
//! The tests are the five recipes of the guide "Testing your code": no server, no Python and no waiting.

use std::sync::Arc;
use std::time::Duration;

use prefect_sdk::flow::{BoxError, Flow, Run};
use prefect_sdk::{Client, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// Reads the orders of a day: what tests replace.
type ReadOrders = Arc<dyn Fn(&str) -> Result<Vec<u32>, BoxError> + Send + Sync>;

/// The parameters of a run.
#[derive(Deserialize, Serialize)]
struct Night {
    day: String,
}

/// Sums up the orders of a day. A run that fails is tried again twice, each time a minute later.
fn summing_up(read_orders: ReadOrders) -> Flow<Night, u32> {
    let flow = Flow::new("summing-up", move |run: Run, Night { day }| {
        let read_orders = Arc::clone(&read_orders);
        async move {
            let read = run.task("read").input("day", &day);
            let orders = read.run(|_| std::future::ready(read_orders(&day))).await?;
            tracing::info!("{} orders on {day}", orders.len());
            let sum = run.task("sum").input("orders", &orders);
            let sum = sum.run(|_| std::future::ready(Ok::<u32, BoxError>(orders.iter().sum())));
            Ok::<_, BoxError>(sum.await?.into_inner())
        }
    });
    flow.retries(2).retry_delay(Duration::from_secs(60))
}

/// Watches a folder until it is cancelled, and then puts its lock away.
fn watching(put_lock_away: impl Fn() + Send + Sync + 'static) -> Flow<(), ()> {
    let put_lock_away = Arc::new(put_lock_away);
    Flow::new("watching", move |run: Run, ()| {
        let put_lock_away = Arc::clone(&put_lock_away);
        async move {
            let cancelled = run.cancelled();
            cancelled.await;
            put_lock_away();
            Ok::<_, BoxError>(())
        }
    })
}

/// Starts the run of a night. Whoever is not sure whether it has begun may start it again: it is one run.
async fn start_nightly(client: &Client, day: &str) -> Result<Uuid> {
    let run = client.deployments().run("summing-up/nightly");
    let run = run
        .parameters(json!({ "day": day }))
        .idempotency_key(day)
        .send()
        .await?;
    Ok(run.id())
}

/// Prints while a slot of the printer is held.
async fn print(
    client: &Client,
    pages: impl Future<Output = Result<u32, BoxError>>,
) -> Result<u32, BoxError> {
    let slot = client.concurrency("printer").acquire().await?;
    let printed = pages.await;
    slot.release().await?;
    printed
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let client = Client::from_env()?;
    let word = std::env::args().nth(1);
    match word.as_deref() {
        Some("watch") => drop(
            client
                .attempt(&watching(|| println!("the lock is away")))
                .await?,
        ),
        Some("start") => println!("{}", start_nightly(&client, "monday").await?),
        Some("print") => println!("{} pages", print(&client, async { Ok(3) }).await?),
        _ => {
            let flow = summing_up(Arc::new(|_| Ok(vec![3, 4])));
            let outcome = client
                .attempt(&flow)
                .parameters(json!({ "day": "monday" }))
                .await?;
            println!("{:?}", outcome.value());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use prefect_sdk::logs;
    use prefect_sdk::testing::{TestServer, op};
    use prefect_sdk::types::{ConcurrencyLimitV2Create, DeploymentCreate, FlowCreate, StateType};
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;

    use super::*;

    #[tokio::test]
    async fn a_run_that_fails_is_tried_again_a_minute_later() {
        let kit = TestServer::start();
        let attempts = AtomicUsize::new(0);
        let flow = summing_up(Arc::new(move |_| {
            match attempts.fetch_add(1, Ordering::Relaxed) {
                0 => Err("the source is busy".into()),
                _ => Ok(vec![3, 4]),
            }
        }));
        let begin = kit.now();
        let attempt = kit
            .client()
            .attempt(&flow)
            .parameters(json!({ "day": "monday" }));
        let outcome = kit.skip_waits(attempt.into_future()).await.expect("a run");
        assert_eq!(outcome.value(), Some(&7));
        let states = [
            "Pending",
            "Running",
            "AwaitingRetry",
            "Running",
            "Completed",
        ];
        assert_eq!(kit.states(outcome.run_id()), states);
        assert!(kit.now() - begin >= chrono::TimeDelta::seconds(60));
    }

    #[tokio::test]
    async fn a_lost_reply_makes_no_second_run() {
        let kit = TestServer::start();
        let client = kit.client();
        let flow = client
            .flows()
            .create(&FlowCreate::new("summing-up"))
            .await
            .expect("a flow");
        let nightly = DeploymentCreate::new("nightly", flow.id);
        client
            .deployments()
            .create(&nightly)
            .await
            .expect("a deployment");
        // All attempts of the first call are executed, and none of its replies arrives.
        let lost = kit
            .on(op::create_flow_run_from_deployment)
            .lose_reply()
            .times(6);
        let unsure = kit.skip_waits(start_nightly(&client, "monday")).await;
        assert!(unsure.expect_err("no reply").may_have_happened());
        let run = start_nightly(&client, "monday").await.expect("a run");
        assert!(lost.calls() > 1);
        let runs: Vec<Uuid> = kit.flow_runs().iter().map(|run| run.id).collect();
        assert_eq!(runs, [run]);
    }

    #[tokio::test]
    async fn a_run_that_is_cancelled_puts_its_lock_away() {
        let kit = TestServer::start();
        let is_away = Arc::new(AtomicBool::new(false));
        let put = Arc::clone(&is_away);
        let flow = watching(move || put.store(true, Ordering::Relaxed));
        let client = kit.client();
        let attempt = client.attempt(&flow).into_future();
        let cancel = async {
            let run = kit.until(|kit| {
                let runs = kit.flow_runs();
                let running = runs.iter().find(|run| run.state_type == StateType::Running);
                running.map(|run| run.id)
            });
            kit.cancel(run.await);
        };
        let (outcome, ()) = tokio::join!(attempt, cancel);
        let run = outcome.expect("a run").run_id();
        assert_eq!(
            kit.states(run),
            ["Pending", "Running", "Cancelling", "Cancelled"]
        );
        assert!(is_away.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn the_run_has_its_graph_and_its_lines() {
        let kit = TestServer::start();
        let client = kit.client();
        let lines = tracing_subscriber::registry().with(logs::layer(&client));
        let _guard = lines.set_default();
        let flow = summing_up(Arc::new(|_| Ok(vec![3, 4])));
        let outcome = client
            .attempt(&flow)
            .parameters(json!({ "day": "monday" }))
            .await
            .expect("a run");
        assert!(
            kit.lines(outcome.run_id())
                .contains(&"2 orders on monday".to_owned())
        );
        let tasks = kit.task_runs(outcome.run_id());
        let names: Vec<_> = tasks.iter().map(|task| task.task_key.as_str()).collect();
        assert_eq!(names, ["read", "sum"]);
        let graph = client
            .raw()
            .read_flow_run_graph_v2(&outcome.run_id(), None)
            .await
            .expect("a graph");
        let edges = serde_json::to_string(&graph.into_inner().nodes).expect("JSON");
        assert!(
            edges.contains(&format!(r#""parents":[{{"id":"{}"#, tasks[0].id)),
            "{edges}"
        );
    }

    #[tokio::test]
    async fn the_slot_is_given_back_when_printing_fails() {
        let kit = TestServer::start();
        let client = kit.client();
        let limit = ConcurrencyLimitV2Create::new("printer", 1);
        let limits = client.global_concurrency_limits();
        limits.create(&limit).await.expect("a limit");
        let jam = print(&client, async { Err("paper jam".into()) }).await;
        assert_eq!(jam.expect_err("a jam").to_string(), "paper jam");
        let limit = limits.get("printer").await.expect("a limit");
        assert_eq!(limit.active_slots, 0);
    }
}
