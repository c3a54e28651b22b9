//! Many runs.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use prefect_sdk::LocalServer;
use prefect_sdk::types::{DeploymentFlowRunCreate, SetFlowRunStateRequest, StateCreate, StateType};

use super::{Requests, scaled};
use crate::support::a_deployment;

/// How many runs are ended at once.
const ENDED_AT_ONCE: usize = 4;

/// How long all of them may take.
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn ten_thousand_runs_are_created_and_awaited() {
    let runs = scaled(10_000, 400);
    // A server of its own, which keeps other tests from nothing.
    let server = LocalServer::builder().database_url("sqlite+aiosqlite:///:memory:");
    let server = server.start().await.expect("a server");
    let client = server.client().expect("a client");
    let deployment = a_deployment(&client).await;
    let running = || {
        let state = StateCreate::new(StateType::Running);
        DeploymentFlowRunCreate::new().state(state)
    };
    let created = client
        .deployments()
        .run_many(deployment, (0..runs).map(|_| running()));
    let created: Result<Vec<_>, _> = created.await.into_iter().collect();
    let ids = created.expect("created");

    let (requests, builder) = Requests::of(server.client_builder());
    let waiter = builder.build().expect("a client");
    let waiting = tokio::spawn({
        let ids = ids.clone();
        async move { waiter.flow_runs().wait_all(ids).timeout(HOUR).await }
    });
    let end = |id| {
        let client = client.clone();
        async move {
            let state = SetFlowRunStateRequest::new(StateCreate::new(StateType::Completed));
            client.flow_runs().set_state(id, &state.force(true)).await
        }
    };
    let mut ending = stream::iter(ids.clone())
        .map(end)
        .buffer_unordered(ENDED_AT_ONCE);
    while let Some(ended) = ending.next().await {
        ended.expect("set");
    }
    let ended = waiting.await.expect("no panic").expect("all have ended");
    let ended: Vec<_> = ended.iter().map(|run| run.id).collect();
    assert_eq!(ended, ids, "in their order");
    requests.print(&format!("{runs} runs awaited"));
    // Five requests a second at most, besides the socket and what comes at the beginning.
    let seconds = requests.start.elapsed().as_secs_f64();
    let most = 5.0 * (seconds + 1.0) + runs as f64 / 200.0 + 10.0;
    assert!(
        (requests.count() as f64) < most,
        "{} of {most}",
        requests.count()
    );
    server.stop().await.expect("it stops");
}
