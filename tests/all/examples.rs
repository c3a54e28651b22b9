//! Runs the examples on real servers.

#[allow(dead_code)]
#[path = "../../examples/clean_up.rs"]
mod clean_up;
#[allow(dead_code)]
#[path = "../../examples/define_deployment.rs"]
mod define_deployment;
#[allow(dead_code)]
#[path = "../../examples/export_runs.rs"]
mod export_runs;
#[allow(dead_code)]
#[path = "../../examples/infrastructure.rs"]
mod infrastructure;
#[allow(dead_code)]
#[path = "../../examples/on_failure.rs"]
mod on_failure;
#[allow(dead_code)]
#[path = "../../examples/run_and_follow.rs"]
mod run_and_follow;
#[allow(dead_code)]
#[path = "../../examples/shared_limit.rs"]
mod shared_limit;

use std::process::Command;
use std::time::{Duration, Instant};

use prefect_sdk::types::*;
use prefect_sdk::{Client, LocalServer};
use serde_json::{Value, json};

use crate::support::Flows;

/// Creates this many runs in this state.
async fn runs(client: &Client, count: usize, state: StateType) {
    let flow = client
        .flows()
        .create(&FlowCreate::new("etl"))
        .await
        .expect("a flow")
        .id;
    for _ in 0..count {
        let state = StateCreate::new(state.clone());
        let run = FlowRunCreate::new(flow).state(state).parameters(json!({}));
        client.flow_runs().create(&run).await.expect("a run");
    }
}

#[tokio::test]
async fn old_runs_are_cleaned_up_and_a_week_of_them_is_exported() {
    let server = LocalServer::start().await.expect("a server");
    let client = server.client().expect("a client");
    runs(&client, 5, StateType::Completed).await;
    runs(&client, 2, StateType::Scheduled).await;

    let mut out = Vec::new();
    assert_eq!(
        export_runs::run(&client, &mut out).await.expect("exported"),
        7
    );
    let lines = String::from_utf8(out).expect("text");
    let exported = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    assert!(
        exported
            .map(|run| run["state_type"].clone())
            .all(|state| state.is_string())
    );
    assert_eq!(lines.lines().count(), 7);

    assert_eq!(
        clean_up::run(&client, 1, true)
            .await
            .expect("nothing is old"),
        0
    );
    assert_eq!(clean_up::run(&client, 0, false).await.expect("counted"), 5);
    assert_eq!(client.flow_runs().count().await.expect("counted"), 7);
    assert_eq!(clean_up::run(&client, 0, true).await.expect("deleted"), 5);
    assert_eq!(client.flow_runs().count().await.expect("counted"), 2);
    server.stop().await.expect("it stops");
}

#[tokio::test]
async fn a_deployment_with_schedule_and_automation_is_defined_once() {
    let server = LocalServer::start().await.expect("a server");
    let client = server.client().expect("a client");
    // The pool, the flow, two deployments and the automation; the second and third time nothing.
    let mut ids = Vec::new();
    for expected in [5, 0, 0] {
        let changes = define_deployment::run(&client).await.expect("defined");
        assert_eq!(changes, expected);
        let automation = client.automations().get_by_name("repair etl").await;
        let automation = serde_json::to_value(automation.expect("there")).expect("JSON");
        let nightly = client.deployments().get_by_name("etl", "nightly").await;
        let nightly = nightly.expect("there");
        ids.push((automation, nightly.updated, nightly.schedules));
    }
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
    assert_eq!(client.deployments().count().await.expect("counted"), 2);
    assert_eq!(client.automations().count().await.expect("counted"), 1);
    let nightly = client
        .deployments()
        .get_by_name("etl", "nightly")
        .await
        .expect("there");
    let schedules = client
        .deployments()
        .schedules(nightly.id)
        .list()
        .await
        .expect("listed");
    let [schedule] = schedules.as_slice() else {
        panic!("one schedule: {schedules:?}");
    };
    let Schedule::Cron(cron) = &schedule.schedule else {
        panic!("a cron expression: {schedule:?}");
    };
    assert_eq!(cron.timezone.as_deref(), Some("Europe/Berlin"));
    server.stop().await.expect("it stops");
}

#[tokio::test]
async fn infrastructure_is_as_the_code_says_each_time_that_it_runs() {
    let server = LocalServer::start().await.expect("a server");
    let client = server.client().expect("a client");
    for expected in [11, 0, 0] {
        let changes = infrastructure::run(&client).await.expect("created");
        assert_eq!(changes, expected);
    }
    client
        .work_pools()
        .update("batch", &WorkPoolUpdate::new().concurrency_limit(1))
        .await
        .expect("changed by hand");
    let changes = infrastructure::run(&client).await.expect("put right");
    assert_eq!(changes, 1);
    let pool = client.work_pools().get("batch").await.expect("there");
    assert_eq!(*pool.concurrency_limit, Some(20));
    let queues = client
        .work_pools()
        .queues("batch")
        .list()
        .await
        .expect("listed");
    assert_eq!(queues.len(), 3, "default, urgent and ordinary");
    let limit = client
        .global_concurrency_limits()
        .get("partner-api")
        .await
        .expect("there");
    assert_eq!(
        limit.slot_decay_per_second.map(|decay| decay.as_f64()),
        Some(0.5)
    );
    server.stop().await.expect("it stops");
}

#[tokio::test]
async fn a_run_is_followed_and_a_failure_is_reacted_to() {
    let server = LocalServer::start().await.expect("a server");
    let client = server.client().expect("a client");
    let flows = Flows::serve(&server).await;
    let listening = tokio::spawn({
        let client = client.clone();
        async move {
            let mut out = Vec::new();
            on_failure::run(&client, &mut out, Some(1))
                .await
                .expect("it listens");
            String::from_utf8(out).expect("text")
        }
    });
    let mut outs = Vec::new();
    for fail in [false, true] {
        let mut out = Vec::new();
        let parameters = json!({"lines": 3, "fail": fail});
        let completed = run_and_follow::run(&client, Flows::NAME, parameters, &mut out, false);
        assert_eq!(completed.await.expect("it is followed"), !fail);
        outs.push(String::from_utf8(out).expect("text"));
    }
    for out in &outs {
        // A traceback also contains lines that end in a line number, but in other numbers.
        for line in ["INFO     line 0", "INFO     line 1", "INFO     line 2"] {
            let lines = out.lines().filter(|it| it.ends_with(line));
            assert_eq!(lines.count(), 1, "{out}");
        }
    }
    assert!(
        outs[0].contains("Completed") && outs[1].contains("Failed"),
        "{outs:?}"
    );
    let told = tokio::time::timeout(Duration::from_secs(60), listening).await;
    let told = told.expect("the event arrives").expect("no panic");
    assert!(told.contains("rust-test-flow"), "{told}");
    drop(flows);
    server.stop().await.expect("it stops");
}

const SHARED_LIMIT: &str = "PREFECT_SDK_TEST_SHARED_LIMIT";

/// This waits for a lease to expire, so it runs concurrently with others that do.
pub async fn the_slot_of_a_process_that_is_killed_comes_back(server: &LocalServer) {
    let client = server.client().expect("a client");
    let worker = |limit: &str| {
        let mut worker = Command::new(std::env::current_exe().expect("this test binary"));
        worker.args([
            "--exact",
            "examples::a_process_that_shares_a_limit",
            "--nocapture",
        ]);
        worker.env(SHARED_LIMIT, format!("{} {limit}", server.api_url()));
        worker
    };
    let mut out = Vec::new();
    let begun = Instant::now();
    let used_again = shared_limit::run(&client, worker, &mut out, false).await;
    used_again.expect("it runs");
    // The worker that is killed takes its slot after this, for a minute of the server's time of day.
    assert!(begun.elapsed() >= Duration::from_secs(59));
    let out = String::from_utf8(out).expect("text");
    assert!(
        out.contains("killed") && out.contains("its slot is used again"),
        "{out}"
    );
}

/// Not a test by itself: the one above runs it in other processes.
#[tokio::test]
async fn a_process_that_shares_a_limit() {
    let Ok(said) = std::env::var(SHARED_LIMIT) else {
        return;
    };
    let (url, limit) = said.split_once(' ').expect("both");
    let client = Client::builder().api_url(url).build().expect("a client");
    // The output is read line by line, and the test harness has already begun a line.
    println!();
    shared_limit::work(&client, limit).await.expect("it works");
}
