//! `Server`: finds the runs of its deployments, and has each of them run.

use std::collections::HashMap;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::deployment::Served;
use super::options::ServeOptions;
use super::shutdown::Shutdown;
use super::stats::{Counters, ServeStats};
use super::stops::{StopSender, Stops};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::flow::{Ending, Order, ServedRun, StopReason};
use crate::resources::flow_runs::{DueRun, DueRuns, PollStatus};
use crate::types::FlowRunResponse;

/// How long a run that could not be claimed is left alone.
const SET_ASIDE: Duration = Duration::from_secs(30);

/// How long the ends of runs may take to be reported at the end, after the grace of their functions.
const REPORT_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the deployments may take to be paused at the end.
const PAUSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Deployments of this process, made and ready to be served: see [`Serve::start`](super::Serve::start).
#[must_use = "nothing is served unless it is run"]
pub struct Server {
    client: Client,
    served: HashMap<Uuid, Box<dyn Served>>,
    due: DueRuns,
    status: PollStatus,
    slots: Arc<Semaphore>,
    options: ServeOptions,
    orders: watch::Sender<Order>,
    counters: Counters,
    stops: Stops,
}

/// Watches and ends a [`Server`] while it runs.
#[derive(Clone)]
pub struct ServerHandle {
    counters: Counters,
    status: PollStatus,
    stop: StopSender,
}

impl ServerHandle {
    /// What the server has done until now, for a health endpoint or metrics.
    pub fn stats(&self) -> ServeStats {
        ServeStats {
            last_poll: self.status.last_poll(),
            ..self.counters.read()
        }
    }

    /// Ends the server, as SIGTERM does. The second call ends a drain at once.
    pub fn stop(&self) {
        self.stop.send();
    }
}

impl Server {
    pub(super) fn new(
        client: Client,
        options: ServeOptions,
        served: HashMap<Uuid, Box<dyn Served>>,
    ) -> Self {
        let mut due = client.deployments().due_runs(served.keys().copied());
        if let Some(interval) = options.interval {
            due = due.interval(interval);
        }
        if let Some(prefetch) = options.prefetch {
            due = due.prefetch(prefetch);
        }
        Self {
            status: due.status(),
            due,
            served,
            slots: Arc::new(Semaphore::new(options.limit as usize)),
            options,
            orders: watch::Sender::default(),
            counters: Counters::default(),
            stops: Stops::new(),
            client,
        }
    }

    /// Returns a handle, by which the server can be watched and ended from elsewhere.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle {
            counters: self.counters.clone(),
            status: self.status.clone(),
            stop: self.stops.sender(),
        }
    }

    /// Serves the deployments until the process is asked to end, and returns what was done. If this future is dropped, the
    /// runs in progress are CRASHED.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors) that is permanent, of the first poll for runs.
    pub async fn run(mut self) -> Result<ServeStats> {
        if self.options.catches_signals {
            self.stops.catch_signals(&self.client)?;
        }
        let mut tasks = JoinSet::new();
        let taken = self.take_runs(&mut tasks).await;
        self.end().await;
        taken.map(|()| self.handle().stats())
    }

    /// Takes runs until the process is asked to end.
    async fn take_runs(&mut self, tasks: &mut JoinSet<()>) -> Result<()> {
        loop {
            let slot = {
                let slot = pin!(Arc::clone(&self.slots).acquire_owned());
                // It goes on polling meanwhile: the server takes the deployments for unattended otherwise.
                let polling = pin!(self.due.keep_polling());
                // It fails only if the semaphore is closed, which it never is.
                match self.stops.before(select(slot, polling)).await {
                    Some(Either::Left((Ok(slot), _))) => slot,
                    _ => return Ok(()),
                }
            };
            match self.stops.before(self.due.next()).await {
                None => return Ok(()),
                Some(Ok(due)) => self.begin(due, slot, tasks),
                Some(Err(error)) if self.status.last_poll().is_none() => return Err(error),
                Some(Err(error)) => tracing::warn!(%error, "runs cannot be looked for"),
            }
            while tasks.try_join_next().is_some() {}
        }
    }

    /// Has a run attempted in a task of its own.
    fn begin(
        &self,
        due: DueRun<FlowRunResponse>,
        slot: OwnedSemaphorePermit,
        tasks: &mut JoinSet<()>,
    ) {
        let deployment = due.deployment_id.as_ref();
        let Some(served) = deployment.and_then(|id| self.served.get(id)) else {
            return;
        };
        let run = Box::new(FlowRunResponse::clone(&due));
        let id = run.id;
        let in_progress = InProgress::new(self.counters.clone(), slot, due);
        let attempt = served.attempt(
            &self.client,
            ServedRun {
                run,
                orders: self.orders.subscribe(),
                on_end: Some(Box::new(|ending| in_progress.end(ending))),
            },
        );
        tasks.spawn(async move {
            if let Err(error) = attempt.await {
                tracing::warn!(flow_run = %id, %error, "a run could not be attempted");
            }
        });
    }

    /// Ends the runs in progress.
    async fn end(&mut self) {
        let reason = match self.options.shutdown {
            Shutdown::Drain(time) => {
                let _ = self.is_idle_within(time).await;
                StopReason::Rescheduled
            }
            Shutdown::Reschedule => StopReason::Rescheduled,
            Shutdown::Cancel => StopReason::Cancelled,
        };
        self.orders.send_replace(Order::Stop(reason.clone()));
        let grace = self.served.values().map(|served| served.grace()).max();
        if !self
            .is_idle_within(grace.unwrap_or_default().saturating_add(REPORT_TIMEOUT))
            .await
        {
            self.orders.send_replace(Order::Hurry(reason));
            if !self.is_idle_within(REPORT_TIMEOUT).await {
                let running = self.counters.read().running;
                tracing::warn!(running, "the end of runs is not reported");
            }
        }
        if self.options.pauses {
            let deployments = self.served.keys().copied();
            let paused = deployments.map(|id| self.client.deployments().pause(id));
            let paused = tokio::time::timeout(PAUSE_TIMEOUT, join_all(paused)).await;
            if !paused.is_ok_and(|paused| paused.iter().all(Result::is_ok)) {
                tracing::warn!("not all deployments could be paused");
            }
        }
    }

    /// Waits until no run is in progress, for this time, or until the process is asked to end once more. Returns whether
    /// none is.
    async fn is_idle_within(&mut self, time: Duration) -> bool {
        let slots = Arc::clone(&self.slots);
        let idle = pin!(slots.acquire_many(self.options.limit));
        let clock = self.client.channel().clock();
        let stopped = pin!(self.stops.next());
        let over = select(clock.sleep(time), stopped);
        matches!(select(idle, over).await, Either::Left(_))
    }
}

/// A run in progress, which has a slot until this is dropped.
struct InProgress {
    counters: Counters,
    due: Option<DueRun<FlowRunResponse>>,
    _slot: OwnedSemaphorePermit,
}

impl InProgress {
    fn new(counters: Counters, slot: OwnedSemaphorePermit, due: DueRun<FlowRunResponse>) -> Self {
        counters.begin();
        Self {
            counters,
            due: Some(due),
            _slot: slot,
        }
    }

    fn end(mut self, ending: std::result::Result<&Ending, &Error>) {
        self.counters.count(ending);
        // It may be found again before the server tells what has become of it.
        let is_refused = matches!(
            ending,
            Err(_) | Ok(Ending::Superseded(_) | Ending::Unreported(_))
        );
        if is_refused && let Some(due) = self.due.take() {
            due.set_aside(SET_ASIDE);
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.counters.end();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("due", &self.due)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle")
            .field("stats", &self.stats())
            .finish()
    }
}
