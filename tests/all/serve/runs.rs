//! Runs of deployments that are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use prefect_sdk::Flow;
use prefect_sdk::flow::{BoxError, Run};
use prefect_sdk::testing::op;
use prefect_sdk::types::StateType;
use serde_json::{Value, json};

use super::{Serving, a_kit, ended_run, served};
use crate::flow::process::until_running;
use crate::flow::{a_run_of, states};
use crate::support::{BUSY_TIMEOUT, SocketMode, WebSocketProxy, live, live_server, unique};

/// So long that a test that waits for a poll does not end.
const NEVER: Duration = Duration::from_secs(3600);

const A_DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn a_run_is_started_by_the_event_that_reports_it() {
    let client = live().await;
    let flow = Flow::new(unique("flow"), |run: Run, parameters: Value| async move {
        Ok::<_, BoxError>(json!({ "name": run.name(), "parameters": parameters }))
    });
    let serve = client
        .serve()
        .add(flow.deployment("d").parameters(json!({ "n": 7 })));
    let serving = Serving::start(serve.poll_interval(NEVER)).await;
    let deployment = served(&client, &flow).await;
    let run = ended_run(&client, deployment).await;
    assert_eq!(
        states(&client, run).await,
        ["Scheduled", "Pending", "Running", "Completed"]
    );
    let result: Value = client.flow_runs().result(run).await.expect("a result");
    assert_eq!(result["parameters"], json!({ "n": 7 }));
    let stats = serving.stop().await;
    assert_eq!((stats.completed, stats.running), (1, 0));
    assert!(stats.last_poll.is_some());
}

#[tokio::test]
async fn without_events_runs_are_found_by_polls() {
    let server = live_server().await;
    let proxy = WebSocketProxy::start(server.api_url(), SocketMode::Refused).await;
    let client = proxy.client();
    let flow = Flow::new(unique("flow"), |_: Run, _: ()| async {
        Ok::<_, BoxError>(())
    });
    let serve = client.serve().add(flow.deployment("d"));
    let serving = Serving::start(serve.poll_interval(Duration::from_millis(200))).await;
    let deployment = served(&client, &flow).await;
    ended_run(&client, deployment).await;
    assert_eq!(serving.stop().await.completed, 1);
}

#[tokio::test]
async fn a_run_that_is_due_later_is_known_before_and_started_then() {
    let kit = a_kit();
    let client = kit.client();
    let flow = Flow::new(unique("flow"), |_: Run, _: ()| async {
        Ok::<_, BoxError>(())
    });
    // The event that reports the run is followed by a poll, which finds it; the next one would be many hours later.
    let serve = client.serve().add(flow.deployment("d"));
    let serving = Serving::start(serve.poll_interval(A_DAY).prefetch(A_DAY)).await;
    let deployment = served(&client, &flow).await;
    let due = kit.now() + chrono::TimeDelta::hours(1);
    let run = client.deployments().run(deployment).scheduled(due);
    let run = run.send().await.expect("a run").id();
    let is_known = || {
        let requests = kit.requests();
        let mut since = requests
            .iter()
            .skip_while(|it| it.operation != op::create_flow_run_from_deployment.name());
        let polls = op::get_scheduled_flow_runs_for_deployments.name();
        let poll = since.find(|it| it.operation == polls)?;
        let last = serving.handle.stats().last_poll?;
        Some(last.timestamp_millis() >= poll.at.timestamp_millis())
    };
    while is_known() != Some(true) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let left = (due - kit.now()).to_std();
    kit.advance(left.expect("it is due later")).await;
    let ended = client.flow_runs().wait(run).timeout(BUSY_TIMEOUT);
    let run = ended.await.expect("ended");
    assert!(
        run.start_time.is_some_and(|start| start >= due),
        "{:?}",
        run.start_time
    );
    // It was not claimed before, either.
    let states = client.flow_runs().states(run.id).await.expect("the states");
    let pending = states
        .iter()
        .find(|state| state.type_ == StateType::Pending);
    assert!(pending.expect("claimed").timestamp >= Some(due));
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_fail_panic_or_block_leave_the_others_alone() {
    let client = live().await;
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let flow = Flow::new(unique("flow"), move |_: Run, parameters: Value| {
        let over = Arc::clone(&over);
        async move {
            match parameters["end"].as_str() {
                Some("fail") => Err::<(), BoxError>("told to fail".into()),
                Some("panic") => panic!("told to panic"),
                Some("hang") => std::future::pending().await,
                // A thread of the runtime is lost to it, until both are cancelled. (If they are not, the test fails at last.)
                Some("deaf") => {
                    let begun = Instant::now();
                    while !over.load(Ordering::SeqCst) && begun.elapsed() < BUSY_TIMEOUT {
                        std::thread::sleep(Duration::from_millis(50));
                    }
                    Ok(())
                }
                _ => Ok(()),
            }
        }
    });
    let serving = Serving::start(client.serve().add(flow.deployment("d")).limit(2)).await;
    let deployment = served(&client, &flow).await;
    let start = |end: &'static str| {
        let run = client.deployments().run(deployment);
        async move {
            run.parameters(json!({ "end": end }))
                .send()
                .await
                .expect("a run")
                .id()
        }
    };
    let mut stuck = Vec::new();
    // One after the other: the runtime may have only one thread.
    for end in ["hang", "deaf"] {
        let run = start(end).await;
        until_running(&client, run).await;
        stuck.push(run);
    }
    for run in &stuck {
        client.flow_runs().cancel(*run).await.expect("cancelling");
    }
    for run in client.flow_runs().wait_all(stuck).await.expect("ended") {
        assert_eq!(run.state_name, "Cancelled");
    }
    is_over.store(true, Ordering::SeqCst);
    // Both slots are free again.
    let mut runs = Vec::new();
    for end in ["fail", "panic", "", ""] {
        runs.push(start(end).await);
    }
    let ended = client.flow_runs().wait_all(runs).await.expect("ended");
    let ended: Vec<_> = ended
        .iter()
        .map(|run| run.state_name.as_deref().unwrap_or_default())
        .collect();
    assert_eq!(ended, ["Failed", "Failed", "Completed", "Completed"]);
    let stats = serving.stop().await;
    assert_eq!((stats.cancelled, stats.failed, stats.completed), (2, 2, 2));
}

#[tokio::test]
async fn a_run_that_waits_for_a_retry_is_left_to_its_process() {
    let client = live().await;
    let begun = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&begun);
    let name = unique("flow");
    let flow = |delay: u64| {
        let counter = Arc::clone(&counter);
        Flow::new(&name, move |run: Run, _: ()| {
            counter.fetch_add(1, Ordering::SeqCst);
            async move {
                match run.attempt() {
                    1 => Err::<_, BoxError>("once".into()),
                    attempt => Ok(attempt),
                }
            }
        })
        .retries(1)
        .retry_delay(Duration::from_secs(delay))
    };
    let one = client.serve().add(flow(3).deployment("d"));
    let one = Serving::start(one.poll_interval(Duration::from_millis(100))).await;
    let two = client.serve().add(flow(3).deployment("d"));
    let two = Serving::start(two.poll_interval(Duration::from_millis(100))).await;
    let deployment = served(&client, &flow(3)).await;
    let run = a_run_of(&client, deployment).await;
    client.flow_runs().wait(run).await.expect("ended");
    let mut states = states(&client, run).await;
    // On a loaded server, PENDING may be there twice.
    states.dedup();
    assert_eq!(
        states,
        [
            "Scheduled",
            "Pending",
            "Running",
            "AwaitingRetry",
            "Running",
            "Completed"
        ]
    );
    assert_eq!(begun.load(Ordering::SeqCst), 2);
    let (one, two) = (one.stop().await, two.stop().await);
    assert_eq!(one.completed + two.completed, 1);
}
