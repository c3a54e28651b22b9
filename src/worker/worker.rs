//! `RunningWorker`: takes the runs of a pool, and has each of them executed.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::events::{self, WorkerEvents};
use super::infrastructure::Infrastructure;
use super::options::WorkerOptions;
use super::presence::Presence;
use super::shared::{Order, Shared};
use super::stats::{Counters, WorkerStats};
use crate::client::Client;
use crate::error::Result;
use crate::flow_runs::{DueRun, DueRuns, PollStatus};
use crate::serve::{Shutdown, StopSender, Stops};
use crate::types::{Event, WorkerFlowRunResponse};

/// How long the ends of runs may take to be reported at the end, after the grace of their infrastructure.
const REPORT_TIMEOUT: Duration = Duration::from_secs(20);

/// How long an event of the worker may take.
const EVENT_TIMEOUT: Duration = Duration::from_secs(5);

/// A worker that is ready to take runs: see [`Worker::start`](super::Worker::start).
#[must_use = "a worker takes no runs unless it is run"]
pub struct RunningWorker<I> {
    shared: Arc<Shared<I>>,
    presence: Presence,
    due: DueRuns<WorkerFlowRunResponse>,
    status: PollStatus,
    slots: Arc<Semaphore>,
    orders: watch::Sender<Order>,
    stops: Stops,
}

/// Watches and ends a [`RunningWorker`].
#[derive(Clone)]
pub struct WorkerHandle {
    name: String,
    counters: Counters,
    status: PollStatus,
    stop: StopSender,
}

impl WorkerHandle {
    /// The name of the worker, which the pool shows.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the worker has done until now, for a health endpoint or metrics.
    pub fn stats(&self) -> WorkerStats {
        WorkerStats {
            last_poll: self.status.last_poll(),
            ..self.counters.read()
        }
    }

    /// Ends the worker, as SIGTERM does. The second call ends a drain at once.
    pub fn stop(&self) {
        self.stop.send();
    }
}

impl<I: Infrastructure> RunningWorker<I> {
    pub(super) async fn start(
        client: Client,
        infrastructure: I,
        pool: &str,
        name: String,
        options: WorkerOptions,
    ) -> Result<Self> {
        let creates_pool = options.creates_pool;
        let presence = Presence::begin(client.clone(), &infrastructure, pool, &name, creates_pool);
        let presence = presence.await?;
        let mut due = client.work_pools().due_runs(pool);
        due = due.queues(options.queues.clone());
        if let Some(interval) = options.interval {
            due = due.interval(interval);
        }
        if let Some(prefetch) = options.prefetch {
            due = due.prefetch(prefetch);
        }
        let (orders, ordered) = watch::channel(Order::GoOn);
        let limit = options
            .limit
            .map_or(Semaphore::MAX_PERMITS, |limit| limit as usize);
        Ok(Self {
            status: due.status(),
            due,
            slots: Arc::new(Semaphore::new(limit)),
            orders,
            stops: Stops::new(),
            shared: Arc::new(Shared {
                events: WorkerEvents::new(&name, infrastructure.pool_type()),
                pool: presence.pool(),
                client,
                infrastructure,
                name,
                options,
                counters: Counters::default(),
                orders: ordered,
            }),
            presence,
        })
    }

    /// Returns a handle, by which the worker can be watched and ended from elsewhere.
    pub fn handle(&self) -> WorkerHandle {
        WorkerHandle {
            name: self.shared.name.clone(),
            counters: self.shared.counters.clone(),
            status: self.status.clone(),
            stop: self.stops.sender(),
        }
    }

    /// Takes runs until the process is asked to end, and returns what was done. If this future is dropped, nobody reports
    /// what becomes of the runs in progress.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors) that is permanent, of the first poll for runs.
    pub async fn run(self) -> Result<WorkerStats> {
        let Self {
            shared,
            presence,
            mut due,
            status,
            slots,
            orders,
            mut stops,
        } = self;
        if shared.options.catches_signals {
            stops.catch_signals(&shared.client)?;
        }
        let work = async {
            let pool = shared.pool.borrow().clone();
            let started = shared.events.started(&pool);
            emit_soon(&shared.client, started.clone()).await;
            let mut tasks = JoinSet::new();
            let taken = take_runs(&shared, &mut due, &status, &slots, &mut stops, &mut tasks).await;
            end(&shared, &orders, &mut stops, &mut tasks).await;
            emit_soon(&shared.client, shared.events.stopped(&pool, &started)).await;
            taken
        };
        let taken = match select(pin!(work), pin!(presence.keep())).await {
            Either::Left((taken, _)) => taken,
            Either::Right(((), _)) => Ok(()),
        };
        taken.map(|()| WorkerStats {
            last_poll: status.last_poll(),
            ..shared.counters.read()
        })
    }
}

/// Takes runs until the process is asked to end.
async fn take_runs<I: Infrastructure>(
    shared: &Arc<Shared<I>>,
    due: &mut DueRuns<WorkerFlowRunResponse>,
    status: &PollStatus,
    slots: &Arc<Semaphore>,
    stops: &mut Stops,
    tasks: &mut JoinSet<()>,
) -> Result<()> {
    loop {
        let slot = {
            let slot = pin!(Arc::clone(slots).acquire_owned());
            // It goes on polling meanwhile: the server takes the queues for unattended otherwise.
            let polling = pin!(due.keep_polling());
            // It fails only if the semaphore is closed, which it never is.
            match stops.before(select(slot, polling)).await {
                Some(Either::Left((Ok(slot), _))) => slot,
                _ => return Ok(()),
            }
        };
        match stops.before(due.next()).await {
            None => return Ok(()),
            Some(Ok(due)) => {
                tasks.spawn(execute(Arc::clone(shared), due, slot));
            }
            Some(Err(error)) if status.last_poll().is_none() => return Err(error),
            Some(Err(error)) => tracing::warn!(%error, "runs cannot be looked for"),
        }
        while tasks.try_join_next().is_some() {}
    }
}

async fn execute<I: Infrastructure>(
    shared: Arc<Shared<I>>,
    due: DueRun<WorkerFlowRunResponse>,
    slot: OwnedSemaphorePermit,
) {
    shared.execute(due).await;
    drop(slot);
}

/// Ends the runs in progress.
async fn end<I>(
    shared: &Shared<I>,
    orders: &watch::Sender<Order>,
    stops: &mut Stops,
    tasks: &mut JoinSet<()>,
) {
    let order = match shared.options.shutdown {
        Shutdown::Drain(time) => {
            // Another wish to end ends the drain.
            let drained = pin!(are_done_within(shared, time, tasks));
            select(drained, pin!(stops.next())).await;
            Order::Reschedule
        }
        Shutdown::Reschedule => Order::Reschedule,
        Shutdown::Cancel => Order::Cancel,
    };
    orders.send_replace(order);
    let time = shared.options.grace.saturating_add(REPORT_TIMEOUT);
    if !are_done_within(shared, time, tasks).await {
        let running = tasks.len();
        tracing::warn!(running, "what became of runs is not reported");
    }
}

/// Waits until no run is in progress, for this time.
async fn are_done_within<I>(shared: &Shared<I>, time: Duration, tasks: &mut JoinSet<()>) -> bool {
    let done = pin!(async { while tasks.join_next().await.is_some() {} });
    let clock = shared.client.channel().clock();
    matches!(select(done, clock.sleep(time)).await, Either::Left(_))
}

/// Emits an event, unless that takes too long for what is to come.
async fn emit_soon(client: &Client, event: Event) {
    let emitted = tokio::time::timeout(EVENT_TIMEOUT, events::emit(client, event)).await;
    if emitted.is_err() {
        tracing::warn!("an event of the worker is lost: the server does not answer");
    }
}

impl<I> fmt::Debug for RunningWorker<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningWorker")
            .field("name", &self.shared.name)
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerHandle")
            .field("name", &self.name)
            .field("stats", &self.stats())
            .finish()
    }
}
