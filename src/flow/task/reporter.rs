//! `Reporter`: sends the states of all task runs of a client, as fast as the server records them.
//!
//! A server puts the events of task runs into a queue of 10,000, and records them one after the other: on two cores about 80
//! a second, and fewer while it answers requests. When the queue is full it drops events, yet still answers 204. So no more
//! than a window of them is sent before the last one is seen to be recorded; and while many wait, of each task run only the
//! newest state is sent, which has everything but the states before it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::FutureExt as _;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::delivery::{Sent, confirm, requests, send};
use super::record::TaskReport;
use crate::client::{Background, Service, Services};
use crate::error::Result;
use crate::raw;

/// The most events in one request.
const MAX_EVENTS_PER_REQUEST: usize = 200;

/// How many states of one task run are kept while the server is out of reach; with more, only the newest.
const MAX_STATES_PER_TASK_RUN: usize = 20;

/// How many events may be sent before the last one is seen to be recorded; all clients of a server share its queue.
const UNCONFIRMED_WINDOW: usize = 1000;

/// With more task runs that wait, only the newest state of each is sent.
const COALESCE_ABOVE: usize = 200;

/// With more task runs that wait, no task begins.
const MAX_WAITING: usize = 10_000;

/// How long states wait for others, to be sent with them.
const LINGER: Duration = Duration::from_millis(100);

/// Reports the task runs of a client.
pub(crate) struct Reporter {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Notify,
    progress: watch::Sender<Progress>,
}

/// Changes with each request, and with each report.
#[derive(Clone, Copy, Default)]
struct Progress {
    waiting: usize,
    steps: u64,
}

#[derive(Default)]
struct State {
    order: VecDeque<Uuid>,
    waiting: HashMap<Uuid, Vec<TaskReport>>,
    /// How many reports were queued.
    queued: u64,
    /// The first report of each flow run that is being sent, or is not seen to be recorded.
    unconfirmed: HashMap<Uuid, u64>,
    /// Up to which report of which flow run somebody waits.
    flushes: Vec<(Uuid, u64)>,
    is_closed: bool,
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
        async move {
            let mut progress = self.shared.progress.subscribe();
            let empty = progress.wait_for(|it| it.waiting == 0);
            let _ = tokio::time::timeout(timeout, empty).await;
        }
        .boxed()
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
    pub(super) fn report(&self, report: TaskReport) {
        let mut state = self.shared.state();
        state.add(report);
        let waiting = state.waiting.len();
        drop(state);
        self.shared.progress.send_modify(|it| it.waiting = waiting);
        self.shared.wake.notify_one();
    }

    /// Waits until the states so far of a run's tasks are sent and recorded; `false` if there is no progress for this long.
    pub(crate) async fn flush(&self, flow_run: Uuid, timeout: Duration) -> bool {
        let flush = Flush::begin(&self.shared, flow_run);
        let mut progress = self.shared.progress.subscribe();
        loop {
            let steps = progress.borrow_and_update().steps;
            if self.shared.state().is_settled(flush.target) {
                return true;
            }
            let changed = progress.wait_for(|it| it.steps != steps);
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

/// Asks for the confirmation of what a run has reported until now, until this is dropped.
struct Flush<'a> {
    shared: &'a Shared,
    target: (Uuid, u64),
}

impl<'a> Flush<'a> {
    fn begin(shared: &'a Shared, flow_run: Uuid) -> Self {
        let mut state = shared.state();
        let target = (flow_run, state.queued);
        state.flushes.push(target);
        drop(state);
        shared.wake.notify_one();
        Self { shared, target }
    }
}

impl Drop for Flush<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if let Some(at) = state.flushes.iter().position(|it| *it == self.target) {
            state.flushes.swap_remove(at);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self) {
        let waiting = self.state().waiting.len();
        self.progress.send_modify(|it| {
            it.waiting = waiting;
            it.steps += 1;
        });
    }
}

impl State {
    fn add(&mut self, mut report: TaskReport) {
        self.queued += 1;
        report.sequence = self.queued;
        let task_run = report.task_run();
        let reports = self.waiting.entry(task_run).or_default();
        reports.push(report);
        match reports.len() {
            1 => self.order.push_back(task_run),
            ..=MAX_STATES_PER_TASK_RUN => {}
            _ => keep_newest(reports),
        }
    }

    /// Whether no report of this flow run up to this one is left to be sent.
    fn is_sent(&self, (flow_run, last): (Uuid, u64)) -> bool {
        let mut reports = self.waiting.values().flatten();
        !reports.any(|it| it.flow_run() == flow_run && it.sequence <= last)
    }

    /// Whether no report of this flow run up to this one is left to be recorded.
    fn is_recorded(&self, (flow_run, last): (Uuid, u64)) -> bool {
        let first = self.unconfirmed.get(&flow_run);
        first.is_none_or(|first| *first > last)
    }

    fn is_settled(&self, target: (Uuid, u64)) -> bool {
        self.is_recorded(target) && self.is_sent(target)
    }

    /// Whether somebody waits for what was sent, and is not seen to be recorded.
    fn needs_confirmation(&self) -> bool {
        let mut flushes = self.flushes.iter();
        flushes.any(|target| !self.is_recorded(*target) && self.is_sent(*target))
    }

    /// Takes the next states, and those of one task run together.
    fn take(&mut self) -> Vec<TaskReport> {
        let mut batch = Vec::new();
        while batch.len() < MAX_EVENTS_PER_REQUEST
            && let Some(task_run) = self.order.pop_front()
        {
            let mut reports = self.waiting.remove(&task_run).unwrap_or_default();
            if self.order.len() > COALESCE_ABOVE {
                keep_newest(&mut reports);
            }
            batch.append(&mut reports);
        }
        for report in &batch {
            let first = self.unconfirmed.entry(report.flow_run());
            let first = first.or_insert(report.sequence);
            *first = report.sequence.min(*first);
        }
        batch
    }
}

/// Keeps only the newest state of a task run, in the place of the oldest one.
fn keep_newest(reports: &mut Vec<TaskReport>) {
    let oldest = reports.first().map(|it| (it.follows, it.sequence));
    if let Some(((follows, sequence), mut newest)) = oldest.zip(reports.pop()) {
        (newest.follows, newest.sequence) = (follows, sequence);
        *reports = vec![newest];
    }
}

/// Sends what waits, until the reporter is dropped.
async fn send_all(raw: Arc<raw::Client>, shared: Arc<Shared>) {
    let clock = raw.channel().clock();
    let is_closed = || shared.state().is_closed;
    let (mut unconfirmed, mut last): (usize, Option<Sent>) = (0, None);
    loop {
        let (batch, must_confirm) = {
            let mut state = shared.state();
            if state.is_closed {
                return;
            }
            let must_confirm = unconfirmed >= UNCONFIRMED_WINDOW || state.needs_confirmation();
            // What is taken now is not covered by that confirmation.
            (
                if must_confirm {
                    Vec::new()
                } else {
                    state.take()
                },
                must_confirm,
            )
        };
        if must_confirm {
            if let Some(sent) = last.take() {
                confirm(&raw, sent).await;
            }
            unconfirmed = 0;
            shared.state().unconfirmed.clear();
        } else if batch.is_empty() {
            shared.wake.notified().await;
            clock.sleep(LINGER).await;
            continue;
        } else {
            unconfirmed += batch.len();
            for request in requests(&batch) {
                last = send(&raw, request, &is_closed).await.or(last);
            }
        }
        shared.step();
    }
}
