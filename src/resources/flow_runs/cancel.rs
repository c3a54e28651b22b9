//! Cancelling flow runs, one or many.

use uuid::Uuid;

use super::generated::FlowRuns;
use super::proposal::{ProposalOutcome, SET_STATE};
use crate::error::{Error, ErrorKind, Result};
use crate::query::Bulk;
use crate::types::{
    BulkSetFlowRunStateRequest, SetFlowRunStateRequest, State, StateCreate, StateType,
};

impl<'a> FlowRuns<'a> {
    /// Cancels a run and returns the state that it is in afterwards: `POST /flow_runs/{id}/set_state`, as
    /// Prefect's own tools do.
    ///
    /// A run that has no process, because it is scheduled or suspended, becomes CANCELLED at once. Any other
    /// run is CANCELLING until the worker or runner that executes it has ended its process; if none does, the
    /// server sets CANCELLED after five minutes, and the process, if there is one, keeps running. A run that
    /// is CANCELLING already stays so, which is a success. If the reply is lost, the run is read:
    /// `GET /flow_runs/{id}`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such run,
    /// [`Conflict`](crate::ErrorKind::Conflict), with the server's reason, when it has already ended, or any
    /// [call error](crate::Error#call-errors).
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
            Ok(result) => match result.outcome() {
                ProposalOutcome::Accepted(Some(state)) => return Ok(state),
                ProposalOutcome::Rejected {
                    state: Some(state), ..
                } if is_cancelled(&state) => return Ok(state),
                ProposalOutcome::Accepted(None) => {
                    let message = "the reply does not contain the state";
                    let error = Error::new(ErrorKind::UnexpectedBody, message);
                    error.with_operation(SET_STATE).with_outcome(true, true)
                }
                answer => return Err(conflict("the flow run is not cancelled", answer.reason())),
            },
            Err(error) => error,
        };
        // The server may have replaced the proposed state by one of its own, in which the proposal cannot
        // be recognized.
        if error.may_have_happened()
            && let Ok(run) = self.get(id).await
            && let Some(state) = run.state.into_option().filter(is_cancelled)
        {
            return Ok(state);
        }
        Err(error)
    }

    /// Cancels all runs that match, each as [`cancel`](Self::cancel) does; `.await` sends the requests:
    /// `POST /flow_runs/bulk_set_state`.
    ///
    /// [`outcome`](crate::types::FlowRunOrchestrationResult::outcome) returns the server's decision on each
    /// run: a rejection of CANCELLING for a run that is CANCELLED at once, and an abort for a run that has
    /// ended. Do not add [`force`](Bulk::force): it would also set runs that have ended to CANCELLING.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) without a filter or `all()` (see [`Bulk`]),
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when the server lacks the operation, or any
    /// [call error](crate::Error#call-errors).
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
    Error::new(ErrorKind::Conflict, message).with_operation(SET_STATE)
}
