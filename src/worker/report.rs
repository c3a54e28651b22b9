//! Requests of a worker about a run that is its own: they are repeated until they are answered.

use std::future::Future;
use std::time::Duration;

use uuid::Uuid;

use crate::client::Client;
use crate::error::Result;
use crate::flow_runs::ProposalOutcome;
use crate::resources::through_outages;
use crate::runtime::Backoff;
use crate::types::{SetFlowRunStateRequest, StateCreate};

/// The waits while the server is out of reach.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));

/// Repeats a call while the server is out of reach, as long as the worker lives: nobody else would make it.
pub(super) async fn persist<T, F>(client: &Client, call: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    through_outages(client, BACKOFF, call).await
}

/// Proposes a state, which the server refuses if the run has ended.
pub(super) async fn propose(
    client: &Client,
    run: Uuid,
    state: StateCreate,
) -> Result<ProposalOutcome> {
    persist(client, || client.flow_runs().propose(run, state.clone())).await
}

/// Sets a state, whatever the run is in.
pub(super) async fn force(client: &Client, run: Uuid, state: StateCreate) -> Result<()> {
    let forced = SetFlowRunStateRequest::new(state).force(true);
    let forced = persist(client, || client.flow_runs().set_state(run, &forced));
    forced.await.map(drop)
}
