//! Flow runs: cancelling, suspending and retrying them.

use std::time::Duration;

use chrono::Utc;
use uuid::Uuid;

use super::{Answer, is_terminal};
use crate::bulk::Bulk;
use crate::error::{Error, ErrorKind, Result};
use crate::handles::FlowRuns;
use crate::types::{
    BulkSetFlowRunStateRequest, OrchestrationResult, SetFlowRunStateRequest, State, StateCreate,
    StateDetails, StateType,
};

/// The shortest wait between two proposals, whatever the server says.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

/// The operation that all of this is made of.
const SETTING: &str = "set_flow_run_state";

impl<'a> FlowRuns<'a> {
    /// Proposes a state until the server has decided on it: `POST /flow_runs/{id}/set_state`. When it says to
    /// wait, as before the time a run is scheduled for, or for a slot, that is waited for, and the state
    /// proposed again. So a program reports that its own run begins.
    ///
    /// The answer is never [`Answer::Wait`]. What a [`Rejected`](Answer::Rejected) one has for a state is that
    /// which the run is in now; after an [`Aborted`](Answer::Aborted) one the run is not to go on.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such run; those of any call. It waits as long as
    /// it takes: use a timeout around it.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::Answer;
    /// use prefect_sdk::types::{StateCreate, StateType};
    ///
    /// match client.flow_runs().propose(id, StateCreate::new(StateType::Running)).await? {
    ///     Answer::Accepted(_) => println!("working"),
    ///     other => println!("not to be run: {}", other.reason()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn propose(self, id: Uuid, state: StateCreate) -> Result<Answer> {
        let proposal = SetFlowRunStateRequest::new(state);
        loop {
            match self.set_state(id, &proposal).await?.answer() {
                Answer::Wait { delay, .. } => {
                    let clock = self.client.raw().transport().clock();
                    clock.sleep(delay.max(SHORTEST_WAIT)).await;
                }
                decided => return Ok(decided),
            }
        }
    }

    /// Cancels a run, and returns the state that it is in then: `POST /flow_runs/{id}/set_state`, as Prefect's
    /// own tools do.
    ///
    /// A run that has no process yet, or none any more (scheduled, suspended), is CANCELLED at once. Any other is
    /// CANCELLING until the worker or runner that has it has ended its process; if none does, the
    /// server says CANCELLED after five minutes, and the process, should there be one, goes on. One that
    /// is CANCELLING already stays so, which is a success. If the reply is lost, the run is looked at:
    /// `GET /flow_runs/{id}`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such run;
    /// [`Conflict`](crate::ErrorKind::Conflict), with the server's reason, when it has ended already; those
    /// of any call.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// match client.flow_runs().cancel(id).await {
    ///     Ok(state) => println!("it is {}", state.type_),
    ///     Err(error) if error.is_conflict() => println!("too late: {}", error.message()),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn cancel(self, id: Uuid) -> Result<State> {
        let request = SetFlowRunStateRequest::new(cancelling());
        let error = match self.set_state(id, &request).await {
            Ok(result) => match result.answer() {
                Answer::Accepted(Some(state)) => return Ok(state),
                Answer::Rejected {
                    state: Some(state), ..
                } if is_cancelled(&state) => return Ok(state),
                Answer::Accepted(None) => {
                    let message = "the server does not tell the state";
                    let error = Error::new(ErrorKind::UnexpectedBody, message);
                    error.of(SETTING).judged(true, true)
                }
                answer => return Err(conflict("the flow run is not cancelled", answer.reason())),
            },
            Err(error) => error,
        };
        // The server may have made a state of its own of the one that was proposed, in which it is not
        // found again.
        if error.may_have_happened()
            && let Ok(run) = self.get(id).await
            && let Some(state) = run.state.into_option().filter(is_cancelled)
        {
            return Ok(state);
        }
        Err(error)
    }

    /// Cancels all runs that match, each as [`cancel`](Self::cancel) does; `.await` does it:
    /// `POST /flow_runs/bulk_set_state`.
    ///
    /// What the server says of each tells [`answer`](crate::types::FlowRunOrchestrationResult::answer): of a run
    /// that is CANCELLED at once it says that CANCELLING is rejected, of one that has ended that
    /// this is aborted. Do not add [`force`](Bulk::force): it would take up again what has ended.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) without a condition, see [`Bulk`];
    /// [`Unsupported`](crate::ErrorKind::Unsupported) by servers that lack the operation; those of any
    /// call.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::types::StateType;
    ///
    /// let late = client.flow_runs().cancel_many().state_name("Late").state(StateType::Scheduled);
    /// println!("{} runs are cancelled", late.await?.len());
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel_many(self) -> Bulk<'a, BulkSetFlowRunStateRequest> {
        self.set_state_many(cancelling())
    }

    /// Proposes that a running run of a deployment is suspended: `POST /flow_runs/{id}/set_state`. It ends at
    /// its next task, and is run anew when it [resumes](Self::resume); tasks with stored results are not run
    /// again. Without `at_most` it may be suspended for ever; after that time it can only fail.
    ///
    /// [`answer`](OrchestrationResult::answer) tells whether the server's rules accept it: not for a run that
    /// is not running, has no deployment, or is a sub-flow run.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such run;
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a time beyond all dates; those of any
    /// call.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// use std::time::Duration;
    ///
    /// let an_hour = Duration::from_secs(3600);
    /// let answer = client.flow_runs().suspend(id, Some(an_hour)).await?.answer();
    /// println!("suspended: {} {}", answer.is_accepted(), answer.reason());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn suspend(self, id: Uuid, at_most: Option<Duration>) -> Result<OrchestrationResult> {
        let mut details = StateDetails::new()
            .pause_reschedule(true)
            // The server suspends once for each key.
            .pause_key(Uuid::new_v4().to_string());
        if let Some(at_most) = at_most {
            let at_most = chrono::Duration::from_std(at_most).ok();
            let until = at_most.and_then(|at_most| Utc::now().checked_add_signed(at_most));
            let until =
                until.ok_or_else(|| Error::invalid_request("no suspension can last so long"))?;
            details = details.pause_timeout(until);
        }
        let state = StateCreate::new(StateType::Paused)
            .name("Suspended")
            .state_details(details);
        self.set_state(id, &SetFlowRunStateRequest::new(state))
            .await
    }

    /// Lets a run that has ended run again, now: `GET /flow_runs/{id}`, then
    /// `POST /flow_runs/{id}/set_state`. It stays the same run, with its id and parameters.
    ///
    /// [`answer`](OrchestrationResult::answer) tells whether the server's rules accept it: not for a run that
    /// has completed and stored its result. (Prefect's own tools force it; so does a
    /// [`set_state`](Self::set_state) with `force(true)`.)
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such run;
    /// [`Conflict`](crate::ErrorKind::Conflict) when it has not ended, for it would run twice at the same
    /// time, or has no deployment, for nobody would run it: then nothing is proposed; those of any call.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let answer = client.flow_runs().retry(id).await?.answer();
    /// println!("runs again: {} {}", answer.is_accepted(), answer.reason());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn retry(self, id: Uuid) -> Result<OrchestrationResult> {
        let run = self.get(id).await?;
        if !is_terminal(&run) {
            let state = run.state_name.as_deref().unwrap_or("in no state");
            let message = format!("the flow run has not ended, but is {state}");
            return Err(Error::new(ErrorKind::Conflict, message).of(SETTING));
        }
        if run.deployment_id.is_none() {
            let message = "the flow run has no deployment: nobody would run it";
            return Err(Error::new(ErrorKind::Conflict, message).of(SETTING));
        }
        let state = StateCreate::new(StateType::Scheduled)
            .name("Scheduled")
            .state_details(StateDetails::new().scheduled_time(Utc::now()));
        self.set_state(id, &SetFlowRunStateRequest::new(state))
            .await
    }
}

fn cancelling() -> StateCreate {
    StateCreate::new(StateType::Cancelling).name("Cancelling")
}

fn is_cancelled(state: &State) -> bool {
    matches!(state.type_, StateType::Cancelling | StateType::Cancelled)
}

fn conflict(what: &str, why: &str) -> Error {
    let message = match why {
        "" => what.to_owned(),
        why => format!("{what}: {why}"),
    };
    Error::new(ErrorKind::Conflict, message).of(SETTING)
}
