//! How soon a run of a served deployment is RUNNING, and how many are served: ours and Python's, on the same real server.
//!
//! `cargo bench -p prefect-sdk-benches --bench serve` starts a server and serves a flow that does nothing, at limit 16:
//! 1,000 runs that are started together, of which it checks that each is begun once and ends; then single runs, one after
//! the other, each timed by the server's clock from its scheduled time to its start. Then Python's `serve` does the latter.

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prefect_sdk::flow::{BoxError, Run};
use prefect_sdk::types::{DeploymentFlowRunCreate, FlowRunResponse, StateType};
use prefect_sdk::{Client, Flow, LocalServer};
use uuid::Uuid;

const RUNS: usize = 1_000;
const LIMIT: u32 = 16;
const SINGLE_RUNS: usize = 100;
const PYTHON_RUNS: usize = 10;

const PYTHON: &str = "
from prefect import flow

@flow
def nothing():
    pass

if __name__ == '__main__':
    nothing.serve(name='python')
";

#[tokio::main]
async fn main() {
    let server = LocalServer::start().await.expect("a server");
    let client = server.client().expect("a client");
    let begun = Arc::new(Mutex::new(HashMap::<Uuid, u32>::new()));
    let counter = Arc::clone(&begun);
    let flow = Flow::new("nothing", move |run: Run, _: ()| {
        *counter
            .lock()
            .expect("not poisoned")
            .entry(run.id())
            .or_default() += 1;
        async { Ok::<_, BoxError>(()) }
    });
    let serve = client.serve().add(flow.deployment("rust")).limit(LIMIT);
    let serving = serve.without_signals().start().await.expect("a server");
    let handle = serving.handle();
    let served = tokio::spawn(serving.run());
    let deployment = client.deployments().get_by_name("nothing", "rust").await;
    let deployment = deployment.expect("made").id;

    let at = Instant::now();
    let new = vec![DeploymentFlowRunCreate::new(); RUNS];
    let made = client.deployments().run_many(deployment, new).await;
    let runs: Vec<_> = made.into_iter().map(|run| run.expect("a run")).collect();
    let created = at.elapsed();
    let ended = client.flow_runs().wait_all(runs).await.expect("ended");
    let whole = at.elapsed();
    assert!(
        ended
            .iter()
            .all(|run| run.state_type == StateType::Completed)
    );
    {
        let begun = begun.lock().expect("not poisoned");
        assert!(begun.len() == RUNS && begun.values().all(|count| *count == 1));
    }
    println!(
        "{RUNS} runs at limit {LIMIT}: each begun once and COMPLETED, created in {created:.1?}, all ended after {whole:.1?}"
    );

    let ours = single_runs(&client, deployment, SINGLE_RUNS).await;
    print("ours", ours);
    handle.stop();
    served.await.expect("no panic").expect("served");

    let python = Python::serve(&server);
    let deployment = loop {
        if let Ok(found) = client.deployments().get_by_name("nothing", "python").await {
            break found.id;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    print(
        "Python's",
        single_runs(&client, deployment, PYTHON_RUNS).await,
    );
    drop(python);
    server.stop().await.expect("stopped");
}

/// From the scheduled time of each run to its start, sorted.
async fn single_runs(client: &Client, deployment: Uuid, count: usize) -> Vec<f64> {
    let mut latencies = Vec::new();
    for _ in 0..count {
        let run = client
            .deployments()
            .run(deployment)
            .send()
            .await
            .expect("a run");
        let run: FlowRunResponse = run.wait().await.expect("ended");
        let due = run.expected_start_time.expect("scheduled");
        let started = run.start_time.as_option().expect("started");
        latencies.push((started - due).as_seconds_f64());
    }
    latencies.sort_by(f64::total_cmp);
    latencies
}

fn print(whose: &str, latencies: Vec<f64>) {
    let at = |part: f64| latencies[((latencies.len() - 1) as f64 * part).round() as usize] * 1000.0;
    let (count, p50, p99) = (latencies.len(), at(0.5), at(0.99));
    println!("{whose:<10} {count:>4} single runs: due to RUNNING p50 {p50:.0} ms, p99 {p99:.0} ms");
}

/// Python's `serve`, until this is dropped.
struct Python(Child, std::path::PathBuf);

impl Python {
    fn serve(server: &LocalServer) -> Self {
        let home = std::env::temp_dir().join(format!("serve-bench-{}", std::process::id()));
        std::fs::create_dir_all(&home).expect("a folder");
        std::fs::write(home.join("nothing.py"), PYTHON).expect("written");
        let child = Command::new(server.python())
            .arg("nothing.py")
            .current_dir(&home)
            .env("PREFECT_API_URL", server.api_url())
            .env("PREFECT_HOME", &home)
            .env("DO_NOT_TRACK", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python");
        Self(child, home)
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // These fail if it has already ended.
        let _ = Command::new("kill")
            .args(["-TERM", &self.0.id().to_string()])
            .status();
        let _ = self.0.wait();
        let _ = std::fs::remove_dir_all(&self.1);
    }
}
