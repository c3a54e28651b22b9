//! The end of a run: what a stop means, and the one terminal state.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use uuid::Uuid;

use super::assignment::Ended;
use super::handover::SigtermBehavior;
use super::life::Life;
use super::outcome::Ending;
use super::phase::{Next, Phase, Verdict};
use super::proposer::{Decision, Terms};
use super::settle;
use super::states::{self, BodyEnd};
use super::stop::{StopReason, StopSignal};
use super::watcher::{Told, told};
use crate::error::{Error, ErrorKind};
use crate::types::{Field, FlowRunPolicyRetryType, FlowRunUpdate, State, StateCreate, StateType};

/// How long the run may take to be read when a signal has come.
const JUDGE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the last values of artifacts, and the ends of sub-flows, may take.
const LAST_UPDATES_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the server may be out of reach before a state is given up.
const REPORT_TIMEOUT: Duration = Duration::from_secs(600);

/// The same when the process was asked to end, and will be killed soon.
const HURRIED_REPORT_TIMEOUT: Duration = Duration::from_secs(5);

impl Life {
    /// Finds out what a stop means: the cause of a signal is unknown, and may be that the run is to be cancelled.
    pub(super) async fn judge(&mut self, stop: StopSignal) -> Verdict {
        let reason = match stop {
            StopSignal::AlreadyCancelled => return Verdict::AlreadyCancelled,
            StopSignal::Hurry => StopReason::Interrupted,
            StopSignal::Stop(StopReason::Dropped) => {
                // Of a sub-flow, because the run above it has ended.
                let parent = self.assignment.parent.as_ref();
                let reason = parent.and_then(|parent| parent.reason());
                reason.map_or(StopReason::Dropped, StopReason::of_child)
            }
            StopSignal::Stop(reason) => reason,
        };
        let Some(signal) = reason.signal() else {
            return Verdict::Stop(reason);
        };
        self.signal = Some(signal);
        let read = tokio::time::timeout(JUDGE_TIMEOUT, self.proposer.read()).await;
        let told = read.ok().and_then(|run| told(&run.ok()?));
        Verdict::Stop(match told {
            Some(Told::AlreadyCancelled) => return Verdict::AlreadyCancelled,
            Some(Told::Cancel) => StopReason::Cancelled,
            Some(Told::Suspend) => StopReason::Suspended,
            None if matches!(reason, StopReason::Interrupted) => reason,
            None => match self.assignment.handover.on_sigterm {
                SigtermBehavior::Reschedule if self.context.deployment_id.is_some() => {
                    StopReason::Rescheduled
                }
                SigtermBehavior::Relinquish => StopReason::Relinquished,
                _ => reason,
            },
        })
    }

    /// Ends a run that was stopped while its function did not run.
    pub(super) async fn stopped(&mut self, stop: StopSignal) -> Phase<()> {
        if matches!(stop, StopSignal::Hurry) && self.signal.is_none() {
            return Ok(());
        }
        let verdict = self.judge(stop).await;
        let next = self.conclude_stopped(verdict, None).await;
        Err(self.last(next))
    }

    /// Reports the end of a run that was stopped.
    pub(super) async fn conclude_stopped(
        &mut self,
        verdict: Verdict,
        end: Option<BodyEnd>,
    ) -> Next {
        let Verdict::Stop(reason) = verdict else {
            return Next::Ended(self.ended(Ending::Cancelled));
        };
        let state = match (reason, end) {
            (StopReason::Cancelled, _) => return Next::Ended(self.cancel().await),
            (StopReason::Superseded(reason), _) => return Next::Ended(self.superseded(reason)),
            // It was done in time.
            (_, Some(end @ BodyEnd::Returned(_))) => states::ended(end),
            (StopReason::Suspended, _) => return Next::Ended(self.ended(Ending::Suspended)),
            (StopReason::Relinquished, _) => return Next::Ended(self.ended(Ending::Relinquished)),
            (StopReason::Rescheduled, _) if self.context.deployment_id.is_some() => {
                self.release_retry().await;
                let clock = self.assignment.client.channel().clock();
                states::rescheduled(clock.time_of_day())
            }
            (StopReason::TimedOut, _) => states::timed_out(self.assignment.options.timeout),
            (reason, _) => states::crashed(&reason),
        };
        self.conclude(state).await
    }

    /// Lets other processes have a run that the server has left to this one to try again.
    async fn release_retry(&mut self) {
        let released = async {
            let run = self.proposer.read().await?;
            let mut policy = run.empirical_policy.unwrap_or_default();
            if policy.retry_type != FlowRunPolicyRetryType::InProcess {
                return Ok(());
            }
            policy.retry_type = Field::value(FlowRunPolicyRetryType::Reschedule);
            let update = FlowRunUpdate::new().empirical_policy(policy);
            let runs = self.assignment.client.flow_runs();
            runs.update(run.id, &update).await.map(drop)
        };
        if let Ok(Err::<_, Error>(error)) = tokio::time::timeout(JUDGE_TIMEOUT, released).await {
            tracing::warn!(flow_run = %self.context.id, %error, "the run may wait for a process that has ended");
        }
    }

    /// Reports that the run is cancelled. A supervisor that does so, too, does no harm.
    pub(super) async fn cancel(&mut self) -> Box<Ended> {
        let next = self.conclude(states::cancelled()).await;
        self.last(next)
    }

    /// Proposes the state that ends the run, once everything that belongs before it has been sent.
    pub(super) async fn conclude(&mut self, state: StateCreate) -> Next {
        self.settle().await;
        let (mut state, mut transition) = (state, Uuid::new_v4());
        loop {
            if self.is_cancelled {
                return Next::Ended(self.ended(Ending::Cancelled));
            }
            let terms = Terms {
                patience: self.patience(),
                stops: &mut self.stops,
                keeps_lease: false,
                transition,
            };
            match self.proposer.propose(state.clone(), terms).await {
                // It is the data that the server, or a proxy, does not take: the run has ended all the same.
                Err(error) if state.data.is_some() && is_refused(&error) => {
                    state.data = None;
                    let what = format!("The result could not be stored: {error}");
                    state.message = states::cut(what).into();
                    transition = Uuid::new_v4();
                }
                Err(error) => return Next::Ended(self.unreported(error)),
                Ok(Decision::Accepted(state)) => return Next::Ended(self.ended_in(state)),
                Ok(Decision::Rejected(rejected)) => match rejected.type_ {
                    StateType::Scheduled => return Next::Retry(Box::new(rejected)),
                    StateType::Cancelling => {
                        (state, transition) = (states::cancelled(), Uuid::new_v4());
                    }
                    _ => return Next::Ended(self.ended_in(rejected)),
                },
                Ok(Decision::Aborted(reason)) => return Next::Ended(self.superseded(reason)),
                // From the first signal on there is less time, and after the second none.
                Ok(Decision::Stopped(StopSignal::Hurry)) => {
                    let error =
                        Error::new(ErrorKind::Timeout, "there was no time to report the end");
                    return Next::Ended(self.unreported(error));
                }
                Ok(Decision::Stopped(stop)) => self.note(&stop),
            }
        }
    }

    /// Remembers a stop that came too late for the function.
    pub(super) fn note(&mut self, stop: &StopSignal) {
        match stop {
            StopSignal::Stop(reason) => {
                self.signal = self.signal.or(reason.signal());
                self.pending.get_or_insert_with(|| reason.clone());
            }
            StopSignal::AlreadyCancelled => self.is_cancelled = true,
            StopSignal::Hurry => {}
        }
    }

    /// Sends what waits, and ends the heartbeats.
    async fn settle(&mut self) {
        // Updates of artifacts end with the function, or a moment later, and so do sub-flows.
        let _ = tokio::time::timeout(LAST_UPDATES_TIMEOUT, self.unsent.closed()).await;
        while !self.is_cancelled {
            let is_hurried = self.is_hurried();
            let flush = settle::flush(&self.assignment.client, self.context.id, is_hurried);
            let stop = match select(pin!(flush), pin!(self.stops.next())).await {
                Either::Left(_) => break,
                Either::Right((stop, _)) => stop,
            };
            if matches!(stop, StopSignal::Hurry) {
                break;
            }
            self.note(&stop);
        }
        self.stop_heartbeat().await;
    }

    /// Ends what has gone on beside the run.
    pub(super) async fn end(&mut self, ended: Box<Ended>) -> Ended {
        self.stop_heartbeat().await;
        self.lease = None;
        self.stops.close();
        match &ended.state {
            // It was not this process's to begin: its log is others'.
            _ if self.assignment.served.is_some() && self.begun == 0 => {}
            Some(state) => {
                let name = state.name.as_deref().unwrap_or_default();
                self.say(format_args!("Finished in state {name}()"));
            }
            None => self.say(format_args!("The run {}", ended.ending)),
        }
        let _ = tokio::time::timeout(LAST_UPDATES_TIMEOUT, self.unsent.closed()).await;
        settle::flush(&self.assignment.client, self.context.id, true).await;
        *ended
    }

    /// How long the server may be out of reach.
    pub(super) fn patience(&self) -> Duration {
        match self.is_hurried() {
            true => HURRIED_REPORT_TIMEOUT,
            false => REPORT_TIMEOUT,
        }
    }

    /// Whether the process is to end soon.
    fn is_hurried(&self) -> bool {
        self.signal.is_some() || self.assignment.is_ordered_to_stop()
    }

    /// A line in the log of the run.
    pub(super) fn say(&self, line: fmt::Arguments<'_>) {
        self.span
            .in_scope(|| tracing::info!(target: "prefect_sdk::run", "{line}"));
    }

    pub(super) fn ended(&self, ending: Ending) -> Box<Ended> {
        Box::new(Ended {
            run_id: self.context.id,
            ending,
            state: None,
            signal: self.signal,
        })
    }

    /// The end of a run that the server has left in this state.
    pub(super) fn ended_in(&self, state: State) -> Box<Ended> {
        let ending = match state.type_ {
            StateType::Completed => Ending::Completed,
            StateType::Failed => Ending::Failed,
            StateType::Crashed => Ending::Crashed,
            StateType::Cancelled | StateType::Cancelling => Ending::Cancelled,
            StateType::Paused => Ending::Suspended,
            StateType::Scheduled => Ending::Rescheduled,
            ref other => Ending::Superseded(format!("it is {other}")),
        };
        Box::new(Ended {
            state: Some(Box::new(state)),
            ..*self.ended(ending)
        })
    }

    /// The end of a run that is not tried again here.
    pub(super) fn last(&self, next: Next) -> Box<Ended> {
        match next {
            Next::Ended(ended) => ended,
            Next::Retry(state) => self.ended_in(*state),
        }
    }

    pub(super) fn superseded(&self, reason: String) -> Box<Ended> {
        self.ended(Ending::Superseded(reason))
    }

    pub(super) fn unreported(&self, error: Error) -> Box<Ended> {
        tracing::error!(flow_run = %self.context.id, %error, "the state of a flow run could not be reported");
        self.ended(Ending::Unreported(error))
    }
}

/// Whether a state was refused for what it contains.
fn is_refused(error: &Error) -> bool {
    let status = error.status().map(|status| status.as_u16());
    error.is_invalid_request() || matches!(status, Some(400 | 413 | 422))
}
