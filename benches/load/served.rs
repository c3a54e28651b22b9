//! Runs of a deployment that this process serves, each of which must be begun once, and end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prefect_sdk::flow::{BoxError, Run};
use prefect_sdk::serve::{ServeStats, ServerHandle};
use prefect_sdk::types::{DeploymentFlowRunCreate, StateType};
use prefect_sdk::{Client, Flow, Result};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::cluster::{Cluster, SHUTDOWN_TIMEOUT};
use crate::figures::Figures;
use crate::support::{Findings, unique};

/// How many runs are in progress at once.
const LIMIT: u32 = 16;

/// How long all runs may take.
const WAIT_TIMEOUT: Duration = Duration::from_secs(1800);

/// A deployment that is served until [`stop`](Self::stop).
pub struct Served {
    client: Client,
    requests: Arc<AtomicUsize>,
    deployment: Uuid,
    /// How often each run was begun.
    begun: Arc<Mutex<HashMap<Uuid, usize>>>,
    handle: ServerHandle,
    serving: JoinHandle<Result<ServeStats>>,
}

impl Served {
    pub async fn start(cluster: &Cluster) -> Self {
        let (client, requests) = cluster.client();
        let begun = Arc::new(Mutex::new(HashMap::<Uuid, usize>::new()));
        let counter = Arc::clone(&begun);
        let name = unique("served");
        let flow = Flow::new(&name, move |run: Run, _: ()| {
            let mut counter = counter.lock().expect("not poisoned");
            *counter.entry(run.id()).or_default() += 1;
            async { Ok::<_, BoxError>(()) }
        });
        let serve = client.serve().add(flow.deployment("load")).limit(LIMIT);
        let server = serve.without_signals().start().await.expect("served");
        let handle = server.handle();
        let serving = tokio::spawn(server.run());
        let deployments = cluster.checker.deployments();
        let deployment = deployments.get_by_name(&name, "load").await.expect("made");
        Self {
            client,
            requests,
            deployment: deployment.id,
            begun,
            handle,
            serving,
        }
    }

    /// Starts this many runs, and waits until they have ended.
    pub async fn run(&self, cluster: &Cluster, count: usize) -> Figures {
        let mut findings = Findings::default();
        let before = self.requests.load(Ordering::Relaxed);
        let at = Instant::now();
        let new = vec![DeploymentFlowRunCreate::new(); count];
        let made = self.client.deployments().run_many(self.deployment, new);
        let mut ids = Vec::new();
        for run in made.await {
            match run {
                Ok(id) => ids.push(id),
                Err(error) => findings
                    .lost
                    .push(format!("a run was not created: {error}")),
            }
        }
        let created = at.elapsed();
        let ended = self.client.flow_runs().wait_all(ids.clone());
        let ended = ended.timeout(WAIT_TIMEOUT).await;
        let took = at.elapsed();
        let requests = self.requests.load(Ordering::Relaxed) - before;
        match ended {
            Ok(runs) => {
                let others = runs
                    .iter()
                    .filter(|run| run.state_type != StateType::Completed);
                let others = others.map(|run| format!("run {} is {:?}", run.id, run.state));
                findings.lost.extend(others);
            }
            Err(error) => findings.lost.push(format!("wait_all: {error}")),
        }
        let mut begun = std::mem::take(&mut *self.begun.lock().expect("not poisoned"));
        for id in &ids {
            let count = begun.remove(id).unwrap_or(0);
            findings.compare(|| format!("beginnings of run {id}"), count, [1, 1]);
        }
        for (id, count) in begun {
            let what = || format!("beginnings of run {id}, which nobody has started");
            findings.compare(what, count, [0, 0]);
        }
        let runs = cluster.checker.flow_runs().delete_many();
        let runs = runs.deployment_id(self.deployment);
        runs.await.expect("deleted");
        Figures {
            part: "served",
            count,
            took,
            requests,
            details: format!("limit {LIMIT}, created in {:.1} s", created.as_secs_f64()),
            findings,
        }
    }

    /// Ends the server, and returns what it has done, and what it has left behind.
    pub async fn stop(self) -> (ServeStats, Findings) {
        let mut findings = Findings::default();
        self.handle.stop();
        let stats = self.serving.await.expect("no panic").expect("served");
        if stats.running > 0 || stats.unreported > 0 {
            findings.leaked.push(format!("served: {stats:?}"));
        }
        let left = self.client.shutdown(SHUTDOWN_TIMEOUT).await;
        findings.leaked.extend(left.err().map(|it| it.to_string()));
        (stats, findings)
    }
}
