//! What must have reached the server before the end of a run is reported.

use std::time::Duration;

use futures_util::future::join;
use uuid::Uuid;

use super::run_events::RunEvents;
use super::task::Reporter;
use crate::client::Client;

/// How long events and log lines may take, and how long the states of task runs may make no progress, before the end of a
/// run is reported without them.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

/// How long all of them may take when the process was asked to end, and will be killed soon.
const HURRIED_FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Sends the events and the log lines that wait, and the states of the run's task runs.
pub(super) async fn flush(client: &Client, run: Uuid, is_hurried: bool) {
    let timeout = match is_hurried {
        true => HURRIED_FLUSH_TIMEOUT,
        false => FLUSH_TIMEOUT,
    };
    let tasks = flush_tasks(client, run, timeout, is_hurried);
    let events = join(tasks, RunEvents::flush(client, timeout));
    #[cfg(feature = "logs")]
    let events = async {
        let lines = crate::logs::flush(client, timeout);
        let (_, flushed) = join(events, lines).await;
        if let Err(error) = flushed {
            tracing::warn!(%error, "log lines of runs are not sent");
        }
    };
    events.await;
}

/// Sends the states of task runs, and waits until they are recorded.
async fn flush_tasks(client: &Client, run: Uuid, timeout: Duration, is_hurried: bool) {
    let Ok(reporter) = client.service::<Reporter>() else {
        return;
    };
    let flush = reporter.flush(run, timeout);
    let is_flushed = match is_hurried {
        true => tokio::time::timeout(timeout, flush).await.unwrap_or(false),
        false => flush.await,
    };
    if !is_flushed {
        tracing::warn!(?timeout, "the states of task runs are not recorded yet");
    }
}
