//! What became of a run, as far as it has not reported that itself.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::infrastructure::{Exit, Infrastructure};
use super::output::JobOutput;
use super::report::{force, persist, propose};
use super::shared::{Order, Shared};
use crate::error::Result;
use crate::types::{StateCreate, StateDetails, StateType};

/// What is said of a run that was cancelled, as by Prefect's own workers.
pub(super) const CANCELLED: &str = "Flow run was cancelled successfully.";

/// The level of lines that report an error.
pub(super) const ERROR: i64 = 40;

/// Why an infrastructure is to end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    Cancelled,
    Deleted,
    Order(Order),
}

impl<I: Infrastructure> Shared<I> {
    /// Reports that the infrastructure could not be started.
    pub(super) async fn not_started(
        &self,
        run: Uuid,
        output: &JobOutput,
        error: &(dyn std::error::Error + Send + Sync),
    ) -> Result<()> {
        self.counters.count(|stats| &mut stats.not_started);
        let message = format!("Failed to submit flow run to infrastructure: {error}");
        output.say(ERROR, message.clone());
        let crashed = StateCreate::crashed(message);
        propose(&self.client, run, crashed).await.map(drop)
    }

    /// Reports what the run has not reported itself.
    pub(super) async fn report(
        &self,
        id: Uuid,
        claimed_at: DateTime<Utc>,
        stop: Option<Stop>,
        exit: Option<Exit>,
        output: &JobOutput,
    ) -> Result<()> {
        let client = &self.client;
        match exit.map(Exit::is_success) {
            Some(true) => self.counters.count(|stats| &mut stats.succeeded),
            Some(false) => self.counters.count(|stats| &mut stats.failed),
            None => {}
        }
        let Some(run) = persist(client, || client.flow_runs().get_opt(id)).await? else {
            return Ok(());
        };
        if self.is_handed_on(id, claimed_at).await? {
            return Ok(());
        }
        let type_ = run.state_type.as_ref();
        let is_cancelling = type_ == Some(&StateType::Cancelling)
            || run.state_name.as_deref() == Some("Cancelling");
        let details = run.state.as_ref().and_then(|it| it.state_details.as_ref());
        let is_suspended = details.is_some_and(|it| it.pause_reschedule == Some(true));
        let is_open = match type_ {
            Some(StateType::Pending | StateType::Running) => true,
            // It waits in a process that has ended.
            Some(StateType::Paused) => !is_suspended,
            _ => is_cancelling,
        };
        match stop {
            Some(Stop::Deleted) => Ok(()),
            _ if is_cancelling => self.cancel(id, CANCELLED).await,
            // What a process has reported after that does not count.
            Some(Stop::Cancelled) if is_open || type_ == Some(&StateType::Crashed) => {
                self.cancel(id, CANCELLED).await
            }
            Some(Stop::Cancelled) => {
                if type_ == Some(&StateType::Cancelled) {
                    self.counters.count(|stats| &mut stats.cancelled);
                }
                Ok(())
            }
            Some(Stop::Order(Order::Cancel)) if is_open || type_ == Some(&StateType::Crashed) => {
                self.cancel(id, "Worker is shutting down.").await
            }
            Some(Stop::Order(Order::Reschedule))
                if is_open || type_ == Some(&StateType::Crashed) =>
            {
                self.counters.count(|stats| &mut stats.rescheduled);
                let at =
                    StateDetails::new().scheduled_time(self.client.channel().clock().time_of_day());
                let again = StateCreate::new(StateType::Scheduled)
                    .name("AwaitingRetry")
                    .message("The run was rescheduled because its worker was asked to end.")
                    .state_details(at);
                propose(client, id, again).await.map(drop)
            }
            _ if !is_open => Ok(()),
            _ => {
                let message = match exit.filter(|exit| !exit.is_success()) {
                    None => {
                        "Flow run infrastructure exited without reporting a final state.".to_owned()
                    }
                    Some(exit) => format!(
                        "Flow run infrastructure exited with non-zero status code {}. {}",
                        exit.status_code(),
                        exit.hint().unwrap_or_default()
                    ),
                };
                let message = message.trim_end();
                output.say(ERROR, message.to_owned());
                let crashed = StateCreate::crashed(message);
                propose(client, id, crashed).await.map(drop)
            }
        }
    }

    /// Whether the run was scheduled again since it was claimed, and another process has claimed it.
    async fn is_handed_on(&self, id: Uuid, claimed_at: DateTime<Utc>) -> Result<bool> {
        let client = &self.client;
        let mut states = persist(client, || client.flow_runs().states(id)).await?;
        states.sort_by_key(|state| state.timestamp);
        let since = states.iter().filter(|it| it.timestamp > Some(claimed_at));
        let mut since = since.skip_while(|it| it.type_ != StateType::Scheduled);
        Ok(since.any(|it| it.type_ == StateType::Pending))
    }

    pub(super) async fn cancel(&self, run: Uuid, message: &str) -> Result<()> {
        self.counters.count(|stats| &mut stats.cancelled);
        let cancelled = StateCreate::cancelled().message(message);
        force(&self.client, run, cancelled).await
    }
}
