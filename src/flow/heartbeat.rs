//! `Heartbeat`: telling that the process of a run is alive.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::oneshot;

use super::context::RunContext;
use crate::client::{Background, Client};
use crate::retry::RetryPolicy;

/// How often heartbeats are sent if no setting says otherwise.
pub(super) const DEFAULT_INTERVAL: Duration = Duration::from_secs(180);

/// How long one heartbeat may take: a late one is worth little.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Heartbeats that are sent by the client's own thread, until this is stopped.
pub(super) struct Heartbeat {
    stop: oneshot::Sender<()>,
    /// Dropped by the job when it has ended.
    ended: oneshot::Receiver<()>,
}

impl Heartbeat {
    /// Sends a heartbeat now, and then each time that this has passed: `POST /events`.
    pub(super) fn start(
        background: &Background,
        client: Client,
        context: RunContext,
        every: Duration,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (running, ended) = oneshot::channel::<()>();
        background.spawn(async move {
            let _running = running;
            beat(client, context, every, stopped).await;
        });
        Self { stop, ended }
    }

    /// Stops, and waits for the heartbeat under way: one that the server gets after the end of the run would make an
    /// automation wait for the next.
    pub(super) async fn stop(self) {
        drop(self.stop);
        let _ = self.ended.await;
    }
}

async fn beat(
    client: Client,
    context: RunContext,
    every: Duration,
    mut stopped: oneshot::Receiver<()>,
) {
    let once = client
        .with_retry(RetryPolicy::none())
        .with_timeout(SEND_TIMEOUT);
    let clock = client.channel().clock();
    let mut has_failed = false;
    loop {
        let event = context.heartbeat(clock.time_of_day());
        match once.events().emit(event).await {
            Ok(_) => has_failed = false,
            Err(error) if !has_failed => {
                has_failed = true;
                tracing::warn!(flow_run = %context.id, %error, "a heartbeat could not be sent");
            }
            Err(_) => {}
        }
        match select(clock.sleep(every), pin!(&mut stopped)).await {
            Either::Left(_) => {}
            Either::Right(_) => return,
        }
    }
}
