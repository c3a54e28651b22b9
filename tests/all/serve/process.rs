//! A process that serves, and the signals that it gets.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use prefect_sdk::flow::{BoxError, Run};
use prefect_sdk::serve::Shutdown;
use prefect_sdk::types::{DeploymentFlowRunCreate, FlowRunResponse, StateType};
use prefect_sdk::{Client, Flow};
use serde_json::{Value, json};
use uuid::Uuid;

use super::a_kit;
use crate::flow::process::{ended, signal, until_running};
use crate::flow::states;
use crate::support::{BUSY_TIMEOUT, live, unique};

/// Not a test by itself: others run it in another process.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_serves() {
    let Some(name) = std::env::var_os("SERVED_FLOW") else {
        return;
    };
    let client = Client::from_env().expect("a client");
    let journal = PathBuf::from(std::env::var_os("JOURNAL").expect("set"));
    let flow = flow(&name.to_string_lossy(), &journal);
    let shutdown = match std::env::var("SHUTDOWN").as_deref() {
        Ok("cancel") => Shutdown::Cancel,
        Ok("reschedule") => Shutdown::Reschedule,
        _ => Shutdown::Drain(BUSY_TIMEOUT),
    };
    let serve = client
        .serve()
        .add(flow.deployment("d"))
        .limit(8)
        .on_shutdown(shutdown);
    let stats = serve.run().await;
    let sent = client.shutdown(BUSY_TIMEOUT).await;
    sent.expect("everything is sent");
    std::process::exit(i32::from(stats.is_err()));
}

/// A flow that writes each of its beginnings into a file, and takes as long as its parameter says.
fn flow(name: &str, journal: &Path) -> Flow<Value, ()> {
    let journal = journal.to_owned();
    Flow::new(name, move |run: Run, parameters: Value| {
        let journal = journal.clone();
        async move {
            let millis = parameters["millis"].as_u64().unwrap_or(0);
            let begun = journal.join(format!("{}-{}", run.id(), Uuid::new_v4()));
            fs::write(begun, std::process::id().to_string())?;
            tokio::time::sleep(Duration::from_millis(millis)).await;
            Ok::<_, BoxError>(())
        }
    })
}

/// Flows of this name that are served by other processes, and the file in which they begin.
pub struct Programs {
    pub name: String,
    pub journal: PathBuf,
}

impl Programs {
    pub fn new() -> Self {
        let name = unique("flow");
        let journal = std::env::temp_dir().join(&name);
        fs::create_dir_all(&journal).expect("a folder");
        Self { name, journal }
    }

    /// Starts another process.
    pub fn start(&self, client: &Client, shutdown: &str) -> Child {
        Command::new(std::env::current_exe().expect("this test binary"))
            .args([
                "--exact",
                "serve::process::a_program_that_serves",
                "--nocapture",
            ])
            .env("PREFECT_API_URL", client.api_url())
            .env("SERVED_FLOW", &self.name)
            .env("JOURNAL", &self.journal)
            .env("SHUTDOWN", shutdown)
            .spawn()
            .expect("runs")
    }

    /// The deployment, once one of the processes has made it.
    pub async fn deployment(&self, client: &Client) -> Uuid {
        let deployments = client.deployments();
        loop {
            if let Ok(found) = deployments.get_by_name(&self.name, "d").await {
                return found.id;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// How many runs this process has begun.
    pub fn begun_by(&self, program: &Child) -> usize {
        let begun = fs::read_dir(&self.journal).expect("read");
        let by = begun.map(|entry| fs::read_to_string(entry.expect("read").path()));
        let id = program.id().to_string();
        by.filter(|by| by.as_ref().is_ok_and(|by| *by == id))
            .count()
    }

    /// How often a run was begun.
    pub fn begun(&self, run: Uuid) -> usize {
        let begun = fs::read_dir(&self.journal).expect("read");
        let names = begun.map(|entry| entry.expect("read").file_name());
        let run = run.to_string();
        names
            .filter(|name| name.to_string_lossy().starts_with(&run))
            .count()
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        // If this fails, the folder of temporary files keeps it.
        let _ = fs::remove_dir_all(&self.journal);
    }
}

#[tokio::test]
async fn sigterm_does_as_the_process_was_told() {
    let kit = a_kit();
    let client = kit.client();
    for (shutdown, millis, last) in [
        ("drain", 2_000, "Completed"),
        ("reschedule", 600_000, "AwaitingRetry"),
        ("cancel", 600_000, "Cancelled"),
    ] {
        let programs = Programs::new();
        let program = programs.start(&client, shutdown);
        let run = client.deployments().run(programs.deployment(&client).await);
        let run = run.parameters(json!({ "millis": millis })).send().await;
        let run = run.expect("a run").id();
        until_running(&client, run).await;
        signal(&program, "-TERM");
        assert_eq!(ended(program).await.code(), Some(0), "{shutdown}");
        let states = states(&client, run).await;
        assert_eq!(states.last().map(String::as_str), Some(last), "{shutdown}");
    }
}

#[tokio::test]
async fn two_processes_run_each_run_once_and_one_that_is_killed_loses_only_its_own() {
    const RUNS: usize = 120;
    let client = live().await;
    let programs = Programs::new();
    let mut first = programs.start(&client, "drain");
    let deployment = programs.deployment(&client).await;
    let new = DeploymentFlowRunCreate::new().parameters(json!({ "millis": 3_000 }));
    let made = client.deployments().run_many(deployment, vec![new; RUNS]);
    let made = made.await.into_iter();
    let runs: Vec<_> = made.map(|run| run.expect("a run")).collect();
    let second = programs.start(&client, "drain");
    // The first one is killed when both are at work.
    while programs.begun_by(&second) == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    first.kill().expect("killed");
    ended(first).await;
    let is_taken = |run: &FlowRunResponse| run.state_type != StateType::Scheduled;
    let taken = client.flow_runs().wait_all(runs.clone()).until(is_taken);
    taken.await.expect("taken");
    // It ends when its own runs have ended.
    signal(&second, "-TERM");
    assert_eq!(ended(second).await.code(), Some(0));
    let mut lost = 0;
    for run in runs {
        let begun = programs.begun(run);
        assert!(begun <= 1, "{:?}", states(&client, run).await);
        let run = client.flow_runs().get(run).await.expect("a run");
        match run.state_type.as_ref() {
            Some(StateType::Completed) => assert_eq!(begun, 1),
            // Nobody knows that the process has ended; a slot at a time was its own.
            Some(StateType::Running | StateType::Pending) => lost += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(lost <= 8, "{lost}");
}
