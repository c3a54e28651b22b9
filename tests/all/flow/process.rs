//! A process that was started for a run, and the signals that it gets. One that is asked to end tries for 5 s to report that, so
//! it has a server in this process: a real one may need longer on a busy machine.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use prefect_sdk::automations::Automation;
use prefect_sdk::flow::{BoxError, Run};
use prefect_sdk::testing::TestServer;
use prefect_sdk::types::{
    DeploymentFlowRunCreate, FlowRunCreate, FlowRunPolicy, FlowRunResponse, StateCreate,
};
use prefect_sdk::{Client, Flow, LocalServer};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{a_deployment_of, a_flow_named, states};
use crate::support::{BUSY_TIMEOUT, live, unique};

/// The arguments by which this test binary is such a process.
pub const PROGRAM: [&str; 3] = [
    "--exact",
    "flow::process::a_program_that_is_started_for_a_run",
    "--nocapture",
];

/// The variable with the folder in which such a process writes its id into the file `begun` when it begins, and makes the file
/// `ended` before it ends by itself.
pub const JOURNAL: &str = "PROGRAM_JOURNAL";

/// Not a test by itself: others run it in another process.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_started_for_a_run() {
    if std::env::var_os("PREFECT__FLOW_RUN_ID").is_none() {
        return;
    }
    let journal = std::env::var_os(JOURNAL).map(PathBuf::from);
    let note = |file: &str, text: String| {
        if let Some(folder) = &journal {
            fs::write(folder.join(file), text).expect("written");
        }
    };
    note("begun", std::process::id().to_string());
    let client = Client::from_env().expect("a client");
    let flow = Flow::new("program", |run: Run, parameters: Value| async move {
        match parameters["end"].as_str() {
            Some("fail") => Err::<Value, BoxError>("told to fail".into()),
            Some("abort") => std::process::abort(),
            Some("wait") => std::future::pending().await,
            Some("deaf") => loop {
                std::thread::sleep(Duration::from_secs(1));
            },
            Some("tidy") => {
                let reason = run.cancelled().await;
                Ok(json!(reason.to_string()))
            }
            _ => {
                let task = run
                    .task("greet")
                    .run(|_| async { Ok::<_, BoxError>("hello") });
                Ok(json!({ "said": *task.await? }))
            }
        }
    });
    let outcome = client
        .attempt(&flow.heartbeat(Duration::from_secs(1)))
        .await;
    note("ended", format!("{outcome:?}"));
    std::process::exit(outcome.map_or(1, |outcome| outcome.exit_code().into()));
}

/// Starts the program for a new run whose function ends in this way.
pub async fn start(client: &Client, end: &str, variables: &[(&str, &str)]) -> (Child, Uuid) {
    let flow = a_flow_named(client, &unique("flow")).await;
    let run = FlowRunCreate::new(flow)
        .parameters(json!({ "end": end }))
        .state(StateCreate::pending());
    let run = client.flow_runs().create(&run).await.expect("a run").id;
    (start_for(client, run, variables), run)
}

fn start_for(client: &Client, run: Uuid, variables: &[(&str, &str)]) -> Child {
    Command::new(std::env::current_exe().expect("this test binary"))
        .args(PROGRAM)
        .env("PREFECT_API_URL", client.api_url())
        .env("PREFECT__FLOW_RUN_ID", run.to_string())
        .envs(variables.iter().copied())
        .spawn()
        .expect("runs")
}

/// Waits until a run has begun. On a busy machine it may have ended by then.
pub async fn until_running(client: &Client, run: Uuid) {
    let begun = client.flow_runs().wait(run);
    let begun = begun.until(|run| run.start_time.is_some());
    begun.await.expect("begun");
}

pub fn signal(program: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([name, &program.id().to_string()])
        .status();
    assert!(sent.expect("kill").success());
}

pub async fn ended(mut program: Child) -> ExitStatus {
    let ended = tokio::task::spawn_blocking(move || program.wait());
    ended.await.expect("no panic").expect("ended")
}

#[tokio::test]
async fn its_exit_code_says_how_the_run_has_ended() {
    let client = live().await;
    for (end, code, last) in [("", 0, "Completed"), ("fail", 1, "Failed")] {
        let (program, run) = start(&client, end, &[]).await;
        assert_eq!(ended(program).await.code(), Some(code));
        assert_eq!(states(&client, run).await, ["Pending", "Running", last]);
    }
}

#[tokio::test]
async fn a_signal_crashes_the_run_and_is_in_the_exit_code() {
    let kit = TestServer::start();
    let client = kit.client();
    for (name, code, message) in [
        (
            "-TERM",
            143,
            "Execution was aborted by a termination signal.",
        ),
        ("-INT", 130, "Execution was aborted by an interrupt signal."),
    ] {
        let (program, run) = start(&client, "wait", &[]).await;
        until_running(&client, run).await;
        signal(&program, name);
        assert_eq!(ended(program).await.code(), Some(code));
        assert_eq!(
            states(&client, run).await,
            ["Pending", "Running", "Crashed"]
        );
        let state = client
            .flow_runs()
            .handle(run)
            .state()
            .await
            .expect("a state");
        assert_eq!(state.message.as_deref(), Some(message));
    }
}

#[tokio::test]
async fn a_function_that_ends_in_time_after_a_signal_completes_its_run() {
    let kit = TestServer::start();
    let client = kit.client();
    let (program, run) = start(&client, "tidy", &[]).await;
    until_running(&client, run).await;
    signal(&program, "-TERM");
    assert_eq!(ended(program).await.code(), Some(0));
    let said: String = client.flow_runs().result(run).await.expect("a result");
    assert_eq!(said, "the process was asked to end");
}

#[tokio::test]
async fn a_signal_to_a_run_that_is_to_be_cancelled_cancels_it() {
    let kit = TestServer::start();
    let client = kit.client();
    // The function blocks its thread: the run is cancelled all the same, and the signal before the poll does it.
    let (program, run) = start(&client, "deaf", &[]).await;
    until_running(&client, run).await;
    client.flow_runs().cancel(run).await.expect("cancelling");
    signal(&program, "-TERM");
    client.flow_runs().wait(run).await.expect("ended");
    assert_eq!(
        states(&client, run).await,
        ["Pending", "Running", "Cancelling", "Cancelled"]
    );
    signal(&program, "-KILL");
    ended(program).await;
}

#[tokio::test]
async fn a_signal_while_a_retry_is_awaited_crashes_the_run() {
    let kit = TestServer::start();
    let client = kit.client();
    let flow = a_flow_named(&client, &unique("flow")).await;
    let policy = FlowRunPolicy::new().retries(3).retry_delay(600);
    let run = FlowRunCreate::new(flow)
        .parameters(json!({ "end": "fail" }))
        .empirical_policy(policy);
    let run = client
        .flow_runs()
        .create(&run.state(StateCreate::pending()))
        .await
        .expect("a run")
        .id;
    let program = start_for(&client, run, &[]);
    let awaits = |run: &FlowRunResponse| run.state_name.as_deref() == Some("AwaitingRetry");
    client
        .flow_runs()
        .wait(run)
        .until(awaits)
        .await
        .expect("awaits a retry");
    signal(&program, "-TERM");
    assert_eq!(ended(program).await.code(), Some(143));
    assert_eq!(
        states(&client, run).await,
        ["Pending", "Running", "AwaitingRetry", "Crashed"]
    );
}

#[tokio::test]
async fn a_process_that_dies_or_hangs_is_noticed_by_its_missing_heartbeats() {
    // A server of its own: the automation is about all runs there are.
    let server = LocalServer::start().await.expect("a server");
    let client = server.client_builder().timeout(BUSY_TIMEOUT).build();
    let client = client.expect("a client");
    let automation = Automation::crash_zombie_runs(Duration::from_secs(10)).build();
    let automation = automation.expect("valid");
    let created = client.automations().create(&automation).await;
    created.expect("created");
    let (dead, of_dead) = start(&client, "wait", &[]).await;
    let (hung, of_hung) = start(&client, "tidy", &[]).await;
    until_running(&client, of_dead).await;
    until_running(&client, of_hung).await;
    // After the first heartbeat.
    for run in [of_dead, of_hung] {
        let id = format!("prefect.flow-run.{run}");
        loop {
            let events = client
                .events()
                .list()
                .resource_id(&id)
                .name("prefect.flow-run.heartbeat");
            if !events.await.expect("listed").is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    signal(&dead, "-KILL");
    signal(&hung, "-STOP");
    for run in client
        .flow_runs()
        .wait_all([of_dead, of_hung])
        .await
        .expect("ended")
    {
        assert_eq!(run.state_name.as_deref(), Some("Crashed"));
    }
    ended(dead).await;
    // One that lives after all may still complete its run.
    signal(&hung, "-CONT");
    signal(&hung, "-TERM");
    assert_eq!(ended(hung).await.code(), Some(0));
    let states = states(&client, of_hung).await;
    assert_eq!(states, ["Pending", "Running", "Crashed", "Completed"]);
    server.stop().await.expect("it stops");
}

#[tokio::test]
async fn a_signal_may_leave_the_run_to_another_process() {
    let kit = TestServer::start();
    let client = kit.client();
    let deployment = a_deployment_of(&client, &unique("flow"), |it| it).await;
    for (behavior, code, last) in [
        ("reschedule", 0, "AwaitingRetry"),
        ("relinquish", 143, "Running"),
    ] {
        let run = DeploymentFlowRunCreate::new().parameters(json!({ "end": "wait" }));
        let run = client
            .deployments()
            .create_flow_run(deployment, &run)
            .await
            .expect("a run")
            .id;
        let program = start_for(
            &client,
            run,
            &[("PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR", behavior)],
        );
        until_running(&client, run).await;
        signal(&program, "-TERM");
        assert_eq!(ended(program).await.code(), Some(code), "{behavior}");
        assert_eq!(
            states(&client, run).await.last().map(String::as_str),
            Some(last)
        );
    }
}
