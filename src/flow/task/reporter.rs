//! `Reporter`: sends the states of all task runs of a client, as fast as the server records them.
//!
//! A server puts the events of task runs into a queue of 10,000, and records them one after the other: on two cores about 80
//! a second, and fewer while it answers requests. When the queue is full it drops events, yet still answers 204. So no more
//! than a window of them is sent before the last one is seen to be recorded; and while many wait, of each task run only the
//! newest state is sent, which has everything but the states before it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_core::future::BoxFuture;
use futures_util::FutureExt as _;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::client::{Background, Service, Services};
use crate::error::{Error, Result};
use crate::raw;
use crate::runtime::Backoff;
use crate::types::Event;

/// The most events in one request.
const MAX_EVENTS_PER_REQUEST: usize = 200;

/// How many events may be sent before the last one is seen to be recorded; all clients of a server share its queue.
const UNCONFIRMED_WINDOW: usize = 1000;

/// With more task runs that wait, only the newest state of each is sent.
const COALESCE_ABOVE: usize = 200;

/// With more task runs that wait, no task begins.
const MAX_WAITING: usize = 10_000;

/// How long states wait for others, to be sent with them.
const LINGER: Duration = Duration::from_millis(100);

/// The waits while the server is out of reach.
const OUTAGE_BACKOFF: Backoff =
    Backoff::new(Duration::from_secs(1), Duration::from_secs(60)).floor(Duration::from_millis(200));

/// The waits before it is looked again whether an event is recorded.
const CONFIRM_BACKOFF: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1))
    .floor(Duration::from_millis(10));

/// How long an event may take to be recorded; after that the server is taken not to do so, as when the run was deleted.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(60);

/// Reports the task runs of a client.
pub(crate) struct Reporter {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Notify,
    /// How many task runs wait, and how many batches were sent or confirmed.
    progress: watch::Sender<Progress>,
}

#[derive(Clone, Copy, Default, PartialEq)]
struct Progress {
    waiting: usize,
    /// Whether something was sent that was not seen to be recorded.
    is_unconfirmed: bool,
    steps: u64,
}

#[derive(Default)]
struct State {
    order: VecDeque<Uuid>,
    waiting: HashMap<Uuid, Vec<Event>>,
    /// How many wait for a confirmation of everything.
    flushes: usize,
    is_closed: bool,
}

/// The newest state that was sent.
#[derive(Clone, Copy)]
struct Sent {
    task_run: Uuid,
    at: DateTime<Utc>,
}

impl Service for Reporter {
    fn start(services: &Services) -> Result<Self> {
        let background: Arc<Background> = services.get()?;
        let shared = Arc::new(Shared::default());
        let raw = Arc::clone(background.raw());
        background.spawn(send_all(raw, Arc::clone(&shared)));
        Ok(Self { shared })
    }

    fn finish(&self, timeout: Duration) -> BoxFuture<'_, ()> {
        self.flush(timeout).map(drop).boxed()
    }

    fn unfinished(&self) -> Option<String> {
        let waiting = self.shared.state().waiting.len();
        let plural = if waiting == 1 { "" } else { "s" };
        (waiting > 0).then(|| format!("the states of {waiting} task run{plural} are not sent"))
    }
}

impl Reporter {
    /// Waits until there is room for another task run.
    pub(super) async fn room(&self) {
        let mut progress = self.shared.progress.subscribe();
        // This fails only if the sender is dropped, which lives as long as this.
        let _ = progress.wait_for(|it| it.waiting < MAX_WAITING).await;
    }

    /// Has a state sent; never waits.
    pub(super) fn report(&self, task_run: Uuid, event: Event) {
        let mut state = self.shared.state();
        let events = state.waiting.entry(task_run).or_default();
        events.push(event);
        if events.len() == 1 {
            state.order.push_back(task_run);
        }
        let waiting = state.waiting.len();
        drop(state);
        self.shared.progress.send_modify(|it| it.waiting = waiting);
        self.shared.wake.notify_one();
    }

    /// Waits until all states are sent and recorded; `false` if there is no progress for this long.
    pub(crate) async fn flush(&self, timeout: Duration) -> bool {
        let _flush = Flush::begin(&self.shared);
        let mut progress = self.shared.progress.subscribe();
        loop {
            let now = *progress.borrow_and_update();
            if now.waiting == 0 && !now.is_unconfirmed {
                return true;
            }
            let changed = progress.wait_for(|it| it.steps != now.steps);
            if tokio::time::timeout(timeout, changed).await.is_err() {
                return false;
            }
        }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.shared.state().is_closed = true;
        self.shared.wake.notify_one();
    }
}

/// Asks for the confirmation of everything, until this is dropped.
struct Flush<'a>(&'a Shared);

impl<'a> Flush<'a> {
    fn begin(shared: &'a Shared) -> Self {
        shared.state().flushes += 1;
        shared.wake.notify_one();
        Self(shared)
    }
}

impl Drop for Flush<'_> {
    fn drop(&mut self) {
        self.0.state().flushes -= 1;
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, is_unconfirmed: bool) {
        let waiting = self.state().waiting.len();
        self.progress.send_modify(|it| {
            *it = Progress {
                waiting,
                is_unconfirmed,
                steps: it.steps + 1,
            };
        });
    }
}

impl State {
    /// Takes the next events, and those of one task run together.
    fn take(&mut self) -> Vec<Event> {
        let mut batch = Vec::new();
        while batch.len() < MAX_EVENTS_PER_REQUEST
            && let Some(task_run) = self.order.pop_front()
        {
            let is_late = self.order.len() > COALESCE_ABOVE;
            let mut events = self.waiting.remove(&task_run).unwrap_or_default();
            if is_late {
                events.drain(..events.len().saturating_sub(1));
            }
            batch.append(&mut events);
        }
        batch
    }
}

/// Sends what waits, until the reporter is dropped.
async fn send_all(raw: Arc<raw::Client>, shared: Arc<Shared>) {
    let clock = raw.channel().clock();
    let (mut unconfirmed, mut last): (usize, Option<Sent>) = (0, None);
    loop {
        let (batch, is_flushing) = {
            let mut state = shared.state();
            if state.is_closed {
                return;
            }
            (state.take(), state.flushes > 0)
        };
        let is_confirming = unconfirmed >= UNCONFIRMED_WINDOW || batch.is_empty() && is_flushing;
        if let Some(sent) = last.filter(|_| is_confirming) {
            confirm(&raw, sent).await;
            (unconfirmed, last) = (0, None);
        }
        if !batch.is_empty() {
            last = batch.last().and_then(Sent::of).or(last);
            unconfirmed += batch.len();
            send(&raw, &shared, batch).await;
        } else if !is_confirming || last.is_none() {
            shared.step(last.is_some());
            shared.wake.notified().await;
            clock.sleep(LINGER).await;
            continue;
        }
        shared.step(last.is_some());
    }
}

/// Sends a batch, however long the server is out of reach.
async fn send(raw: &raw::Client, shared: &Shared, batch: Vec<Event>) {
    let mut failures = 0;
    loop {
        let Err(error) = raw.create_events(&batch).await else {
            return;
        };
        if is_refused(&error) {
            // They were checked: so it is this client that is refused.
            tracing::warn!(events = batch.len(), %error, "states of task runs are lost");
            return;
        }
        failures += 1;
        if failures == 1 {
            tracing::warn!(%error, "states of task runs cannot be sent now; they are kept");
        }
        if shared.state().is_closed {
            return;
        }
        let delay = OUTAGE_BACKOFF.delay(failures, error.retry_after());
        raw.channel().clock().sleep(delay).await;
    }
}

fn is_refused(error: &Error) -> bool {
    error.is_permanent()
        || error
            .status()
            .is_some_and(|status| status.is_client_error() && status != 429 && status != 408)
}

/// Waits until a state is recorded: `GET /task_runs/{id}`. The server records states in the order in which they came.
async fn confirm(raw: &raw::Client, sent: Sent) {
    let clock = raw.channel().clock();
    let (begun, mut looks) = (clock.now(), 0);
    loop {
        let read = raw.read_task_run(&sent.task_run).await;
        let state = read
            .ok()
            .and_then(|reply| reply.into_inner().state.into_option());
        if state
            .and_then(|state| state.timestamp)
            .is_some_and(|at| at >= sent.at)
        {
            return;
        }
        if clock.now().saturating_duration_since(begun) > CONFIRM_TIMEOUT {
            tracing::warn!(task_run = %sent.task_run, "the server has not recorded the state of a task run");
            return;
        }
        looks += 1;
        clock.sleep(CONFIRM_BACKOFF.delay(looks, None)).await;
    }
}

impl Sent {
    fn of(event: &Event) -> Option<Self> {
        let id = event.resource.get("prefect.resource.id")?;
        let task_run = id.strip_prefix("prefect.task-run.")?.parse().ok()?;
        Some(Self {
            task_run,
            at: event.occurred,
        })
    }
}
