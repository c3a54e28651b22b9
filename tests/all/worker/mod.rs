//! Our own worker, on real servers.

mod channel;
mod ending;
mod pool;
mod python;
mod runs;
mod shutdown;

use std::time::Duration;

use prefect_sdk::serve::Shutdown;
use prefect_sdk::types::{DeploymentCreate, FlowRunResponse};
use prefect_sdk::worker::{ProcessInfrastructure, Worker, WorkerHandle, WorkerStats};
use prefect_sdk::{Client, LocalServer};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::flow::a_flow_named;
use crate::support::{BUSY_TIMEOUT, unique};

/// A worker that runs in a task.
pub struct Working {
    pub handle: WorkerHandle,
    pub ended: JoinHandle<prefect_sdk::Result<WorkerStats>>,
}

impl Working {
    pub async fn start(worker: Worker<ProcessInfrastructure>) -> Self {
        let worker = worker.without_signals().start().await.expect("a worker");
        let handle = worker.handle();
        let ended = tokio::spawn(worker.run());
        Self { handle, ended }
    }

    pub async fn stop(self) -> WorkerStats {
        self.handle.stop();
        self.ended.await.expect("no panic").expect("worked")
    }
}

/// A worker for this pool, which it creates. When it is stopped it waits for its runs, and until a busy server knows their ends.
pub fn a_worker(client: &Client, pool: &str) -> Worker<ProcessInfrastructure> {
    let worker = client.worker(pool, ProcessInfrastructure::new());
    let worker = worker.create_pool().name(unique("worker"));
    worker.on_shutdown(Shutdown::Drain(BUSY_TIMEOUT))
}

/// A deployment in this pool with these job variables.
pub async fn a_deployment_in(client: &Client, pool: &str, variables: Value) -> Uuid {
    let flow = a_flow_named(client, &unique("flow")).await;
    let deployment = DeploymentCreate::new("d", flow)
        .work_pool_name(pool)
        .job_variables(variables);
    client
        .deployments()
        .create(&deployment)
        .await
        .expect("a deployment")
        .id
}

/// A deployment in this pool whose runs are this command of a shell.
pub async fn a_shell_in(client: &Client, pool: &str, script: &str) -> Uuid {
    assert!(!script.contains('\''));
    let command = format!("sh -c '{script}'");
    a_deployment_in(client, pool, json!({ "command": command })).await
}

/// The message of a run's state.
pub fn message(run: &FlowRunResponse) -> &str {
    let state = run.state.as_ref().expect("a state");
    state.message.as_deref().unwrap_or_default()
}

/// The log lines of a run, once there are that many.
pub async fn lines(client: &Client, run: Uuid, count: usize) -> Vec<String> {
    loop {
        let lines = client.logs().list().flow_run_id(run).await.expect("lines");
        if lines.len() >= count {
            return lines.into_iter().map(|line| line.message).collect();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Python of the server's installation, as the beginning of a command.
pub fn python_command(server: &LocalServer) -> String {
    format!(
        r#"{} -c "from prefect.cli import app; app()""#,
        server.python().display()
    )
}

/// The id of a run's process, once it has started.
pub async fn started(client: &Client, run: Uuid) -> String {
    let has_process = |run: &FlowRunResponse| run.infrastructure_pid.is_some();
    let started = client.flow_runs().wait(run).until(has_process);
    let pid = started.await.expect("started").infrastructure_pid;
    pid.into_option().expect("an id")
}

/// Waits until a process has ended.
pub async fn until_gone(process: &str) {
    while lives(process) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whether a process lives.
pub fn lives(id: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
