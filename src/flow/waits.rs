//! The waits of a run between its phases: for its time, for a retry, for a function that blocks, for the server.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};

use super::deployment_lease;
use super::life::Life;
use super::outcome::Ending;
use super::phase::Phase;
use super::proposer::OUTAGE_BACKOFF;
use super::stop::{StopReason, StopSignal};
use super::watcher::{Told, told};
use crate::error::Error;
use crate::types::{FlowRunResponse, State, StateType};

/// The wait before a run is begun again that another rule of the server's has put back to PENDING.
const PENDING_PAUSE: Duration = Duration::from_millis(200);

/// The shortest wait for a time that the server has named.
const MIN_SCHEDULE_WAIT: Duration = Duration::from_secs(1);

impl Life {
    /// Waits for the end of a function that has blocked its thread: it is not to run twice at once.
    pub(super) async fn await_body(&mut self) -> Phase<()> {
        while self.ended < self.begun {
            let stop = {
                let ended = pin!(self.assignment.ends.recv());
                match select(ended, pin!(self.stops.next())).await {
                    Either::Left((Some(_), _)) => {
                        self.ended += 1;
                        continue;
                    }
                    Either::Left((None, _)) => StopSignal::Stop(StopReason::Dropped),
                    Either::Right((stop, _)) => stop,
                }
            };
            self.stopped(stop).await?;
        }
        Ok(())
    }

    /// Waits until the run is to be tried again, unless something else has become of it.
    pub(super) async fn await_retry(&mut self, state: State) -> Phase<()> {
        let seconds = self.retry_delay.as_secs_f64();
        self.say(format_args!("Retrying in {seconds} s"));
        // The server gives the slot up, or keeps it.
        if deployment_lease::lease_of(&state).is_none() {
            (self.lease, self.has_lease) = (None, false);
        }
        // The process lives, and only this tells.
        self.start_heartbeat();
        self.pause(self.retry_delay).await?;
        self.await_body().await?;
        let run = self.read().await?;
        let now = run.state.as_ref();
        if now.is_some_and(|now| now.id == state.id) {
            return Ok(());
        }
        // Whoever has cancelled or rescheduled it: RUNNING would be accepted all the same.
        match told(&run) {
            Some(Told::Cancel) => Err(self.cancel().await),
            Some(Told::AlreadyCancelled) => Err(self.ended(Ending::Cancelled)),
            Some(Told::Suspend) => Err(self.ended(Ending::Suspended)),
            None => {
                let name = run.state_name.as_deref().unwrap_or("in no state");
                Err(self.superseded(format!("it is {name} now")))
            }
        }
    }

    /// Goes on with a run that the server has put into another state than was proposed.
    pub(super) async fn adopt(&mut self, state: State) -> Phase<()> {
        match state.type_ {
            StateType::Pending => self.pause(PENDING_PAUSE).await,
            StateType::Scheduled => {
                let details = state.state_details.as_ref();
                let due = details.and_then(|details| *details.scheduled_time);
                // Both by the server's clock.
                let left = due.zip(state.timestamp);
                let left = left.and_then(|(due, now)| (due - now).to_std().ok());
                self.pause(left.unwrap_or_default().max(MIN_SCHEDULE_WAIT))
                    .await
            }
            StateType::Cancelling => Err(self.cancel().await),
            _ => Err(self.ended_in(state)),
        }
    }

    /// Waits, unless the run is stopped meanwhile.
    async fn pause(&mut self, time: Duration) -> Phase<()> {
        let client = self.assignment.client.clone();
        let mut sleep = client.channel().clock().sleep(time);
        while let Some(stop) = self.stops.before(&mut sleep).await {
            self.stopped(stop).await?;
        }
        Ok(())
    }

    /// Reads the run, however long the server is out of reach, within reason.
    async fn read(&mut self) -> Phase<FlowRunResponse> {
        let mut outage = None;
        loop {
            match self.proposer.read().await {
                Ok(run) => return Ok(run),
                Err(error) => self.wait_out(&mut outage, error).await?,
            }
        }
    }

    /// Waits before a request is repeated that has failed with this error; ends the attempt if that is of no use, or has
    /// been for too long.
    pub(super) async fn wait_out(
        &mut self,
        outage: &mut Option<Outage>,
        error: Error,
    ) -> Phase<()> {
        let client = self.assignment.client.clone();
        let now = client.channel().clock().now();
        let outage = outage.get_or_insert(Outage {
            begun: now,
            failures: 0,
        });
        let waited = now.saturating_duration_since(outage.begun);
        if error.is_permanent() || waited > self.patience() {
            return Err(self.unreported(error));
        }
        outage.failures += 1;
        self.pause(OUTAGE_BACKOFF.delay(outage.failures, error.retry_after()))
            .await
    }
}

/// Requests that fail in a row.
pub(super) struct Outage {
    begun: Instant,
    failures: u32,
}
