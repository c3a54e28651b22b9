//! What must have reached the server before the end of a run is reported.

use std::time::Duration;

use super::run_events::RunEvents;
use super::task::Reporter;
use crate::client::Client;

/// How long events and log lines may take, and how long the states of task runs may make no progress, before the end of a
/// run is reported without them.
pub(super) const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

/// The same when the process was asked to end, and will be killed soon.
pub(super) const HURRIED_FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends the events and the log lines that wait.
pub(super) async fn flush(client: &Client, timeout: Duration) {
    let events = async {
        let tasks = flush_tasks(client, timeout);
        futures_util::future::join(tasks, RunEvents::flush(client, timeout)).await;
    };
    #[cfg(feature = "logs")]
    let events = async {
        let lines = crate::logs::flush(client, timeout);
        let (_, flushed) = futures_util::future::join(events, lines).await;
        if let Err(error) = flushed {
            tracing::warn!(%error, "log lines of runs are not sent");
        }
    };
    events.await;
}

/// Sends the states of task runs, and waits until they are recorded.
async fn flush_tasks(client: &Client, timeout: Duration) {
    let Ok(reporter) = client.service::<Reporter>() else {
        return;
    };
    if !reporter.flush(timeout).await {
        tracing::warn!(?timeout, "the states of task runs are not recorded yet");
    }
}
