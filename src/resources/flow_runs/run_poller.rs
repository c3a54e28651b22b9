//! `RunPoller`: polls all runs that are waited for.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::future::select;
use tokio::time::timeout;
use uuid::Uuid;

use super::next_poll::{NextPoll, POLL_INTERVAL};
use super::poll_plan::{
    ENDED_IDS_PER_REQUEST, IDS_PER_REQUEST, Interest, PollPlan, REQUEST_SPACING,
};
use super::run_subscription::{PollerEnded, RunSubscription, Shared, Snapshot};
use crate::client::{Background, Service, Services};
use crate::error::{Error, ErrorKind, Result};
use crate::raw;
use crate::resources::outage::{Outage, requested_wait};
use crate::retry::RetryPolicy;
use crate::types::{
    FlowRunFilter, FlowRunFilterId, FlowRunFilterState, FlowRunFilterStateType,
    ReadFlowRunsRequest, StateType,
};

/// How long polling continues without a subscription, for example between two waits.
const IDLE_SHUTDOWN_DELAY: Duration = Duration::from_secs(5);

/// The longest timeout of one polling request.
const POLL_TIMEOUT: Duration = Duration::from_secs(10);

/// The most requests of one poll for which the next one waits: changes are to be seen within two seconds.
const MAX_SPACED_REQUESTS: usize = 10;

/// Polls all runs that a client waits for together, on the client's own thread: every few seconds, and at
/// once when an event reports that one has changed. The content of an event is never relied upon: events are
/// sent before they are true, and get lost.
pub(crate) struct RunPoller {
    background: Arc<Background>,
    shared: Arc<Shared>,
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
    #[inline]
    pub(super) fn subscribe(&self, run: Uuid, interest: Interest) -> RunSubscription {
        let (subscription, starts) = Shared::subscribe(&self.shared, run, interest);
        if starts {
            let (raw, shared) = (self.background.raw().clone(), self.shared.clone());
            self.background.spawn(async move {
                let mut ended = PollerEnded {
                    shared: &shared,
                    is_idle: false,
                };
                // Listening for events stops when polling stops.
                let (polling, listening) = (
                    pin!(poll_loop(&raw, &shared)),
                    pin!(listen_loop(raw.clone(), &shared)),
                );
                select(polling, listening).await;
                // `stop_if_idle` has marked the end, and since then another loop may have begun.
                ended.is_idle = true;
            });
        }
        self.shared.wake.notify_one();
        subscription
    }
}

/// Polls the runs with subscriptions, until there have been none for [`IDLE_SHUTDOWN_DELAY`].
async fn poll_loop(raw: &raw::Client, shared: &Shared) {
    let mut poll = Poll::new(raw, shared);
    let (mut next, mut outage) = (NextPoll::now(), Outage::default());
    loop {
        let begun = Instant::now();
        let plan = shared.begin_poll(next.scope(begun), begun);
        let retry_after = match poll.all(&plan).await {
            Ok(()) => {
                // The runs that could not be read are not among those that have changed.
                if next.is_of_all() {
                    outage = Outage::default();
                }
                Duration::ZERO
            }
            Err((unread, error)) => {
                let retry_after = requested_wait(&error).max(POLL_INTERVAL);
                if outage.is_too_long(&error, begun) {
                    publish_failure(shared, plan.number, &unread, error);
                }
                retry_after
            }
        };
        let is_live = !outage.has_begun() && shared.live.load(Ordering::Relaxed);
        next.schedule(&plan, poll.requests, is_live, retry_after);
        // Runs that change meanwhile are polled together.
        let gap = REQUEST_SPACING * poll.requests.min(MAX_SPACED_REQUESTS) as u32;
        tokio::time::sleep(gap.max(retry_after)).await;
        if shared.is_idle() {
            let woken = timeout(IDLE_SHUTDOWN_DELAY, shared.wake.notified()).await;
            if woken.is_err() && shared.stop_if_idle() {
                return;
            }
        } else {
            let _ = tokio::time::timeout_at(next.at().into(), shared.wake.notified()).await;
        }
    }
}

/// The requests of the polls.
struct Poll<'a> {
    once: raw::Client,
    shared: &'a Shared,
    /// How many requests were sent for the last poll.
    requests: usize,
    /// The most runs that were returned at once.
    largest_page: usize,
}

impl<'a> Poll<'a> {
    fn new(raw: &raw::Client, shared: &'a Shared) -> Self {
        let timeout = raw.channel().timeout().min(POLL_TIMEOUT);
        Self {
            once: raw.with_retry(RetryPolicy::none()).with_timeout(timeout),
            shared,
            requests: 0,
            largest_page: 0,
        }
    }

    /// Polls the runs, each request by itself: one that is refused fails its own runs only. Returns the runs that could
    /// not be read although they may be later, and why.
    async fn all(&mut self, plan: &PollPlan) -> Result<(), (Vec<Uuid>, Error)> {
        self.requests = 0;
        let (mut unread, mut failure) = (Vec::new(), None);
        let every_state = plan.every_state.chunks(IDS_PER_REQUEST);
        let every_state = every_state.map(|runs| (runs, false));
        let ended = plan.ended.chunks(ENDED_IDS_PER_REQUEST);
        let ended = ended.map(|runs| (runs, true));
        for (chunk, only_ended) in every_state.chain(ended) {
            // A server that did not answer, or has said when to ask again, is not asked for the others as well.
            if matches!(&failure, Some(failure) if Error::status(failure).is_none() || failure.is_overload())
            {
                unread.extend_from_slice(chunk);
                continue;
            }
            match self.chunk(plan.number, chunk, only_ended).await {
                Ok(()) => {}
                Err(error) if error.is_permanent() => {
                    publish_failure(self.shared, plan.number, chunk, error);
                }
                Err(error) => {
                    unread.extend_from_slice(chunk);
                    failure = Some(error);
                }
            }
        }
        match failure {
            Some(failure) => Err((unread, failure)),
            None => Ok(()),
        }
    }

    /// Reads these runs, or only those of them that have ended.
    async fn chunk(&mut self, poll: u64, runs: &[Uuid], only_ended: bool) -> Result<()> {
        let mut missing: HashSet<Uuid> = runs.iter().copied().collect();
        // The server may return fewer runs than it is asked for; then it is asked for the others. (By an offset, a run would
        // be skipped when another is deleted meanwhile.)
        while !missing.is_empty() {
            let ids = FlowRunFilterId::new().any_(missing.iter().copied().collect::<Vec<_>>());
            let mut filter = FlowRunFilter::new().id(ids);
            if only_ended {
                let ended = FlowRunFilterStateType::new().any_(StateType::TERMINAL.to_vec());
                filter = filter.state(FlowRunFilterState::new().type_(ended));
            }
            let body = ReadFlowRunsRequest::new().flow_runs(filter);
            self.requests += 1;
            let page = self.once.read_flow_runs(&body).await?.into_inner();
            // Of the others, none has ended, as far as can be told: a server may be set to return fewer at a time.
            let is_last = only_ended && page.len() < self.largest_page;
            self.largest_page = page.len().max(self.largest_page);
            if page.is_empty() {
                break;
            }
            let before = missing.len();
            for run in page {
                missing.remove(&run.id);
                self.shared
                    .publish(poll, run.id, Snapshot::Run(Arc::new(run)));
            }
            if missing.len() == before {
                let what = "the server returns other flow runs than it is asked for";
                return Err(Error::new(ErrorKind::UnexpectedBody, what));
            }
            if is_last {
                break;
            }
        }
        if only_ended {
            return Ok(());
        }
        for run in missing {
            let what = format!("there is no flow run {run}");
            publish_failure(
                self.shared,
                poll,
                &[run],
                Error::new(ErrorKind::NotFound, what),
            );
        }
        Ok(())
    }
}

fn publish_failure(shared: &Shared, poll: u64, runs: &[Uuid], error: Error) {
    let failed = Snapshot::Failed(Arc::new(error));
    for run in runs {
        shared.publish(poll, *run, failed.clone());
    }
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
