//! `Watch`: streams the states and log lines of a run.

use std::collections::HashSet;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_core::Stream;
use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::generated::FlowRuns;
use super::is_terminal::has_ended;
use super::run_poller::RunPoller;
use super::run_subscription::{RunSubscription, Snapshot};
use crate::client::Background;
use crate::error::{Error, Result};
use crate::raw;
use crate::retry::RetryPolicy;
use crate::types::{
    Log, LogFilter, LogFilterFlowRunId, LogFilterTimestamp, LogSort, ReadLogsRequest, State,
};

/// The interval at which states and log lines are read.
const LOG_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How much later than newer ones a log line may reach the server and still be read before the next full
/// read: programs send lines in batches.
const LOG_ARRIVAL_DELAY: Duration = Duration::from_secs(15);

/// The interval at which all lines are read again: some may have an earlier timestamp.
const FULL_READ_INTERVAL: Duration = Duration::from_secs(60);

/// How long a run must be quiet after its end before the stream ends: its last lines arrive seconds later.
const QUIET_PERIOD: Duration = Duration::from_secs(5);

/// How long the server may be out of reach before the stream fails.
const OUTAGE_TOLERANCE: Duration = Duration::from_secs(120);

/// How many updates are buffered before reading pauses.
const UPDATE_BUFFER: usize = 256;

/// One update of a run: a new state or a log line.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RunUpdate {
    /// The run entered this state.
    State(Box<State>),
    /// The run logged this line.
    Log(Box<Log>),
}

impl RunUpdate {
    fn timestamp(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::State(state) => state.timestamp,
            Self::Log(log) => Some(log.timestamp),
        }
    }
}

/// The states and log lines of a run, as a stream: see [`FlowRuns::watch`].
#[must_use = "streams do nothing unless they are polled"]
pub struct Watch {
    updates: Option<mpsc::Receiver<Result<RunUpdate>>>,
    failed: Option<Error>,
}

impl FlowRuns<'_> {
    /// Streams the states and log lines of a run, from the first on, each once. The stream ends when the run
    /// has ended and has logged nothing for 5 s. (If a state is proposed after the end, the stream goes on
    /// with it.)
    ///
    /// States come in order, and so do lines, except those that reach the server more than a second after
    /// later ones; states and lines together are sorted by their timestamps. The states are read from the
    /// run's history (`GET /flow_run_states/`), so that none is missed, and the lines from those that the
    /// server has stored (`POST /logs/filter`), which works whether or not the server streams logs. Both are
    /// read every second, and at once when [`wait`](Self::wait) would see a change; all lines are read again
    /// every minute and at the end. Lines that the program of the run has not sent, for example because it
    /// was killed, never arrive.
    ///
    /// The client's own thread reads them, and pauses while 256 updates are buffered.
    ///
    /// # Errors
    ///
    /// When the run cannot be read, the stream ends with the same errors as
    /// [`Wait`](crate::flow_runs::Wait#errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::flow_runs::RunUpdate;
    ///
    /// let mut updates = client.flow_runs().watch(id);
    /// while let Some(update) = updates.next().await {
    ///     match update? {
    ///         RunUpdate::State(state) => println!("it is {:?}", state.name),
    ///         RunUpdate::Log(log) => println!("{} {}", log.timestamp, log.message),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch(self, id: Uuid) -> Watch {
        let started = self.client.service::<RunPoller>().and_then(|poller| {
            let (sender, updates) = mpsc::channel(UPDATE_BUFFER);
            let background = self.client.service::<Background>()?;
            let follower = Follower::new(id, background.raw(), poller.subscribe(id), sender);
            background.spawn(follower.follow());
            Ok(updates)
        });
        match started {
            Ok(updates) => Watch {
                updates: Some(updates),
                failed: None,
            },
            Err(error) => Watch {
                updates: None,
                failed: Some(error),
            },
        }
    }
}

impl Watch {
    /// Returns the next update, or `None` when the stream has ended. No update is lost if the future is
    /// dropped before it completes.
    pub async fn next(&mut self) -> Option<Result<RunUpdate>> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<RunUpdate>>> {
        match &mut self.updates {
            Some(updates) => updates.poll_recv(context),
            None => Poll::Ready(self.failed.take().map(Err)),
        }
    }
}

impl Stream for Watch {
    type Item = Result<RunUpdate>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// Reads the states and log lines of a run until the stream ends or is dropped.
struct Follower {
    run: Uuid,
    raw: raw::Client,
    subscription: RunSubscription,
    sender: mpsc::Sender<Result<RunUpdate>>,
    delivered: HashSet<Uuid>,
    /// The time of the newest line.
    newest: Option<DateTime<Utc>>,
}

/// The receiver of the updates was dropped.
struct ReceiverDropped;

impl Follower {
    fn new(
        run: Uuid,
        raw: &Arc<raw::Client>,
        subscription: RunSubscription,
        sender: mpsc::Sender<Result<RunUpdate>>,
    ) -> Self {
        Self {
            run,
            raw: raw.with_retry(RetryPolicy::none()),
            subscription,
            sender,
            delivered: HashSet::new(),
            newest: None,
        }
    }

    /// Reads until the run is over or the receiver is dropped. A panic in a hook of the program is an error, and
    /// not the end of the run.
    async fn follow(mut self) {
        let sender = self.sender.clone();
        let reading = AssertUnwindSafe(self.read_until_over());
        if reading.catch_unwind().await.is_err() {
            let _ = sender
                .send(Err(Error::hook_panicked("the run is no longer read")))
                .await;
        }
    }

    async fn read_until_over(&mut self) -> Result<(), ReceiverDropped> {
        let (mut failing_since, mut quiet_since) = (None, None);
        let mut read_all_at = Instant::now();
        loop {
            if self.sender.is_closed() {
                return Err(ReceiverDropped);
            }
            if let Snapshot::Failed(error) = self.subscription.latest() {
                return self.send(Err(error.copy())).await;
            }
            let is_quiet =
                quiet_since.is_some_and(|since: Instant| since.elapsed() >= QUIET_PERIOD);
            let all = is_quiet || read_all_at.elapsed() >= FULL_READ_INTERVAL;
            match self.read(all).await {
                Ok((updates, ended)) => {
                    failing_since = None;
                    let delivered = self.send_all(updates).await?;
                    if all {
                        read_all_at = Instant::now();
                    }
                    match ended && delivered == 0 {
                        true if is_quiet => return Ok(()),
                        true => drop(quiet_since.get_or_insert_with(Instant::now)),
                        false => quiet_since = None,
                    }
                }
                Err(error) => {
                    let since = *failing_since.get_or_insert_with(Instant::now);
                    if error.is_permanent() || since.elapsed() > OUTAGE_TOLERANCE {
                        return self.send(Err(error)).await;
                    }
                }
            }
            let changed = self.subscription.next();
            if let Ok(None) = tokio::time::timeout(LOG_POLL_INTERVAL, changed).await {
                let error = Error::hook_panicked("flow runs are no longer polled");
                return self.send(Err(error)).await;
            }
        }
    }

    /// Reads the states that were not delivered yet, and the log lines, either all or only those about as new
    /// as the newest one. Also returns whether the last state is terminal.
    async fn read(&self, all: bool) -> Result<(Vec<RunUpdate>, bool)> {
        let states = self.raw.read_flow_run_states(&self.run).await?.into_inner();
        let last = states
            .iter()
            .max_by_key(|state| state.timestamp.as_ref().copied());
        let ended = last.is_some_and(|state| has_ended(&state.type_));
        let states = states
            .into_iter()
            .filter(|state| !self.delivered.contains(&state.id));
        let mut updates: Vec<_> = states
            .map(|state| RunUpdate::State(Box::new(state)))
            .collect();
        let run = LogFilterFlowRunId::new().any_(vec![self.run]);
        let mut filter = LogFilter::new().flow_run_id(run);
        if let Some(newest) = self.newest.filter(|_| !all) {
            let since = newest - LOG_ARRIVAL_DELAY;
            filter = filter.timestamp(LogFilterTimestamp::new().after_(since));
        }
        let mut body = ReadLogsRequest::new()
            .logs(filter)
            .sort(LogSort::TimestampAsc);
        let mut offset = 0;
        loop {
            body.offset = Some(offset);
            let page = self.raw.read_logs(&body).await?.into_inner();
            if page.is_empty() {
                break;
            }
            offset += page.len() as i64;
            let new = page
                .into_iter()
                .filter(|log| !self.delivered.contains(&log.id));
            updates.extend(new.map(|log| RunUpdate::Log(Box::new(log))));
        }
        // The sort is stable: updates with the same timestamp stay in the server's order.
        updates.sort_by_key(RunUpdate::timestamp);
        Ok((updates, ended))
    }

    /// Sends the updates that were not delivered yet, and returns how many; pages that shifted while they
    /// were read may contain some twice.
    async fn send_all(&mut self, updates: Vec<RunUpdate>) -> Result<usize, ReceiverDropped> {
        let mut count = 0;
        for update in updates {
            let id = match &update {
                RunUpdate::State(state) => state.id,
                RunUpdate::Log(log) => {
                    // A line with a timestamp in the future would hide those to come.
                    let at = log.timestamp.min(Utc::now());
                    self.newest = self.newest.max(Some(at));
                    log.id
                }
            };
            if self.delivered.insert(id) {
                self.send(Ok(update)).await?;
                count += 1;
            }
        }
        Ok(count)
    }

    async fn send(&self, update: Result<RunUpdate>) -> Result<(), ReceiverDropped> {
        self.sender.send(update).await.map_err(|_| ReceiverDropped)
    }
}
