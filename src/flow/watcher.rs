//! Watching a run from inside: whether it is cancelled, suspended or deleted by others.

use std::time::Duration;

use tokio::sync::mpsc;
use uuid::Uuid;

use super::stop::{StopReason, StopSignal};
use crate::client::Client;
use crate::error::Result;
use crate::resources::flow_runs::Wait;
use crate::runtime::Backoff;
use crate::types::{FlowRunResponse, StateType};

/// The waits while the run cannot be read.
const OUTAGE_BACKOFF: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(60));

/// How long to wait before a run is waited for again after an error.
const OUTAGE_PAUSE: Duration = Duration::from_secs(2);

/// Waits for a run, however long the server is out of reach: that does not end the run.
pub(super) async fn wait_through_outages(
    client: &Client,
    wait: impl Fn() -> Wait,
) -> Result<FlowRunResponse> {
    loop {
        match wait().await {
            Err(error) if !error.is_permanent() && !error.is_invalid_request() => {
                client.channel().clock().sleep(OUTAGE_PAUSE).await;
            }
            ended => return ended,
        }
    }
}

/// Reports what others do to the run, until the stops are closed: by events, and by a poll every 10 s beside them.
pub(super) async fn watch(client: Client, id: Uuid, stops: mpsc::UnboundedSender<StopSignal>) {
    let mut failures = 0;
    loop {
        let told = client.flow_runs().wait(id).until(|run| told(run).is_some());
        let stop = match told.await {
            Ok(run) => told_stop(&run),
            Err(error) if error.is_not_found() => {
                let reason = "the run does not exist any more".to_owned();
                Some(StopSignal::Stop(StopReason::Superseded(reason)))
            }
            Err(error) => {
                failures += 1;
                let delay = OUTAGE_BACKOFF.delay(failures, error.retry_after());
                client.channel().clock().sleep(delay).await;
                continue;
            }
        };
        if let Some(stop) = stop {
            // If this fails, the attempt has ended.
            let _ = stops.send(stop);
            return;
        }
    }
}

/// What a state tells the process that runs the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Told {
    Cancel,
    AlreadyCancelled,
    Suspend,
}

pub(super) fn told(run: &FlowRunResponse) -> Option<Told> {
    let state = run.state.as_ref()?;
    match state.type_ {
        StateType::Cancelling => Some(Told::Cancel),
        // Older servers name a run so that its supervisor is to cancel.
        StateType::Cancelled if state.name.as_deref() == Some("Cancelling") => Some(Told::Cancel),
        StateType::Cancelled => Some(Told::AlreadyCancelled),
        StateType::Paused => {
            let details = state.state_details.as_ref();
            let restarts = details.and_then(|details| details.pause_reschedule);
            (restarts == Some(true)).then_some(Told::Suspend)
        }
        _ => None,
    }
}

fn told_stop(run: &FlowRunResponse) -> Option<StopSignal> {
    Some(match told(run)? {
        Told::Cancel => StopSignal::Stop(StopReason::Cancelled),
        Told::AlreadyCancelled => StopSignal::AlreadyCancelled,
        Told::Suspend => StopSignal::Stop(StopReason::Suspended),
    })
}
