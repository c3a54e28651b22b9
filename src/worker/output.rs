//! `JobOutput`: the lines that a job prints, as log lines of its run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::client::Client;
use crate::types::LogCreate;

/// The most lines of a job that wait to be sent; those beyond are dropped, and counted.
const MAX_WAITING_LINES: usize = 10_000;

/// The most lines that are sent together.
const MAX_BATCH_LINES: usize = 500;

/// The most bytes of a line, and so of a batch: Prefect's server takes 4 MB.
const MAX_LINE_BYTES: usize = 6_000;

/// How long a line waits for others.
const BATCH_DELAY: Duration = Duration::from_millis(500);

/// How long the last lines may take when the job has ended.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

/// How often, and after which wait, lines are sent again that could not be sent.
const MAX_TRIES: u32 = 10;
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// The names of the loggers, as Prefect's own workers name them.
const WORKER_LOGGER: &str = "prefect.flow_runs.worker";
const JOB_LOGGER: &str = "prefect.flow_runs";

const INFO: i64 = 20;

/// Takes the lines that a job prints, which become log lines of its run: `POST /logs/`. Clones are of the same job.
#[derive(Clone, Debug)]
pub struct JobOutput {
    lines: mpsc::Sender<(&'static str, i64, DateTime<Utc>, String)>,
    lost: Arc<AtomicU64>,
}

/// Sends the lines of one job.
pub(super) struct OutputShipper {
    client: Client,
    run: Uuid,
    lines: mpsc::Receiver<(&'static str, i64, DateTime<Utc>, String)>,
    lost: Arc<AtomicU64>,
    last: DateTime<Utc>,
}

impl JobOutput {
    /// The output of a job for this run, and what sends it.
    pub(super) fn new(client: Client, run: Uuid) -> (Self, OutputShipper) {
        let (sender, lines) = mpsc::channel(MAX_WAITING_LINES);
        let lost = Arc::new(AtomicU64::new(0));
        let shipper = OutputShipper {
            client,
            run,
            lines,
            lost: Arc::clone(&lost),
            last: DateTime::UNIX_EPOCH,
        };
        (
            Self {
                lines: sender,
                lost,
            },
            shipper,
        )
    }

    /// Takes a line without its end. It never blocks: when 10,000 lines wait, further ones are dropped, and the run's log says
    /// how many.
    pub fn line(&self, line: impl Into<String>) {
        self.put(JOB_LOGGER, INFO, line.into());
    }

    /// Says something about the job, as Prefect's own workers do.
    pub(super) fn say(&self, level: i64, line: String) {
        self.put(WORKER_LOGGER, level, line);
    }

    fn put(&self, logger: &'static str, level: i64, line: String) {
        if self
            .lines
            .try_send((logger, level, Utc::now(), line))
            .is_err()
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl OutputShipper {
    /// Sends lines until all clones of the output are dropped.
    pub(super) async fn ship(mut self) {
        let mut batch = Vec::new();
        while self.lines.recv_many(&mut batch, MAX_BATCH_LINES).await > 0 {
            if batch.len() < MAX_BATCH_LINES {
                tokio::time::sleep(BATCH_DELAY).await;
            }
            while batch.len() < MAX_BATCH_LINES
                && let Ok(line) = self.lines.try_recv()
            {
                batch.push(line);
            }
            let mut lines: Vec<_> = batch.drain(..).map(|line| self.line(line)).collect();
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                let said =
                    format!("{lost} lines are lost: they came faster than they could be sent");
                lines.push(self.line((WORKER_LOGGER, 30, Utc::now(), said)));
            }
            self.send(lines).await;
        }
    }

    /// Waits until everything is sent, within reason.
    pub(super) async fn finish(shipping: tokio::task::JoinHandle<()>) {
        let abort = shipping.abort_handle();
        if tokio::time::timeout(FLUSH_TIMEOUT, shipping).await.is_err() {
            abort.abort();
            tracing::warn!("the last lines of a job are lost: they could not be sent in time");
        }
    }

    async fn send(&self, lines: Vec<LogCreate>) {
        for _ in 0..MAX_TRIES {
            match self.client.logs().create(lines.clone()).await {
                Ok(()) => return,
                Err(error) if error.is_permanent() || error.is_invalid_request() => {
                    tracing::warn!(flow_run = %self.run, %error, "lines of a job are lost");
                    return;
                }
                Err(_) => tokio::time::sleep(RETRY_DELAY).await,
            }
        }
        tracing::warn!(flow_run = %self.run, "lines of a job are lost: the server is out of reach");
    }

    fn line(
        &mut self,
        (logger, level, at, mut text): (&'static str, i64, DateTime<Utc>, String),
    ) -> LogCreate {
        // The server orders lines by their times only.
        self.last = at.max(self.last + TimeDelta::microseconds(1));
        if text.contains('\0') {
            text = text.replace('\0', "");
        }
        if text.len() > MAX_LINE_BYTES {
            let mut end = MAX_LINE_BYTES;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text.push_str("... [truncated]");
        }
        LogCreate::new(logger, level, text, self.last).flow_run_id(self.run)
    }
}
