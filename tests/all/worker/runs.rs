//! Runs that a worker executes as processes.

use prefect_sdk::types::{StateType, WorkerStatus};
use prefect_sdk::worker::ProcessInfrastructure;
use serde_json::{Value, json};

use super::{Working, a_deployment_in, a_shell_in, a_worker, lines, message};
use crate::flow::process::PROGRAM;
use crate::flow::{a_run_of, states};
use crate::support::{live, unique};

#[tokio::test]
async fn a_command_that_is_a_rust_program_reports_its_own_run() {
    let client = live().await;
    let pool = unique("pool");
    let working = Working::start(a_worker(&client, &pool).limit(2)).await;
    let program = std::env::current_exe().expect("this test binary");
    let command = format!("{} {}", program.display(), PROGRAM.join(" "));
    let deployment = a_deployment_in(&client, &pool, json!({ "command": command })).await;
    let run = a_run_of(&client, deployment).await;
    let run = client.flow_runs().wait(run).await.expect("ended");
    assert_eq!(
        states(&client, run.id).await,
        ["Scheduled", "Pending", "Submitting", "Running", "Completed"]
    );
    let result: Value = client.flow_runs().result(run.id).await.expect("a result");
    assert_eq!(result, json!({ "said": "hello" }));
    assert!(
        run.infrastructure_pid
            .as_ref()
            .is_some_and(|pid| pid.parse::<u32>().is_ok())
    );
    let labels = run.labels.as_ref().expect("labels");
    assert_eq!(labels["prefect.work-pool.name"], pool.as_str().into());
    let workers = client
        .work_pools()
        .workers(&pool)
        .list()
        .await
        .expect("the workers");
    assert_eq!(workers[0].name, working.handle.name());
    assert_eq!(workers[0].status, Some(WorkerStatus::Online));
    let said = lines(&client, run.id, 3).await;
    assert!(
        said[0].ends_with(&format!("submitting flow run '{}'", run.id)),
        "{said:?}"
    );
    assert!(said[1].ends_with("submitted to infrastructure"), "{said:?}");
    let stats = working.stop().await;
    assert_eq!((stats.started, stats.succeeded, stats.running), (1, 1, 0));
}

#[tokio::test]
async fn what_a_run_does_not_report_itself_is_reported() {
    let client = live().await;
    let pool = unique("pool");
    let working = Working::start(a_worker(&client, &pool)).await;
    for (command, said) in [
        (
            "sh -c 'exit 126'",
            "Flow run infrastructure exited with non-zero status code 126. The command is not executable.",
        ),
        (
            "sh -c 'kill -9 $$'",
            "Flow run infrastructure exited with non-zero status code -9. It was killed, perhaps because it used too much memory.",
        ),
        (
            "true",
            "Flow run infrastructure exited without reporting a final state.",
        ),
        (
            "no-such-program",
            "Failed to submit flow run to infrastructure: no-such-program cannot be started:",
        ),
        (
            "sh -c 'open",
            "Failed to submit flow run to infrastructure: the command has a quote without its counterpart",
        ),
    ] {
        let deployment = a_deployment_in(&client, &pool, json!({ "command": command })).await;
        let run = a_run_of(&client, deployment).await;
        let run = client.flow_runs().wait(run).await.expect("ended");
        assert_eq!(run.state_type, StateType::Crashed, "{command}");
        assert!(
            message(&run).starts_with(said),
            "{command}: {}",
            message(&run)
        );
    }
    let stats = working.stop().await;
    assert_eq!(
        (
            stats.started,
            stats.succeeded,
            stats.failed,
            stats.not_started
        ),
        (3, 1, 2, 2)
    );
}

#[tokio::test]
async fn a_process_finds_its_environment_and_its_output_becomes_the_log_of_its_run() {
    let client = live().await;
    let (pool, variable) = (unique("pool"), unique("variable"));
    client
        .variables()
        .set(&variable, "from a variable")
        .await
        .expect("set");
    let working = Working::start(a_worker(&client, &pool)).await;
    let variables = json!({
        "command": "sh -c 'echo \"$GREETING, $PREFECT__FLOW_RUN_ID of $PREFECT__WORKER_NAME at $PREFECT_API_URL\"; echo oops >&2'",
        "env": {
            "GREETING": format!("{{{{ prefect.variables.{variable} }}}}"),
            "PREFECT__FLOW_RUN_ID": "not this one",
        },
    });
    let deployment = a_deployment_in(&client, &pool, variables).await;
    let run = a_run_of(&client, deployment).await;
    client.flow_runs().wait(run).await.expect("ended");
    let said = lines(&client, run, 5).await;
    let worker = working.handle.name();
    let greeting = format!("from a variable, {run} of {worker} at {}", client.api_url());
    assert!(said.contains(&greeting), "{said:?}");
    assert!(said.contains(&"oops".to_owned()), "{said:?}");
    working.stop().await;
}

#[tokio::test]
async fn two_workers_execute_each_run_once() {
    const RUNS: usize = 30;
    let client = live().await;
    let pool = unique("pool");
    let folder = std::env::temp_dir().join(unique("journal"));
    std::fs::create_dir_all(&folder).expect("a folder");
    let one = Working::start(a_worker(&client, &pool).limit(4)).await;
    let two = Working::start(a_worker(&client, &pool).limit(4)).await;
    let script = format!("mktemp {}/$PREFECT__FLOW_RUN_ID.XXXXXX", folder.display());
    let deployment = a_shell_in(&client, &pool, &script).await;
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(a_run_of(&client, deployment).await);
    }
    client.flow_runs().wait_all(runs).await.expect("ended");
    let (one, two) = (one.stop().await, two.stop().await);
    assert_eq!(one.started + two.started, RUNS as u64);
    assert_eq!(std::fs::read_dir(&folder).expect("read").count(), RUNS);
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[tokio::test]
async fn a_job_configuration_that_cannot_be_rendered_crashes_its_run_and_says_where() {
    let client = live().await;
    let pool = unique("pool");
    let worker = client
        .worker(&pool, ProcessInfrastructure::new())
        .create_pool();
    let working = Working::start(worker).await;
    let variables = json!({ "command": "{{ prefect.blocks.secret.no-such-block }}" });
    let deployment = a_deployment_in(&client, &pool, variables).await;
    let run = a_run_of(&client, deployment).await;
    let run = client.flow_runs().wait(run).await.expect("ended");
    assert_eq!(run.state_type, StateType::Crashed);
    assert!(
        message(&run).contains("command") && message(&run).contains("secret/no-such-block"),
        "{}",
        message(&run)
    );
    working.stop().await;
}
