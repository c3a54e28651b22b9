//! A process that serves its functions as deployments, on real servers.

mod deployments;
mod limits;
mod outage;
mod process;
mod runs;
mod shutdown;

use std::sync::Arc;

use prefect_sdk::flow::{BoxError, Run};
use prefect_sdk::serve::{Serve, ServeStats, ServerHandle};
use prefect_sdk::testing::{TestServer, op};
use prefect_sdk::{Client, Flow};
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::flow::{a_flow_named, a_run_of};
use crate::support::unique;

/// A server that runs in a task.
pub struct Serving {
    pub handle: ServerHandle,
    pub ended: JoinHandle<prefect_sdk::Result<ServeStats>>,
}

impl Serving {
    /// Serves until [`stop`](Self::stop).
    pub async fn start(serve: Serve) -> Self {
        let server = serve.without_signals().start().await.expect("a server");
        let handle = server.handle();
        let ended = tokio::spawn(server.run());
        Self { handle, ended }
    }

    pub async fn stop(self) -> ServeStats {
        self.handle.stop();
        self.ended.await.expect("no panic").expect("served")
    }
}

/// A server in this process, for what the SDK gives up after a few seconds: a real one may need longer on a busy machine.
pub fn a_kit() -> TestServer {
    let kit = TestServer::start();
    // The fake has no automations, and so no triggers of deployments.
    let _none = kit.on(op::read_automations).respond(200, json!([]));
    kit
}

/// A flow whose runs end one by one, each when it is notified.
pub fn a_gated_flow() -> (Flow<(), ()>, Arc<Notify>) {
    let go_on = Arc::new(Notify::new());
    let gate = Arc::clone(&go_on);
    let flow = Flow::new(unique("flow"), move |_: Run, _: ()| {
        let gate = Arc::clone(&gate);
        async move {
            gate.notified().await;
            Ok::<_, BoxError>(())
        }
    });
    (flow, go_on)
}

/// The deployment `d` of a flow that is served.
pub async fn served<P, T>(client: &Client, flow: &Flow<P, T>) -> Uuid {
    a_flow_named(client, flow.name()).await;
    let found = client.deployments().get_by_name(flow.name(), "d").await;
    found.expect("a deployment").id
}

/// Starts a run of the deployment, and waits until it has ended.
pub async fn ended_run(client: &Client, deployment: Uuid) -> Uuid {
    let run = a_run_of(client, deployment).await;
    client.flow_runs().wait(run).await.expect("ended");
    run
}
