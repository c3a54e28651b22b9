//! What goes wrong with a part of a cluster does not reach the caller: what can be repeated is done once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use prefect_sdk::local_server::LocalCluster;
use prefect_sdk::reqwest::StatusCode;
use prefect_sdk::types::*;
use prefect_sdk::{Client, LocalServer, RetryPolicy};
use serde_json::json;

use super::{balanced, cluster, each};
use crate::support::{a_flow, a_run, unique};

/// The version before the one that the SDK is made for.
const OLDER: &str = "3.8.8";

/// How many tasks create runs at the same time, and for how long before and after the fault.
const CREATORS: usize = 8;
const CALM: Duration = Duration::from_secs(1);

/// A policy that goes on as long as a fault lasts.
fn persistent() -> RetryPolicy {
    RetryPolicy::default()
        .attempts(1000)
        .base_delay(Duration::from_millis(50))
        .max_delay(Duration::from_secs(1))
}

/// Creates runs while this happens, again until a request has met it, and checks that each has been created once.
async fn each_run_is_created_once_while(
    cluster: &mut LocalCluster,
    retry: RetryPolicy,
    fault: impl AsyncFn(&mut LocalCluster),
) {
    let met = Arc::new(AtomicUsize::new(0));
    let failed = Arc::clone(&met);
    let builder = balanced(cluster).retry(retry).observer(move |attempt| {
        let is_failed = attempt
            .status()
            .is_none_or(|status| status.is_server_error());
        failed.fetch_add(usize::from(is_failed), Ordering::Relaxed);
    });
    let client = builder.build().expect("a client");
    let flow = FlowCreate::new(unique("flow"));
    let flow = client.flows().create(&flow).await.expect("a flow").id;
    let over = AtomicBool::new(false);
    let creators = (0..CREATORS).map(async |_| {
        let mut names = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let name = unique("run");
            a_run(&client, flow, |run| run.name(&name)).await;
            names.push(name);
        }
        names
    });
    let happening = async {
        tokio::time::sleep(CALM).await;
        // Only what comes from now on is the fault's.
        met.store(0, Ordering::Relaxed);
        loop {
            fault(cluster).await;
            if met.load(Ordering::Relaxed) > 0 {
                break;
            }
        }
        tokio::time::sleep(CALM).await;
        over.store(true, Ordering::Relaxed);
    };
    let (names, ()) = tokio::join!(join_all(creators), happening);
    let mut names = names.concat();
    let found = client
        .flow_runs()
        .list()
        .flow_id(flow)
        .await
        .expect("listed");
    let mut found: Vec<_> = found.into_iter().filter_map(|run| run.name).collect();
    names.sort();
    found.sort();
    assert!(
        names == found,
        "{} created, {} found",
        names.len(),
        found.len()
    );
}

#[tokio::test]
async fn a_server_that_is_killed_under_load_loses_and_doubles_nothing() {
    let mut cluster = cluster().await;
    each_run_is_created_once_while(&mut cluster, persistent(), async |cluster| {
        for server in [1, 2] {
            cluster.kill_server(server).await.expect("killed");
            cluster.start_server(server).await.expect("started");
        }
    })
    .await;
}

#[tokio::test]
async fn a_balancer_that_is_restarted_under_load_loses_and_doubles_nothing() {
    let mut cluster = cluster().await;
    each_run_is_created_once_while(&mut cluster, persistent(), async |cluster| {
        for _ in 0..3 {
            cluster.restart_balancer().await.expect("restarted");
            tokio::time::sleep(CALM).await;
        }
    })
    .await;
}

/// While there is no database, the servers answer 500, which is repeated only if that is asked for.
#[tokio::test]
async fn a_database_that_is_restarted_under_load_loses_and_doubles_nothing() {
    let mut cluster = cluster().await;
    let retry = persistent().extra_codes([StatusCode::INTERNAL_SERVER_ERROR]);
    each_run_is_created_once_while(&mut cluster, retry, async |cluster| {
        for _ in 0..3 {
            cluster.restart_database().await.expect("restarted");
            tokio::time::sleep(CALM).await;
        }
    })
    .await;
}

/// During a rolling update some of the servers are older than the database.
#[tokio::test]
async fn a_server_of_another_version_takes_its_part_of_the_work() {
    let mut cluster = cluster().await;
    cluster.replace_server(2, OLDER).await.expect("replaced");
    let versions = join_all(each(&cluster).iter().map(Client::version)).await;
    let versions: Vec<_> = versions.into_iter().map(|it| it.expect("told")).collect();
    let current = LocalServer::DEFAULT_VERSION;
    assert_eq!(versions, [current, current, OLDER]);

    let client = balanced(&cluster).build().expect("a client");
    let flow = a_flow(&client).await;
    let limit = ConcurrencyLimitV2Create::new(unique("limit"), 1);
    let limit = client.global_concurrency_limits().create(&limit).await;
    let limit = limit.expect("a limit").name;
    let name = unique("variable").replace('-', "_");
    for round in 0..10_i32 {
        let run = a_run(&client, flow, |run| run).await;
        for state in [StateType::Running, StateType::Completed] {
            let outcome = client.flow_runs().propose(run, StateCreate::new(state));
            outcome.await.expect("proposed");
        }
        let ended = client.flow_runs().wait(run).await.expect("it has ended");
        assert_eq!(ended.state_type, Some(StateType::Completed));
        let set = client.variables().set(&name, round).await;
        set.expect("set");
        let slot = client.concurrency(&limit).acquire().await.expect("a slot");
        slot.release().await.expect("given back");
        let event = json!({"occurred": chrono::Utc::now(), "event": unique("skew"), "id": uuid::Uuid::new_v4(),
            "resource": {"prefect.resource.id": "test.skew"}});
        let event: Event = serde_json::from_value(event).expect("an event");
        client.events().emit(event).await.expect("emitted");
    }

    // What the older server lacks, the others have; that one says so is not taken for all.
    let mut answered = [0, 0];
    for _ in 0..12 {
        match client.flow_runs().observed_states().await {
            Ok(_) => answered[0] += 1,
            Err(error) => {
                assert_eq!(error.kind(), prefect_sdk::ErrorKind::Unsupported, "{error}");
                answered[1] += 1;
            }
        }
    }
    assert!(answered.iter().all(|count| *count > 0), "{answered:?}");
    cluster.replace_server(2, current).await.expect("replaced");
}
