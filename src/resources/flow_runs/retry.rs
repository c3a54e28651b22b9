//! Letting a flow run that has ended run again.

use uuid::Uuid;

use super::generated::FlowRuns;
use super::is_terminal::is_terminal;
use super::proposal::SET_STATE;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{OrchestrationResult, SetFlowRunStateRequest, StateCreate, StateType};

impl FlowRuns<'_> {
    /// Schedules a run that has ended to run again, now: `GET /flow_runs/{id}`, then
    /// `POST /flow_runs/{id}/set_state`. It stays the same run, with its id and parameters.
    ///
    /// [`outcome`](OrchestrationResult::outcome) returns whether the server's rules accept the proposal. They
    /// do not for a run that has completed and stored its result. (Prefect's own tools force it; so does a
    /// [`set_state`](Self::set_state) with `force(true)`.)
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such run,
    /// [`Conflict`](crate::ErrorKind::Conflict), before anything is proposed, when it has not ended (it would
    /// run twice at the same time) or has no deployment (nothing would run it), or any [call
    /// error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let answer = client.flow_runs().retry(id).await?.outcome();
    /// println!("runs again: {} {}", answer.is_accepted(), answer.reason());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn retry(self, id: Uuid) -> Result<OrchestrationResult> {
        let run = self.get(id).await?;
        if !is_terminal(&run) {
            let state = run.state_name.as_deref().unwrap_or("in no state");
            let message = format!("the flow run has not ended, but is {state}");
            return Err(Error::new(ErrorKind::Conflict, message).with_operation(SET_STATE));
        }
        if run.deployment_id.is_none() {
            let message = "the flow run has no deployment: nobody would run it";
            return Err(Error::new(ErrorKind::Conflict, message).with_operation(SET_STATE));
        }
        let state = StateCreate::new(StateType::Scheduled)
            // Without a time: the server sets its own.
            .name("Scheduled");
        self.set_state(id, &SetFlowRunStateRequest::new(state))
            .await
    }
}
