//! `DueRuns`: the runs of deployments, or of a work pool, as they become due.

mod doorbell;
mod due_run;
mod poll_status;
mod queue;
mod source;

use std::fmt;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::future::select;
use reqwest::StatusCode;
use uuid::Uuid;

use self::doorbell::Doorbell;
pub use self::due_run::{DueRun, Scheduled};
pub use self::poll_status::PollStatus;
use self::queue::Queue;
use self::source::{OfDeployments, OfPool, Source as _};
use crate::client::Client;
use crate::error::{Error, Result, sent_at};
use crate::resources::deployments::Deployments;
use crate::resources::work_pools::WorkPools;
use crate::runtime::Backoff;
use crate::types::{FlowRunResponse, WorkerFlowRunResponse};

/// The time between polls, as in Prefect's own workers.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);

/// How far ahead polls look: further than to the next poll, so that a run is known before it is due.
const DEFAULT_PREFETCH: Duration = Duration::from_secs(15);

/// By which part of it the time between polls varies, so that processes that start together do not poll together.
const INTERVAL_JITTER: f64 = 0.3;

/// The shortest time between the end of a poll and the next one, however many events arrive.
const MIN_POLL_GAP: Duration = Duration::from_millis(50);

/// The longest time between polls, and the furthest that they look ahead.
const MAX_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// The waits for the polls after an event that has brought no run: events are sent before they are true.
const RECHECK_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

/// How often a run is looked for after an event.
const MAX_RECHECKS: u32 = 5;

/// The waits while the server is out of reach.
const OUTAGE_BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));

/// How far the server's clock must differ from ours to be gone by: its replies tell whole seconds.
const MIN_CLOCK_DIFFERENCE: chrono::TimeDelta = chrono::TimeDelta::seconds(3);

/// The runs of deployments, or of a work pool, as they become due: see [`Deployments::due_runs`] and
/// [`WorkPools::due_runs`].
#[must_use = "nothing is polled unless `next` is called"]
pub struct DueRuns<R: Scheduled = FlowRunResponse> {
    client: Client,
    source: R::Source,
    interval: Duration,
    prefetch: Duration,
    queue: Queue<R>,
    next_poll: Instant,
    /// Neither an event nor a run that is taken makes a poll earlier than this.
    not_before: Instant,
    /// How many polls after an event have brought no run; `None` when none is expected.
    rechecks: Option<u32>,
    /// How many polls in a row have failed.
    failures: u32,
    /// The server's clock minus ours.
    clock_difference: chrono::TimeDelta,
    /// Whether polls say how many runs they take.
    has_limit: bool,
    doorbell: Option<Doorbell>,
    status: PollStatus,
}

impl Deployments<'_> {
    /// Returns the runs of these deployments as they become due, one by one, for a program that runs them itself:
    /// [`Client::serve`](crate::Client::serve) does all that is left to be done here. Whoever takes a run must claim it first,
    /// by [`claim`](crate::flow_runs::FlowRuns::claim): of several processes one succeeds.
    ///
    /// `POST /deployments/get_scheduled_flow_runs` is sent every 10 s, and when an event reports that a run was scheduled.
    /// (Runs that a schedule makes are not reported, but known long before.) A run that waits for a retry in another process
    /// is returned only when it is overdue by a minute: then that process is gone.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, deployment: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let mut due = client.deployments().due_runs([deployment]);
    /// loop {
    ///     let run = due.next().await?;
    ///     println!("{:?} is due since {:?}", run.name, run.next_scheduled_start_time);
    /// }
    /// # }
    /// ```
    pub fn due_runs(self, deployments: impl IntoIterator<Item = Uuid>) -> DueRuns {
        let deployments = deployments.into_iter().collect();
        DueRuns::new(self.client.clone(), OfDeployments(deployments))
    }
}

impl WorkPools<'_> {
    /// Returns the runs of a work pool as they become due, one by one, for a program that starts their infrastructure:
    /// [`Client::worker`](crate::Client::worker) does all that is left to be done here. Whoever takes a run must claim it
    /// first, by [`claim`](crate::flow_runs::FlowRuns::claim): of several workers one succeeds.
    ///
    /// `POST /work_pools/{name}/get_scheduled_flow_runs` is sent every 10 s, and when an event reports that a run was
    /// scheduled. The server respects the limits, the pauses and the priorities of the pool and its queues.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let mut due = client.work_pools().due_runs("batch").queues(["urgent"]);
    /// let run = due.next().await?;
    /// println!("{:?} waits in {}", run.flow_run.name, run.work_queue_id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn due_runs(self, pool: impl Into<String>) -> DueRuns<WorkerFlowRunResponse> {
        let (name, queues) = (pool.into(), Vec::new());
        DueRuns::new(self.client.clone(), OfPool { name, queues })
    }
}

impl DueRuns<WorkerFlowRunResponse> {
    /// Takes only the runs of these queues of the pool. Default: those of all.
    pub fn queues(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.source.queues = names.into_iter().map(Into::into).collect();
        self
    }
}

impl<R: Scheduled> DueRuns<R> {
    fn new(client: Client, source: R::Source) -> Self {
        let now = client.channel().clock().now();
        Self {
            client,
            source,
            interval: DEFAULT_INTERVAL,
            prefetch: DEFAULT_PREFETCH,
            queue: Queue::default(),
            next_poll: now,
            not_before: now,
            rechecks: None,
            failures: 0,
            clock_difference: chrono::TimeDelta::zero(),
            has_limit: true,
            doorbell: None,
            status: PollStatus::default(),
        }
    }

    /// Sets the time between polls, which vary by 30 % around it: from 50 ms to a day. Default: 10 s.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.clamp(MIN_POLL_GAP, MAX_INTERVAL);
        self
    }

    /// Sets how far ahead polls look, at most a day. A run that they find is kept here until it is due. Default: 15 s.
    pub fn prefetch(mut self, prefetch: Duration) -> Self {
        self.prefetch = prefetch.min(MAX_INTERVAL);
        self
    }

    /// When runs were last looked for; it is told also while [`next`](Self::next) waits.
    pub fn status(&self) -> PollStatus {
        self.status.clone()
    }

    /// Waits for the next run that is due, the one that has waited longest first. While the [`DueRun`] lives, its run is
    /// not returned again.
    ///
    /// It waits through outages of the server, however long: polls are then repeated after 1 s up to 30 s. If this
    /// future is dropped, no run is lost.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such pool or queue, or another
    /// [call error](crate::Error#call-errors) that is permanent. It can be called again all the same.
    pub async fn next(&mut self) -> Result<DueRun<R>> {
        let client = self.client.clone();
        let clock = client.channel().clock();
        loop {
            let server_time = clock.time_of_day() + self.clock_difference;
            if let Some(run) = self.queue.take(server_time) {
                return Ok(run);
            }
            let now = clock.now();
            if self.queue.wants_more() {
                self.poll_at(self.not_before);
            }
            if now >= self.next_poll {
                self.poll().await?;
                continue;
            }
            let mut wait = self.next_poll - now;
            if let Some(due) = self.queue.next_due() {
                wait = wait.min((due - server_time).to_std().unwrap_or_default());
            }
            let is_rung = {
                let rung = pin!(Doorbell::rung(&self.doorbell));
                matches!(
                    select(clock.sleep(wait), rung).await,
                    futures_util::future::Either::Right(_)
                )
            };
            if is_rung {
                self.rechecks = Some(0);
                self.poll_at(self.not_before);
            }
        }
    }

    /// Goes on polling without taking a run, for whoever has no use for one now: by its polls the server knows that the
    /// deployments and queues are served. It never resolves; if it is dropped, nothing is lost.
    pub async fn keep_polling(&mut self) {
        let client = self.client.clone();
        let clock = client.channel().clock();
        loop {
            let wait = self.next_poll.saturating_duration_since(clock.now());
            clock.sleep(wait).await;
            if let Err(error) = self.poll().await {
                tracing::debug!(%error, "scheduled runs cannot be looked for");
            }
        }
    }

    fn poll_at(&mut self, at: Instant) {
        self.next_poll = self.next_poll.min(at);
    }

    async fn poll(&mut self) -> Result<()> {
        if self.doorbell.is_none() {
            let filter = self.source.events();
            self.doorbell = Some(Doorbell::listen(&self.client, filter)?);
        }
        let clock = self.client.clone();
        let clock = clock.channel().clock();
        let before = clock.time_of_day() + self.clock_difference + self.prefetch;
        let mut polled = self.source.poll(&self.client, before, self.has_limit).await;
        let is_invalid = |error: &Error| error.status() == Some(StatusCode::UNPROCESSABLE_ENTITY);
        if self.has_limit && polled.as_ref().is_err_and(is_invalid) {
            // The server is configured to return fewer runs at a time.
            self.has_limit = false;
            polled = self.source.poll(&self.client, before, false).await;
        }
        let now = clock.now();
        self.not_before = now + MIN_POLL_GAP;
        let factor = 1.0 + INTERVAL_JITTER * (2.0 * fastrand::f64() - 1.0);
        self.next_poll = now + self.interval.mul_f64(factor);
        match polled {
            Ok(reply) => {
                self.status.set(clock.time_of_day());
                if std::mem::take(&mut self.failures) > 0 {
                    tracing::info!("scheduled runs are found again");
                }
                let difference =
                    sent_at(reply.headers()).map(|sent_at| sent_at - clock.time_of_day());
                self.clock_difference = difference
                    .filter(|it| it.abs() > MIN_CLOCK_DIFFERENCE)
                    .unwrap_or_default();
                let is_new = self
                    .queue
                    .replace(reply.into_inner(), before - self.prefetch);
                self.rechecks = match self.rechecks {
                    Some(count) if !is_new && count < MAX_RECHECKS => {
                        self.poll_at(now + RECHECK_BACKOFF.delay(count + 1, None));
                        Some(count + 1)
                    }
                    _ => None,
                };
                Ok(())
            }
            Err(error) if error.is_permanent() => {
                self.not_before = self.next_poll;
                Err(error)
            }
            Err(error) => {
                self.failures += 1;
                if self.failures == 1 {
                    tracing::warn!(%error, "scheduled runs cannot be looked for now; retrying");
                }
                self.next_poll = now + OUTAGE_BACKOFF.delay(self.failures, error.retry_after());
                self.not_before = self.next_poll;
                Ok(())
            }
        }
    }
}

impl<R: Scheduled> fmt::Debug for DueRuns<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DueRuns")
            .field("source", &self.source)
            .field("interval", &self.interval)
            .field("prefetch", &self.prefetch)
            .finish_non_exhaustive()
    }
}
