//! `Shipper`: sends the lines of a client's runs, on the client's own thread.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_core::future::BoxFuture;
use futures_util::FutureExt as _;
use futures_util::future::{Either, select};
use uuid::Uuid;

use super::queue::{Limits, Queue};
use crate::client::{Background, Client, Service, Services};
use crate::error::{Error, ErrorKind, Result};
use crate::raw;
use crate::retry::RetryPolicy;
use crate::runtime::Backoff;
use crate::types::{LogCreate, ReadLogsRequest};

/// How long lines wait for others, unless a setting says otherwise; as in Prefect's own client.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(2);

const DEFAULT_BATCH_BYTES: u32 = 4_000_000;
const DEFAULT_LINE_BYTES: u32 = 1_000_000;

/// The least sizes: a line of fewer bytes would have no room for a message.
const MIN_BATCH_BYTES: u32 = 10_000;
const MIN_LINE_BYTES: u32 = 1_000;

/// The longest line that Prefect Cloud takes, unless a setting says otherwise.
const DEFAULT_CLOUD_LINE_BYTES: u32 = 25_000;

/// The waits while the server is out of reach.
const OUTAGE_BACKOFF: Backoff =
    Backoff::new(Duration::from_secs(1), Duration::from_secs(60)).floor(Duration::from_millis(200));

/// The lines of a client, and the job that sends them.
pub(super) struct Shipper {
    queue: Arc<Queue>,
    interval: tokio::sync::watch::Sender<Duration>,
}

impl Service for Shipper {
    fn start(services: &Services) -> Result<Self> {
        let background: Arc<Background> = services.get()?;
        let queue = Arc::new(Queue::new());
        let (interval, current) = tokio::sync::watch::channel(DEFAULT_INTERVAL);
        let raw = background.raw().with_retry(RetryPolicy::none());
        background.spawn(send_all(raw, Arc::clone(&queue), current));
        Ok(Self { queue, interval })
    }

    fn finish(&self, _: Duration) -> BoxFuture<'_, ()> {
        self.queue.flush().boxed()
    }

    fn unfinished(&self) -> Option<String> {
        let waiting = self.queue.waiting();
        (waiting > 0).then(|| format!("{waiting} log lines are not sent"))
    }
}

impl Shipper {
    /// The shipper of a client, by the client's settings.
    ///
    /// # Errors
    ///
    /// When the client is shut down.
    pub(super) fn of(client: &Client) -> Result<Arc<Self>> {
        let shipper: Arc<Self> = client.service()?;
        let settings = client.participant();
        let mut line_bytes = settings.log_line_bytes.unwrap_or(DEFAULT_LINE_BYTES);
        if client.is_cloud() {
            let cloud = settings.cloud_log_line_bytes;
            line_bytes = line_bytes.min(cloud.unwrap_or(DEFAULT_CLOUD_LINE_BYTES));
        }
        let batch_bytes = settings.log_batch_bytes.unwrap_or(DEFAULT_BATCH_BYTES);
        // A number of lines is not meant, even if Prefect's description of the setting says so.
        let batch_bytes = batch_bytes.max(MIN_BATCH_BYTES);
        let line_bytes = line_bytes.clamp(MIN_LINE_BYTES, batch_bytes);
        shipper.queue.limit(Limits {
            line_bytes: line_bytes as usize,
            batch_bytes: batch_bytes as usize,
        });
        if let Some(interval) = settings.log_interval {
            shipper.interval.send_replace(interval);
        }
        Ok(shipper)
    }

    pub(super) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }
}

impl Drop for Shipper {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Waits until the lines are sent that the [layers](super::layer) of this client have taken so far, for at most this long.
/// (The end of a flow run is reported after its lines; and [`Client::shutdown`] waits for them, too.)
///
/// # Errors
///
/// [`Timeout`](crate::ErrorKind::Timeout), which says how many are not sent; they still are, later.
///
/// ```no_run
/// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
/// prefect_sdk::logs::flush(&client, std::time::Duration::from_secs(5)).await?;
/// # Ok(())
/// # }
/// ```
pub async fn flush(client: &Client, timeout: Duration) -> Result<()> {
    let shipper: Arc<Shipper> = client.service()?;
    let flushed = tokio::time::timeout(timeout, shipper.queue.flush()).await;
    flushed.map_err(|_| {
        let waiting = shipper.queue.waiting();
        let what = format!("{waiting} log lines are not sent after {timeout:?}");
        Error::new(ErrorKind::Timeout, what).with_outcome(true, true)
    })
}

/// Waits until the lines so far are sent; `false` if none is for this long.
#[cfg(feature = "flows")]
pub(crate) async fn drain(client: &Client, timeout: Duration) -> bool {
    let Ok(shipper) = client.service::<Shipper>() else {
        return true;
    };
    loop {
        let waiting = shipper.queue.waiting();
        if tokio::time::timeout(timeout, shipper.queue.flush())
            .await
            .is_ok()
        {
            return true;
        }
        if shipper.queue.waiting() >= waiting {
            return false;
        }
    }
}

/// Sends what is queued, until the shipper is dropped and nothing is left.
async fn send_all(
    raw: raw::Client,
    queue: Arc<Queue>,
    interval: tokio::sync::watch::Receiver<Duration>,
) {
    let clock = raw.channel().clock();
    loop {
        while queue.waiting() == 0 {
            if queue.is_closed() {
                return;
            }
            queue.wake.notified().await;
        }
        let time = *interval.borrow();
        let mut linger = clock.sleep(time);
        while !queue.is_urgent() {
            let woken = pin!(queue.wake.notified());
            if let Either::Left(_) = select(&mut linger, woken).await {
                break;
            }
        }
        let Some(batch) = queue.take() else {
            continue;
        };
        let mut unsent = vec![batch.lines.clone()];
        while let Some(mut lines) = unsent.pop() {
            let Err(error) = send(&raw, &queue, &lines).await else {
                continue;
            };
            let status = error.status().map(|status| status.as_u16());
            if lines.len() > 1 && matches!(status, Some(400 | 413 | 422)) {
                // A gateway may take less, or one line may be the reason. The first half is sent first.
                let rest = lines.split_off(lines.len() / 2);
                unsent.push(rest);
                unsent.push(lines);
            } else {
                tracing::warn!(lines = lines.len(), %error, "log lines of runs could not be sent");
                queue.lose(&lines);
            }
        }
        queue.settle(batch);
    }
}

/// Sends lines once, however long the server is out of reach: `POST /logs/`.
async fn send(raw: &raw::Client, queue: &Queue, lines: &Vec<LogCreate>) -> Result<()> {
    let (mut failures, mut may_be_stored) = (0, false);
    loop {
        // Lines have no ids: sent again, they would be stored twice.
        let result = match may_be_stored {
            true => is_stored(raw, lines).await,
            false => Ok(false),
        };
        let error = match result {
            Ok(true) => return Ok(()),
            Ok(false) => match raw.create_logs(lines).await {
                Ok(_) => return Ok(()),
                Err(error) => {
                    may_be_stored = error.may_have_happened();
                    error
                }
            },
            Err(error) => error,
        };
        if error.is_refusal() || queue.is_closed() {
            return Err(error);
        }
        failures += 1;
        if failures == 1 {
            tracing::debug!(%error, "log lines of runs cannot be sent now; they are kept");
        }
        let delay = OUTAGE_BACKOFF.delay(failures, error.retry_after());
        raw.channel().clock().sleep(delay).await;
    }
}

/// Whether lines of which it is unknown are stored: `POST /logs/filter`, for the last of them. A request is stored as a
/// whole, or not at all.
async fn is_stored(raw: &raw::Client, lines: &[LogCreate]) -> Result<bool> {
    let Some(line) = lines.last() else {
        return Ok(true);
    };
    let run: Option<Uuid> = *line.flow_run_id;
    let at: DateTime<Utc> = line.timestamp;
    let filter = serde_json::json!({
        "logs": {
            "flow_run_id": { "any_": [run] },
            "timestamp": { "after_": at, "before_": at },
        },
        "limit": 1,
    });
    let request: ReadLogsRequest = serde_json::from_value(filter).map_err(|error| {
        Error::invalid_request("a filter of log lines cannot be written").with_source(error)
    })?;
    Ok(!raw.read_logs(&request).await?.into_inner().is_empty())
}
