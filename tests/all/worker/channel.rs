//! The channel between a worker and its pool, on real servers and through a proxy that treats it badly.

use std::time::Duration;

use prefect_sdk::types::{WorkPoolUpdate, WorkerStatus};
use prefect_sdk::work_pools::{WorkPoolWorkers, WorkerChannel};
use prefect_sdk::worker::ProcessInfrastructure;
use prefect_sdk::{Client, ErrorKind, LocalServer, Result};
use serde_json::json;

use super::{Working, a_shell_in, a_worker, message};
use crate::flow::a_run_of;
use crate::support::{SocketMode, WebSocketProxy, live, live_server, unique};

/// Works with a channel. If the server's database is locked, it closes the channel (1011), or does not answer in time: then this
/// begins again with another one, some times.
async fn with_channel(
    workers: &WorkPoolWorkers<'_>,
    work: impl AsyncFn(&mut WorkerChannel) -> Result<()>,
) -> Result<()> {
    for _ in 0..20 {
        let connected = workers.connect("by-channel", "process", Duration::from_secs(1));
        let worked = match connected.await {
            Ok(mut channel) => work(&mut channel).await,
            Err(error) => Err(error),
        };
        match worked {
            Err(error) if matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout) => {}
            worked => return worked,
        }
    }
    panic!("no channel lasts");
}

#[tokio::test]
async fn it_tells_of_a_change_of_the_pool() {
    let client = live().await;
    let pool = unique("pool");
    Working::start(a_worker(&client, &pool)).await.stop().await;
    let pools = client.work_pools();
    let workers = pools.workers(&pool);
    let worked = with_channel(&workers, async |channel| {
        assert_eq!(channel.pool().name, pool);
        let limit = channel.pool().concurrency_limit.unwrap_or_default() + 1;
        let update = WorkPoolUpdate::new().concurrency_limit(limit);
        let (told, updated) = tokio::join!(
            async {
                while channel.changed().await?.concurrency_limit != limit {}
                Ok(())
            },
            pools.update(&pool, &update)
        );
        updated.expect("updated");
        told
    });
    worked.await.expect("told");
}

#[tokio::test]
async fn its_heartbeats_show_the_worker_in_its_pool() {
    let client = live().await;
    let pool = unique("pool");
    Working::start(a_worker(&client, &pool)).await.stop().await;
    let pools = client.work_pools();
    let workers = pools.workers(&pool);
    let shown = async || {
        let shown = workers.list().await.expect("the workers");
        let mut shown = shown.into_iter();
        shown.find(|it| it.name == "by-channel").expect("shown")
    };
    let worked = with_channel(&workers, async |channel| {
        // The greeting is a heartbeat, too.
        let greeted = shown().await.last_heartbeat_time;
        let is_shown = async {
            loop {
                let shown = shown().await;
                if shown.last_heartbeat_time != greeted
                    && shown.status == Some(WorkerStatus::Online)
                {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            shown = is_shown => shown,
            ended = async { loop { channel.changed().await?; } } => ended,
        }
    });
    worked.await.expect("open until then");
}

#[tokio::test]
async fn a_pool_that_does_not_exist_is_refused() {
    let client = live().await;
    let pools = client.work_pools();
    let refused = with_channel(&pools.workers("no-such-pool"), async |_| Ok(())).await;
    let error = refused.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
}

/// Changes the pool's template, and returns what a run does by which template.
async fn runs_by_the_new_template(client: &Client, pool: &str) {
    let deployment = a_shell_in(client, pool, "exit 1").await;
    let template = json!({
        "job_configuration": { "command": "sh -c 'exit 42'" },
        "variables": { "type": "object", "properties": { "command": { "type": "string" } } },
    });
    let update = WorkPoolUpdate::new().base_job_template(template);
    client
        .work_pools()
        .update(pool, &update)
        .await
        .expect("updated");
    loop {
        let run = a_run_of(client, deployment).await;
        let run = client.flow_runs().wait(run).await.expect("ended");
        if message(&run).contains("status code 42") {
            return;
        }
    }
}

#[tokio::test]
async fn a_worker_goes_on_when_its_channel_is_cut_or_refused() {
    let server = live_server().await;
    for mode in [
        SocketMode::Passes,
        SocketMode::Lives(Duration::from_millis(300)),
        SocketMode::ClosesCleanly(Duration::from_millis(300)),
        SocketMode::Refused,
        SocketMode::DeniedByClosing,
    ] {
        let proxy = WebSocketProxy::start(server.api_url(), mode).await;
        let client = proxy.client();
        let pool = unique("pool");
        let worker = client
            .worker(&pool, ProcessInfrastructure::new())
            .create_pool();
        let working = Working::start(worker.poll_interval(Duration::from_millis(200))).await;
        if matches!(mode, SocketMode::Passes) {
            // Without it, the pool is read every 30 s only.
            runs_by_the_new_template(&client, &pool).await;
        } else {
            let deployment = a_shell_in(&client, &pool, "exit 3").await;
            let run = a_run_of(&client, deployment).await;
            let run = client.flow_runs().wait(run).await.expect("ended");
            assert!(
                message(&run).contains("status code 3"),
                "{mode:?}: {}",
                message(&run)
            );
        }
        let workers = client
            .work_pools()
            .workers(&pool)
            .list()
            .await
            .expect("the workers");
        assert_eq!(workers[0].status, Some(WorkerStatus::Online), "{mode:?}");
        working.stop().await;
    }
}

#[tokio::test]
async fn a_server_that_has_no_channel_knows_its_workers_by_requests() {
    let server = LocalServer::builder()
        .version("3.6.29")
        .start()
        .await
        .expect("a server");
    let client = server.client().expect("a client");
    let pool = unique("pool");
    let working = Working::start(a_worker(&client, &pool)).await;
    let deployment = a_shell_in(&client, &pool, "exit 3").await;
    let run = a_run_of(&client, deployment).await;
    let run = client.flow_runs().wait(run).await.expect("ended");
    assert!(message(&run).contains("status code 3"), "{}", message(&run));
    let workers = client
        .work_pools()
        .workers(&pool)
        .list()
        .await
        .expect("the workers");
    assert_eq!(workers[0].status, Some(WorkerStatus::Online));
    working.stop().await;
}
