//! Flow runs whose function is this process, on real servers.

mod cancelling;
mod children;
mod control;
mod ending;
mod faults;
mod handed;
mod lines;
mod pausing;
mod process;
mod scale;
mod tasks;
mod worker;

use prefect_sdk::Client;
use prefect_sdk::types::TaskRun;
use uuid::Uuid;

/// The names of the states that a run was in, in order.
pub async fn states(client: &Client, run: Uuid) -> Vec<String> {
    let states = client.flow_runs().states(run).await.expect("the states");
    let mut states: Vec<_> = states
        .into_iter()
        .map(|state| (state.timestamp, state.name.clone().unwrap_or_default()))
        .collect();
    states.sort();
    states.into_iter().map(|(_, name)| name).collect()
}

/// The task runs of a run.
pub async fn task_runs(client: &Client, run: Uuid) -> Vec<TaskRun> {
    let runs = client.task_runs().list().flow_run_id(run).await;
    runs.expect("the task runs")
}
