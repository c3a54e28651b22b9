//! What must have reached the server before the end of a run is reported.

use std::time::Duration;

use futures_util::future::join;
use tokio::time::timeout;
use uuid::Uuid;

use super::run_events::RunEvents;
use super::task::Reporter;
use crate::client::Client;

/// How long events may take, and log lines and the states of task runs may make no progress, before the end of a run is
/// reported without them.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

/// How long all of them may take when the process was asked to end, and will be killed soon.
const HURRIED_FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Sends the events and the log lines that wait, and the states of the run's task runs.
pub(super) async fn flush(client: &Client, run: Uuid, is_hurried: bool) {
    let tasks = flush_tasks(client, run);
    let events = join(tasks, RunEvents::flush(client, FLUSH_TIMEOUT));
    #[cfg(feature = "logs")]
    let events = async {
        let (_, is_sent) = join(events, crate::logs::drain(client, FLUSH_TIMEOUT)).await;
        if !is_sent {
            tracing::warn!("log lines of runs are not sent yet");
        }
    };
    if !is_hurried {
        events.await;
    } else if timeout(HURRIED_FLUSH_TIMEOUT, events).await.is_err() {
        tracing::warn!("not everything that a run has reported is sent yet");
    }
}

/// Sends the states of task runs, and waits until they are recorded.
async fn flush_tasks(client: &Client, run: Uuid) {
    let Ok(reporter) = client.service::<Reporter>() else {
        return;
    };
    if !reporter.flush(run, FLUSH_TIMEOUT).await {
        tracing::warn!("the states of task runs are not recorded yet");
    }
}
