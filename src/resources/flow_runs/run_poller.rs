//! `RunPoller`: polls all runs that are waited for.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::future::select;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use uuid::Uuid;

use crate::client::{Background, Service, Services};
use crate::error::{Error, ErrorKind, Result};
use crate::raw;
use crate::retry::RetryPolicy;
use crate::types::{
    FlowRunFilter, FlowRunFilterId, FlowRunResponse, FlowRunSort, ReadFlowRunsRequest,
};

/// The interval at which all runs are polled while events report changes.
const POLL_INTERVAL_LIVE: Duration = Duration::from_secs(10);

/// The interval at which all runs are polled while no events are received.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// How long polling continues without a subscription, for example between two waits.
const IDLE_SHUTDOWN_DELAY: Duration = Duration::from_secs(5);

/// The shortest pause between two polls: runs that change meanwhile are polled together.
const MIN_POLL_GAP: Duration = Duration::from_millis(50);

/// The longest timeout of one polling request.
const POLL_TIMEOUT: Duration = Duration::from_secs(10);

/// How many runs one request asks for: a server returns no more at a time.
const IDS_PER_REQUEST: usize = 200;

/// How long the server may be out of reach before waiting fails.
const OUTAGE_TOLERANCE: Duration = Duration::from_secs(120);

/// Polls all runs that a client waits for together, on the client's own thread: every few seconds, and at
/// once when an event reports that one has changed. The content of an event is never relied upon: events are
/// sent before they are true, and get lost.
pub(crate) struct RunPoller {
    background: Arc<Background>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the poll loop before its next poll is due.
    wake: Notify,
    /// Whether events are received.
    live: AtomicBool,
}

#[derive(Default)]
struct State {
    runs: HashMap<Uuid, watch::Sender<Snapshot>>,
    /// The runs that are to be polled at once.
    changed: HashSet<Uuid>,
    /// Whether the poll loop is running.
    is_polling: bool,
}

/// The result of the last poll of a run.
#[derive(Clone)]
pub(crate) enum Snapshot {
    /// The run was not polled yet.
    Nothing,
    Run(Arc<FlowRunResponse>),
    /// The run cannot be read, or does not exist.
    Failed(Arc<Error>),
}

/// A subscription to the snapshots of one run.
pub(crate) struct RunSubscription {
    pub snapshots: watch::Receiver<Snapshot>,
    run: Uuid,
    shared: Weak<Shared>,
}

impl Service for RunPoller {
    fn start(services: &Services) -> Result<Self> {
        Ok(Self {
            background: services.get()?,
            shared: Arc::default(),
        })
    }
}

impl RunPoller {
    /// Subscribes to a run, which is polled at once.
    pub(super) fn subscribe(&self, run: Uuid) -> RunSubscription {
        let mut state = self.shared.state();
        let sender = state.runs.entry(run);
        let sender = sender.or_insert_with(|| watch::channel(Snapshot::Nothing).0);
        let snapshots = sender.subscribe();
        state.changed.insert(run);
        let starts = !std::mem::replace(&mut state.is_polling, true);
        drop(state);
        if starts {
            let (raw, shared) = (self.background.raw().clone(), self.shared.clone());
            self.background.spawn(async move {
                let _ended = PollerEnded(&shared);
                // Listening for events stops when polling stops.
                let (polling, listening) = (
                    pin!(poll_loop(&raw, &shared)),
                    pin!(listen_loop(raw.clone(), &shared)),
                );
                select(polling, listening).await;
            });
        }
        self.shared.wake.notify_one();
        let shared = Arc::downgrade(&self.shared);
        RunSubscription {
            snapshots,
            run,
            shared,
        }
    }
}

/// Resets the state when polling ends, even if a hook of the program panics: this notifies all subscriptions.
struct PollerEnded<'a>(&'a Shared);

impl Drop for PollerEnded<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_polling = false;
        state.runs.clear();
    }
}

impl Drop for RunSubscription {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        let mut state = shared.state();
        // The receiver of this subscription still counts.
        let is_last = state
            .runs
            .get(&self.run)
            .is_some_and(|run| run.receiver_count() <= 1);
        if is_last {
            state.runs.remove(&self.run);
            shared.wake.notify_one();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the runs to poll now, either all or those that have changed, and whether any has changed.
    fn due(&self, all: bool) -> (Vec<Uuid>, bool) {
        let mut state = self.state();
        // Two subscriptions that are dropped at the same time may both leave the removal to the other.
        state.runs.retain(|_, run| run.receiver_count() > 0);
        let changed = std::mem::take(&mut state.changed);
        let has_changed = !changed.is_empty();
        let runs = match all {
            true => state.runs.keys().copied().collect(),
            false => {
                let is_watched = |run: &Uuid| state.runs.contains_key(run);
                changed.into_iter().filter(is_watched).collect()
            }
        };
        (runs, has_changed)
    }

    /// Returns whether there are no subscriptions; if so, polling is marked as stopped.
    fn stop_if_idle(&self) -> bool {
        let mut state = self.state();
        state.is_polling = !state.runs.is_empty();
        !state.is_polling
    }

    fn publish(&self, run: Uuid, seen: Snapshot) {
        if let Some(sender) = self.state().runs.get(&run) {
            sender.send_replace(seen);
        }
    }

    #[cfg(feature = "websocket")]
    fn has_changed(&self, run: Uuid) {
        let mut state = self.state();
        if state.runs.contains_key(&run) {
            state.changed.insert(run);
            drop(state);
            self.wake.notify_one();
        }
    }

    #[cfg(feature = "websocket")]
    fn set_live(&self, live: bool) {
        if self.live.swap(live, Ordering::Relaxed) != live {
            // No event reports what changed while none were received.
            let mut state = self.state();
            state.changed = state.runs.keys().copied().collect();
            drop(state);
            self.wake.notify_one();
        }
    }
}

/// Polls the runs with subscriptions, until there have been none for [`IDLE_SHUTDOWN_DELAY`].
async fn poll_loop(raw: &raw::Client, shared: &Shared) {
    let poll_timeout = raw.channel().timeout().min(POLL_TIMEOUT);
    let once = raw
        .with_retry(RetryPolicy::none())
        .with_timeout(poll_timeout);
    let (mut all_at, mut failing_since) = (Instant::now(), None);
    loop {
        let now = Instant::now();
        let all = now >= all_at;
        let (runs, has_changed) = shared.due(all);
        match poll_all(&once, &runs, shared).await {
            Ok(()) => failing_since = None,
            Err(error) => {
                let since = *failing_since.get_or_insert(now);
                if error.is_permanent() || since.elapsed() > OUTAGE_TOLERANCE {
                    let failed = Snapshot::Failed(Arc::new(error));
                    runs.iter()
                        .for_each(|run| shared.publish(*run, failed.clone()));
                }
            }
        }
        let now = Instant::now();
        let is_live = failing_since.is_none() && shared.live.load(Ordering::Relaxed);
        let pause = if is_live {
            POLL_INTERVAL_LIVE
        } else {
            POLL_INTERVAL
        };
        // An event may arrive before the change that it reports is visible.
        let again = if has_changed { POLL_INTERVAL } else { pause };
        all_at = if all {
            now + again
        } else {
            all_at.min(now + again)
        };
        tokio::time::sleep(MIN_POLL_GAP).await;
        if shared.state().runs.is_empty() {
            if timeout(IDLE_SHUTDOWN_DELAY, shared.wake.notified())
                .await
                .is_err()
                && shared.stop_if_idle()
            {
                return;
            }
        } else if failing_since.is_some() {
            // While requests fail, a change does not cause an earlier poll.
            all_at = all_at.min(now + POLL_INTERVAL);
            tokio::time::sleep_until(all_at.into()).await;
        } else {
            let _ = tokio::time::timeout_at(all_at.into(), shared.wake.notified()).await;
        }
    }
}

async fn poll_all(raw: &raw::Client, runs: &[Uuid], shared: &Shared) -> Result<()> {
    for runs in runs.chunks(IDS_PER_REQUEST) {
        poll_chunk(raw, runs, shared).await?;
    }
    Ok(())
}

async fn poll_chunk(raw: &raw::Client, runs: &[Uuid], shared: &Shared) -> Result<()> {
    let filter = FlowRunFilter::new().id(FlowRunFilterId::new().any_(runs.to_vec()));
    // The server may return fewer runs at a time than it is asked for.
    let mut body = ReadFlowRunsRequest::new()
        .flow_runs(filter)
        .sort(FlowRunSort::IdDesc);
    let mut missing: HashSet<Uuid> = runs.iter().copied().collect();
    let mut offset = 0;
    loop {
        body.offset = Some(offset);
        let page = raw.read_flow_runs(&body).await?.into_inner();
        if page.is_empty() {
            break;
        }
        offset += page.len() as i64;
        for run in page {
            missing.remove(&run.id);
            shared.publish(run.id, Snapshot::Run(Arc::new(run)));
        }
        if missing.is_empty() {
            return Ok(());
        }
    }
    for run in missing {
        let what = format!("there is no flow run {run}");
        let error = Error::new(ErrorKind::NotFound, what);
        shared.publish(run, Snapshot::Failed(Arc::new(error)));
    }
    Ok(())
}

/// Without the feature `websocket`, no events are received.
#[cfg(not(feature = "websocket"))]
async fn listen_loop(_: Arc<raw::Client>, _: &Shared) {
    std::future::pending().await
}

/// Receives events, and marks the runs that they report on as changed.
#[cfg(feature = "websocket")]
async fn listen_loop(raw: Arc<raw::Client>, shared: &Shared) {
    use crate::resources::events::{LiveEventStream, StreamEvent};
    use crate::types::{EventFilter, EventNameFilter};

    let names = EventNameFilter::new()
        .prefix(vec!["prefect.flow-run.".to_owned()])
        .exclude_name(vec!["prefect.flow-run.heartbeat".to_owned()]);
    let mut stream = LiveEventStream::new(raw, EventFilter::new().event(names));
    loop {
        match stream.next().await {
            StreamEvent::Opened => shared.set_live(true),
            StreamEvent::Ended(error) => {
                tracing::debug!(%error, "no events are received; runs are polled more often");
                shared.set_live(false);
            }
            StreamEvent::Event(event) => {
                let resource = event.resource.get("prefect.resource.id");
                let run = resource.and_then(|id| id.strip_prefix("prefect.flow-run."));
                if let Some(run) = run.and_then(|run| run.parse().ok()) {
                    shared.has_changed(run);
                }
            }
        }
    }
}
