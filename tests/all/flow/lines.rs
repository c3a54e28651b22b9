//! The log lines of runs and tasks.

use prefect_sdk::flow::{BoxError, Run};
use prefect_sdk::logs::layer;
use prefect_sdk::{Client, Flow};
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;

use super::task_runs;
use crate::support::{live, subscribe, unique};

async fn lines(client: &Client, run: uuid::Uuid) -> Vec<(i64, String, String, bool)> {
    let lines = client
        .logs()
        .list()
        .flow_run_id(run)
        .await
        .expect("the lines");
    let lines = lines.into_iter();
    lines
        .map(|it| {
            (
                it.level,
                it.name.clone(),
                it.message.clone(),
                it.task_run_id.is_some(),
            )
        })
        .collect()
}

#[tokio::test]
async fn lines_of_runs_and_tasks_arrive_in_order_and_no_others() {
    let client = live().await;
    let flow = Flow::new(unique("flow"), |run: Run, _: ()| async move {
        tracing::info!(target: "app", rows = 3, "extracting");
        tracing::debug!(target: "app", "too detailed");
        run.task("t")
            .run(|_| async {
                tracing::warn!(target: "app", "in the task");
                Ok::<_, BoxError>(())
            })
            .await?;
        let spawned =
            async { tracing::error!(target: "app", "spawned") }.instrument(run.span().clone());
        tokio::spawn(spawned).await?;
        run.client().flow_runs().count().await?;
        for n in 0..1000 {
            tracing::info!(target: "many", "{n}");
        }
        Ok::<_, BoxError>(())
    });
    let _subscriber = subscribe(tracing_subscriber::registry().with(layer(&client)));
    tracing::info!(target: "app", "outside of runs");
    let outcome = client.attempt(&flow).await.expect("run");
    assert!(outcome.is_completed(), "{outcome:?}");
    let all = lines(&client, outcome.run_id()).await;
    let app: Vec<_> = all.iter().filter(|line| line.1 == "app").cloned().collect();
    let expected = [
        (20, "extracting rows=3", false),
        (30, "in the task", true),
        (40, "spawned", false),
    ];
    let expected =
        expected.map(|(level, text, task)| (level, "app".to_owned(), text.to_owned(), task));
    assert_eq!(app, expected);
    let many: Vec<_> = all
        .iter()
        .filter(|line| line.1 == "many")
        .map(|line| line.2.parse().unwrap_or(-1))
        .collect();
    assert_eq!(many, (0..1000).collect::<Vec<i64>>());
    assert_eq!(task_runs(&client, outcome.run_id()).await.len(), 1);
    let others = all
        .iter()
        .filter(|line| !matches!(line.1.as_str(), "app" | "many"));
    let others: Vec<_> = others.map(|line| line.1.as_str()).collect();
    assert!(
        others.iter().all(|name| name.starts_with("prefect.")),
        "{others:?}"
    );
}
