//! The lease of a slot of the deployment's concurrency limit, renewed while the run goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use uuid::Uuid;

use super::stop::{StopReason, StopSignal};
use crate::client::{Background, Client};
use crate::error::Result;
use crate::resources::concurrency::RenewedLease;
use crate::types::State;

/// How long each renewal asks for: as Prefect's own client does.
const LEASE: Duration = Duration::from_secs(300);

/// The lease that the state of a run names.
pub(super) fn lease_of(state: &State) -> Option<Uuid> {
    let details = state.state_details.as_ref()?;
    *details.deployment_concurrency_lease_id
}

/// Renews a lease until the returned value is dropped; its loss is a stop.
pub(super) fn keep(
    client: &Client,
    background: &Background,
    lease: Uuid,
    requested_at: Instant,
    stops: mpsc::UnboundedSender<StopSignal>,
) -> Result<RenewedLease> {
    let renewed = RenewedLease::new(client, lease, requested_at, LEASE)?;
    let lost = renewed.lost();
    background.spawn(async move {
        if let Some(error) = lost.await {
            // If this fails, the attempt has ended.
            let _ = stops.send(StopSignal::Stop(StopReason::LeaseLost(Arc::new(error))));
        }
    });
    Ok(renewed)
}
