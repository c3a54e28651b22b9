//! The servers that bear the load, and clients of them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use prefect_sdk::local_server::LocalCluster;
use prefect_sdk::types::{DeploymentCreate, FlowCreate};
use prefect_sdk::{Client, ClientBuilder, Result, RetryPolicy};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::support::{counting, unique};

/// How often a call is tried that must not fail, because it only reads or prepares.
const PATIENT_ATTEMPTS: u32 = 60;

/// How long what a client leaves behind may take to go.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(120);

/// Several servers behind a balancer.
pub struct Cluster {
    servers: Mutex<LocalCluster>,
    count: usize,
    builder: ClientBuilder,
    api_url: String,
    /// A client whose calls outlast all that is done to the servers: it prepares and checks.
    pub checker: Client,
}

impl Cluster {
    pub async fn start() -> Self {
        let servers = LocalCluster::start().await.expect("servers");
        let patient = RetryPolicy::default()
            .base_delay(Duration::from_millis(200))
            .max_delay(Duration::from_secs(5))
            .attempts(PATIENT_ATTEMPTS);
        let builder = servers.client_builder();
        let checker = builder.clone().retry(patient).build();
        Self {
            count: servers.server_urls().len(),
            api_url: servers.api_url().to_owned(),
            servers: Mutex::new(servers),
            checker: checker.expect("a client"),
            builder,
        }
    }

    pub fn api_url(&self) -> &str {
        &self.api_url
    }

    /// A client as a program has it, and the number of its requests.
    pub fn client(&self) -> (Client, Arc<AtomicUsize>) {
        let (builder, requests) = counting(self.builder.clone(), |_| true);
        (builder.build().expect("a client"), requests)
    }

    /// Creates a deployment, and returns its id.
    pub async fn deployment(&self) -> Uuid {
        let flow = FlowCreate::new(unique("load"));
        let flow = self.checker.flows().create(&flow).await.expect("a flow");
        let deployment = DeploymentCreate::new(unique("load"), flow.id);
        let deployment = self.checker.deployments().create(&deployment).await;
        deployment.expect("a deployment").id
    }

    /// How many servers there are.
    pub fn servers(&self) -> usize {
        self.count
    }

    pub async fn kill_server(&self, number: usize) -> Result<()> {
        self.servers.lock().await.kill_server(number).await
    }

    pub async fn start_server(&self, number: usize) -> Result<()> {
        self.servers.lock().await.start_server(number).await
    }

    pub async fn restart_balancer(&self) -> Result<()> {
        self.servers.lock().await.restart_balancer().await
    }

    pub async fn stop(self) {
        let ended = self.checker.shutdown(SHUTDOWN_TIMEOUT).await;
        ended.expect("nothing is left");
        self.servers.into_inner().stop().await.expect("stopped");
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} servers at {}", self.servers(), self.api_url())
    }
}
