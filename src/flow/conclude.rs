//! The end of a run: what a stop means, and the one terminal state.

use std::fmt;
use std::time::Duration;

use chrono::Utc;

use super::assignment::Ended;
use super::handover::SigtermBehavior;
use super::life::Life;
use super::outcome::Ending;
use super::phase::{Next, Phase, Verdict};
use super::proposer::{Decision, Terms};
use super::settle::{self, FLUSH_TIMEOUT, HURRIED_FLUSH_TIMEOUT};
use super::signals::{SIGINT, SIGTERM};
use super::states::{self, BodyEnd};
use super::stop::{StopReason, StopSignal};
use super::watcher::{Told, told};
use crate::error::Error;
use crate::types::{State, StateCreate, StateType};

/// How long the server may be out of reach before a state is given up.
const REPORT_TIMEOUT: Duration = Duration::from_secs(600);

/// The same when the process was asked to end, and will be killed soon.
const HURRIED_REPORT_TIMEOUT: Duration = Duration::from_secs(10);

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
                reason.unwrap_or(StopReason::Dropped)
            }
            StopSignal::Stop(reason) => reason,
        };
        self.signal = match reason {
            StopReason::Terminated => Some(SIGTERM),
            StopReason::Interrupted => Some(SIGINT),
            _ => return Verdict::Stop(reason),
        };
        let read = tokio::time::timeout(HURRIED_REPORT_TIMEOUT, self.proposer.read()).await;
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
        if matches!(stop, StopSignal::Hurry) {
            return Ok(());
        }
        let verdict = self.judge(stop).await;
        match self.conclude_stopped(verdict, None).await {
            Next::Ended(ended) => Err(ended),
            Next::Retry(state) => Err(self.ended_in(*state)),
        }
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
                states::rescheduled(Utc::now())
            }
            (StopReason::TimedOut, _) => states::timed_out(self.assignment.options.timeout),
            (reason, _) => states::crashed(&reason),
        };
        self.conclude(state).await
    }

    /// Reports that the run is cancelled, unless a supervisor does that.
    pub(super) async fn cancel(&mut self) -> Box<Ended> {
        if self.assignment.handover.is_cancellation_owned {
            self.settle().await;
            return self.ended(Ending::Cancelled);
        }
        match self.conclude(states::cancelled()).await {
            Next::Ended(ended) => ended,
            Next::Retry(state) => self.ended_in(*state),
        }
    }

    /// Proposes the state that ends the run, once everything that belongs before it has been sent.
    pub(super) async fn conclude(&mut self, state: StateCreate) -> Next {
        self.settle().await;
        let mut state = state;
        let mut is_refused = false;
        loop {
            let terms = Terms {
                patience: self.patience(),
                stops: None,
                keeps_lease: false,
            };
            match self.proposer.propose(state, terms).await {
                // What the server cannot store is not to leave the run RUNNING.
                Err(error) if error.is_invalid_request() && !is_refused => {
                    is_refused = true;
                    state = StateCreate::failed(states::cut(format!(
                        "Flow run encountered an exception: its result cannot be stored: {error}"
                    )));
                }
                Err(error) => return Next::Ended(self.unreported(error)),
                Ok(Decision::Accepted(state)) => return Next::Ended(self.ended_in(state)),
                Ok(Decision::Rejected(rejected)) => match rejected.type_ {
                    StateType::Scheduled => return Next::Retry(Box::new(rejected)),
                    StateType::Cancelling => {
                        if self.assignment.handover.is_cancellation_owned {
                            return Next::Ended(self.ended(Ending::Cancelled));
                        }
                        state = states::cancelled();
                    }
                    _ => return Next::Ended(self.ended_in(rejected)),
                },
                Ok(Decision::Aborted(reason)) => return Next::Ended(self.superseded(reason)),
                Ok(Decision::Stopped(_)) => unreachable!("no stops were given"),
            }
        }
    }

    /// Ends the heartbeats, and sends what waits.
    async fn settle(&mut self) {
        if let Some(heartbeat) = self.heartbeat.take() {
            heartbeat.stop().await;
        }
        let timeout = match self.signal {
            Some(_) => HURRIED_FLUSH_TIMEOUT,
            None => FLUSH_TIMEOUT,
        };
        // Updates of artifacts end with the function, or a moment later.
        let _ = tokio::time::timeout(timeout, self.unsent.closed()).await;
        settle::flush(&self.assignment.client, timeout).await;
    }

    /// Ends what has gone on beside the run.
    pub(super) async fn end(&mut self, ended: Box<Ended>) -> Ended {
        if let Some(heartbeat) = self.heartbeat.take() {
            heartbeat.stop().await;
        }
        self.lease = None;
        self.stops.close();
        match &ended.state {
            Some(state) => {
                let name = state.name.as_deref().unwrap_or_default();
                self.say(format_args!("Finished in state {name}()"));
            }
            None => self.say(format_args!("The run {}", ended.ending)),
        }
        settle::flush(&self.assignment.client, HURRIED_FLUSH_TIMEOUT).await;
        *ended
    }

    /// How long the server may be out of reach.
    pub(super) fn patience(&self) -> Duration {
        match self.signal {
            Some(_) => HURRIED_REPORT_TIMEOUT,
            None => REPORT_TIMEOUT,
        }
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

    pub(super) fn superseded(&self, reason: String) -> Box<Ended> {
        self.ended(Ending::Superseded(reason))
    }

    pub(super) fn unreported(&self, error: Error) -> Box<Ended> {
        tracing::error!(flow_run = %self.context.id, %error, "the state of a flow run could not be reported");
        self.ended(Ending::Unreported(error))
    }
}
