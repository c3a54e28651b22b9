//! Pausing, suspending and resuming flow runs.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::generated::FlowRuns;
use crate::error::{Error, ErrorKind, Result};
use crate::raw::Response;
use crate::resources::server_time::server_time;
use crate::types::{
    Json, OrchestrationResult, ResumeFlowRunRequest, SetFlowRunStateRequest, StateCreate,
    StateDetails, StateType,
};

impl FlowRuns<'_> {
    /// Proposes to pause a running run, for at most this long: `POST /flow_runs/{id}/set_state`. The reply
    /// contains whether the server's rules accept the proposal. The end is by the server's clock: `GET /health`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such run,
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) when `at_most` ends after the last possible date,
    /// or any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// use std::time::Duration;
    ///
    /// let answer = client.flow_runs().pause(id, Duration::from_secs(3600)).await?;
    /// println!("{}", answer.status);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn pause(self, id: Uuid, at_most: Duration) -> Result<OrchestrationResult> {
        let until = self.after(at_most, "a pause cannot last so long").await?;
        let state = StateCreate::new(StateType::Paused)
            .name("Paused")
            .state_details(StateDetails::new().pause_timeout(until));
        self.set_state(id, &SetFlowRunStateRequest::new(state))
            .await
    }

    /// Proposes to suspend a running run of a deployment: `POST /flow_runs/{id}/set_state`. The run ends at
    /// its next task, and starts anew when it is [resumed](Self::resume); tasks with stored results are not
    /// run again. Without `at_most` the suspension has no time limit; after `at_most`, by the
    /// server's clock (`GET /health`), the run can only fail.
    ///
    /// [`outcome`](OrchestrationResult::outcome) returns whether the server's rules accept the proposal. They
    /// do not for a run that is not running, has no deployment, or is a sub-flow run.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such run,
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) when `at_most` ends after the last possible date,
    /// or any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// use std::time::Duration;
    ///
    /// let an_hour = Duration::from_secs(3600);
    /// let answer = client.flow_runs().suspend(id, Some(an_hour)).await?.outcome();
    /// println!("suspended: {} {}", answer.is_accepted(), answer.reason());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn suspend(self, id: Uuid, at_most: Option<Duration>) -> Result<OrchestrationResult> {
        let mut details = StateDetails::new()
            .pause_reschedule(true)
            // The server accepts one suspension for each key.
            .pause_key(Uuid::new_v4().to_string());
        if let Some(at_most) = at_most {
            let until = self.after(at_most, "a suspension cannot last so long");
            details = details.pause_timeout(until.await?);
        }
        let state = StateCreate::new(StateType::Paused)
            .name("Suspended")
            .state_details(details);
        self.set_state(id, &SetFlowRunStateRequest::new(state))
            .await
    }

    /// The time this long from now, by the server's clock.
    pub(crate) async fn after(&self, duration: Duration, too_long: &str) -> Result<DateTime<Utc>> {
        let after = |time: DateTime<Utc>| {
            let duration = chrono::Duration::from_std(duration).ok()?;
            time.checked_add_signed(duration)
        };
        let too_long = || Error::invalid_request(too_long);
        // Before anything is sent.
        after(Utc::now()).ok_or_else(too_long)?;
        after(server_time(self.client.raw()).await?).ok_or_else(too_long)
    }

    /// Resumes a paused run: `GET /flow_runs/{id}`, then `POST /flow_runs/{id}/resume`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such run,
    /// [`Conflict`](crate::ErrorKind::Conflict), before it is asked to resume, when it is not paused, or any
    /// [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// client.flow_runs().resume(id).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn resume(self, id: Uuid) -> Result<OrchestrationResult> {
        self.resume_by(id, ResumeFlowRunRequest::new()).await
    }

    /// Resumes a run that is paused for input, with this input: `GET /flow_runs/{id}`, then
    /// `POST /flow_runs/{id}/resume`.
    ///
    /// # Errors
    ///
    /// The errors of [`resume`](Self::resume).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let input = serde_json::json!({ "approved": true });
    /// client.flow_runs().resume_with(id, input).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn resume_with(
        self,
        id: Uuid,
        input: impl Into<Json>,
    ) -> Result<OrchestrationResult> {
        let input: Json = input.into();
        self.resume_by(id, ResumeFlowRunRequest::new().run_input(input))
            .await
    }

    async fn resume_by(
        self,
        id: Uuid,
        request: ResumeFlowRunRequest,
    ) -> Result<OrchestrationResult> {
        // The server replies 500 when it is asked to resume a run that does not exist.
        let run = self.get(id).await?;
        if *run.state_type != Some(StateType::Paused) {
            let state = run.state_name.as_deref().unwrap_or("in no state");
            let message = format!("the flow run is not paused, but {state}");
            return Err(Error::new(ErrorKind::Conflict, message).with_operation("resume_flow_run"));
        }
        let raw = self.client.raw();
        let reply = raw.resume_flow_run(&id, &request).await;
        reply.map(Response::into_inner)
    }
}
