//! `RunEvents`: one queue for the events that all runs of a client emit, so that they share one rate.

use std::sync::OnceLock;
use std::time::Duration;

use crate::client::{Client, Service, Services};
use crate::error::Result;
use crate::resources::events::Emitter;

/// The emitter of the runs of a client, once there is one.
pub(super) struct RunEvents(OnceLock<Emitter>);

impl Service for RunEvents {
    fn start(_: &Services) -> Result<Self> {
        Ok(Self(OnceLock::new()))
    }
}

impl RunEvents {
    /// The queue of this client.
    pub(super) fn of(client: &Client) -> Result<Emitter> {
        let events = client.service::<Self>()?;
        if let Some(emitter) = events.0.get() {
            return Ok(emitter.clone());
        }
        // If two begin at once, one of the emitters is dropped before it has sent anything.
        let emitter = client.events().emitter().start()?;
        Ok(events.0.get_or_init(|| emitter).clone())
    }

    /// Waits until the events so far are sent, for at most this long.
    pub(super) async fn flush(client: &Client, timeout: Duration) {
        let Ok(events) = client.service::<Self>() else {
            return;
        };
        let Some(emitter) = events.0.get() else {
            return;
        };
        match tokio::time::timeout(timeout, emitter.flush()).await {
            Ok(Ok(report)) if report.failed == 0 => {}
            Ok(Ok(report)) => {
                tracing::warn!(failed = report.failed, "events of runs could not be sent");
            }
            Ok(Err(error)) => tracing::warn!(%error, "events of runs could not be sent"),
            Err(_) => tracing::warn!(?timeout, "events of runs are not sent yet"),
        }
    }
}
