//! `Life`: the phases of a run in this process, from PENDING to its end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::future::{Either, select};
use tokio::sync::watch;
use tracing::Span;
use uuid::Uuid;

use super::assignment::{Assignment, Command, Ended};
use super::context::RunContext;
use super::deployment_lease;
use super::heartbeat::Heartbeat;
use super::outcome::Ending;
use super::phase::{Next, Phase, Verdict};
use super::proposer::{Decision, Proposer, Terms};
use super::run::{Run, RunParts};
use super::states::{self, BodyEnd};
use super::stop::{Stop, StopReason, StopSignal, Stops};
use super::watcher::{Told, told};
use crate::resources::concurrency::RenewedLease;
use crate::types::{FlowRunResponse, Json, State, StateCreate, StateType};

/// How long a function that was dropped may go on: it may block its thread.
const DROP_TIMEOUT: Duration = Duration::from_secs(2);

/// A run, and what goes on beside it.
pub(super) struct Life {
    pub(super) assignment: Assignment,
    pub(super) proposer: Proposer,
    pub(super) stops: Stops,
    pub(super) context: RunContext,
    pub(super) span: Span,
    pub(super) retry_delay: Duration,
    pub(super) heartbeat: Option<Heartbeat>,
    pub(super) lease: Option<RenewedLease>,
    /// Whether the run's state names the lease of a slot of its deployment.
    pub(super) has_lease: bool,
    /// How often the function was begun, and how often it has ended.
    pub(super) begun: u32,
    pub(super) ended: u32,
    /// The signal that has asked the process to end.
    pub(super) signal: Option<u8>,
    /// A stop that came while an end was reported, or that the function has outrun: the run is not to be tried again.
    pub(super) pending: Option<StopReason>,
    /// Whether others have set CANCELLED.
    pub(super) is_cancelled: bool,
    /// Its receivers are updates of artifacts that are not sent yet.
    pub(super) unsent: Arc<watch::Sender<()>>,
}

impl Life {
    pub(super) fn new(
        assignment: Assignment,
        proposer: Proposer,
        stops: Stops,
        context: RunContext,
    ) -> Self {
        Self {
            assignment,
            proposer,
            stops,
            span: context.span(),
            context,
            retry_delay: Duration::ZERO,
            heartbeat: None,
            lease: None,
            has_lease: false,
            begun: 0,
            ended: 0,
            signal: None,
            pending: None,
            is_cancelled: false,
            unsent: Arc::default(),
        }
    }

    /// Runs the function until the run has ended.
    pub(super) async fn live(&mut self, parameters: &Json) -> Ended {
        loop {
            let tried = match self.start(parameters).await {
                Ok(stop) => self.attend(&stop).await,
                Err(ended) => Err(ended),
            };
            let tried = match tried {
                Ok(state) => self.await_retry(state).await,
                Err(ended) => Err(ended),
            };
            if let Err(ended) = tried {
                return self.end(ended).await;
            }
        }
    }

    /// Ends an attempt at a run that is over, or is to be cancelled.
    pub(super) async fn leave(&mut self, run: FlowRunResponse) -> Ended {
        let state = run.state.as_ref();
        let ended = match told(&run) {
            Some(Told::Cancel) => self.cancel().await,
            Some(Told::AlreadyCancelled) => self.ended(Ending::Cancelled),
            Some(Told::Suspend) => self.ended(Ending::Suspended),
            None => {
                let type_ = state.map_or_else(String::new, |state| state.type_.to_string());
                self.ended(Ending::Superseded(format!("it is {type_}")))
            }
        };
        self.end(ended).await
    }

    /// Makes the run RUNNING, and has the function run. Returns what stops it.
    async fn start(&mut self, parameters: &Json) -> Phase<Arc<Stop>> {
        let state = loop {
            match self.propose(StateCreate::running(), self.has_lease).await? {
                Decision::Accepted(state) => break state,
                Decision::Rejected(state) if state.type_ == StateType::Scheduled => {
                    self.adopt(state).await?;
                    self.claim().await?;
                }
                Decision::Rejected(state) => self.adopt(state).await?,
                Decision::Aborted(reason) => return Err(self.superseded(reason)),
                Decision::Stopped(stop) => self.stopped(stop).await?,
            }
        };
        self.keep_lease(&state);
        // The number of this attempt is not in the reply.
        match self.proposer.read().await {
            Ok(run) => self.context = RunContext::new(&run, &self.context.flow_name),
            Err(_) => self.context.run_count += 1,
        }
        let RunContext {
            name, flow_name, ..
        } = &self.context;
        self.say(format_args!(
            "Beginning flow run '{name}' for flow '{flow_name}'"
        ));
        self.start_heartbeat();
        let stop = Arc::new(Stop::default());
        let run = Run::new(RunParts {
            client: self.assignment.caller.clone(),
            background: Arc::clone(&self.assignment.background),
            context: self.context.clone(),
            parameters: parameters.clone(),
            stop: Arc::clone(&stop),
            stops: self.stops.sender(),
            unsent: Arc::clone(&self.unsent),
        });
        self.begun += 1;
        // If this fails, the program has dropped the attempt: that is a stop.
        let _ = self
            .assignment
            .commands
            .send(Command::Begin(self.begun, run));
        Ok(stop)
    }

    /// Waits for the end of the function, or ends it, and reports that. Returns the state of a run that is to be tried
    /// again.
    async fn attend(&mut self, stop: &Stop) -> Phase<State> {
        let (mut reason, mut end) = (None, None);
        let client = self.assignment.client.clone();
        let clock = client.channel().clock();
        let timeout = self.assignment.options.timeout;
        let timed_out: BoxFuture<'_, ()> = match timeout {
            Some(timeout) => clock.sleep(timeout),
            None => Box::pin(std::future::pending()),
        };
        {
            let stopped = pin!(self.stops.next());
            let stopped = select(stopped, timed_out);
            match select(pin!(self.assignment.ends.recv()), stopped).await {
                Either::Left((ended, _)) => end = ended.map(|(_, end)| end),
                Either::Right((Either::Left((stop, _)), _)) => reason = Some(stop),
                Either::Right((Either::Right(_), _)) => {
                    reason = Some(StopSignal::Stop(StopReason::TimedOut));
                }
            }
        }
        self.ended += u32::from(end.is_some());
        if reason.is_none() && end.is_none() {
            // The future that ran the function is gone.
            reason = Some(StopSignal::Stop(StopReason::Dropped));
        }
        let next = match reason {
            Some(signal) => {
                let told = self.judge(signal).await;
                if let Verdict::Stop(reason) = &told
                    && !matches!(reason, StopReason::TimedOut)
                {
                    self.pending = Some(reason.clone());
                }
                if told.is_at_rest() {
                    self.stop_heartbeat().await;
                }
                let end = match end {
                    None => self.stop_body(stop, &told).await,
                    end => end,
                };
                self.conclude_stopped(told, end).await
            }
            None => {
                self.conclude(states::ended(end.unwrap_or(BodyEnd::Dropped)))
                    .await
            }
        };
        let state = match next {
            Next::Retry(state) => *state,
            Next::Ended(ended) => return Err(ended),
        };
        if let Some(reason) = self.pending.take() {
            self.stopped(StopSignal::Stop(reason)).await?;
        }
        Ok(state)
    }

    /// Tells the function to end, waits for it for some time, and has it dropped.
    async fn stop_body(&mut self, stop: &Stop, told: &Verdict) -> Option<BodyEnd> {
        let client = self.assignment.client.clone();
        let clock = client.channel().clock();
        let reason = told.reason();
        let has_time = !matches!(reason, StopReason::TimedOut | StopReason::Dropped);
        let mut grace = stop.begin(reason, self.assignment.options.grace);
        if !has_time {
            grace = Duration::ZERO;
        }
        let (mut stopped, mut is_cancelled) = (None, false);
        let ended = {
            let hurry = pin!(async {
                loop {
                    match self.stops.next().await {
                        StopSignal::Hurry => return,
                        StopSignal::Stop(reason) => stopped = stopped.take().or(Some(reason)),
                        StopSignal::AlreadyCancelled => is_cancelled = true,
                    }
                }
            });
            let over = select(clock.sleep(grace), hurry);
            match select(pin!(self.assignment.ends.recv()), over).await {
                Either::Left((Some(end), _)) => Some(end),
                _ => None,
            }
        };
        if let Some(reason) = stopped {
            // A signal to a run that was cancelled: it will be killed soon.
            self.note(&StopSignal::Stop(reason));
        }
        self.is_cancelled |= is_cancelled;
        let ended = match ended {
            None => {
                stop.drop_body();
                let dropped = tokio::time::timeout(DROP_TIMEOUT, self.assignment.ends.recv());
                dropped.await.ok().flatten()
            }
            ended => ended,
        };
        let (_, end) = ended?;
        self.ended += 1;
        Some(end)
    }

    pub(super) async fn propose(
        &mut self,
        state: StateCreate,
        keeps_lease: bool,
    ) -> Phase<Decision> {
        let terms = Terms {
            patience: self.patience(),
            stops: &mut self.stops,
            keeps_lease,
            transition: Uuid::new_v4(),
        };
        let decided = self.proposer.propose(state, terms).await;
        decided.map_err(|error| self.unreported(error))
    }

    /// Has the lease renewed that the state names, if the server keeps it for that.
    fn keep_lease(&mut self, state: &State) {
        let Some(lease) = deployment_lease::lease_of(state).filter(|_| self.has_lease) else {
            self.lease = None;
            return;
        };
        if self.lease.as_ref().is_some_and(|kept| kept.id() == lease) {
            return;
        }
        let (client, background) = (&self.assignment.client, &self.assignment.background);
        let now = client.channel().clock().now();
        let kept = deployment_lease::keep(client, background, lease, now, self.stops.sender());
        match kept {
            Ok(kept) => self.lease = Some(kept),
            Err(error) => tracing::warn!(%lease, %error, "a lease is not renewed"),
        }
    }

    pub(super) fn start_heartbeat(&mut self) {
        if self.heartbeat.is_none() {
            self.heartbeat = self.assignment.start_heartbeat(&self.context);
        }
    }

    pub(super) async fn stop_heartbeat(&mut self) {
        if let Some(heartbeat) = self.heartbeat.take() {
            heartbeat.stop().await;
        }
    }
}
