//! Flow runs: pausing and resuming, the logs as a file, what is new in the graph.

use std::time::Duration;

use chrono::{DateTime, Utc};
use progenitor_client::ResponseValue;
use uuid::Uuid;

use super::FlowRuns;
use crate::download::Download;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{
    Graph, Json, OrchestrationResult, ResumeFlowRunRequest, SetFlowRunStateRequest, StateCreate,
    StateDetails, StateType,
};

impl FlowRuns<'_> {
    /// Proposes that a running run pauses, for at most this long: `POST /flow_runs/{id}/set_state`.
    /// The reply tells whether the server's rules accept it.
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
    /// let answer = client.flow_runs().pause(id, Duration::from_secs(3600)).await?;
    /// println!("{}", answer.status);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn pause(self, id: Uuid, at_most: Duration) -> Result<OrchestrationResult> {
        let at_most = chrono::Duration::from_std(at_most).ok();
        let until = at_most.and_then(|at_most| Utc::now().checked_add_signed(at_most));
        let until = until.ok_or_else(|| Error::invalid_request("no pause can last so long"))?;
        let state = StateCreate::new(StateType::Paused)
            .name("Paused")
            .state_details(StateDetails::new().pause_timeout(until));
        self.set_state(id, &SetFlowRunStateRequest::new(state))
            .await
    }

    /// Lets a paused run go on: `GET /flow_runs/{id}`, then `POST /flow_runs/{id}/resume`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such run;
    /// [`Conflict`](crate::ErrorKind::Conflict) when it is not paused: then it is not asked to resume;
    /// those of any call.
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

    /// Lets a run go on that is paused for input: `GET /flow_runs/{id}`, then
    /// `POST /flow_runs/{id}/resume`.
    ///
    /// # Errors
    ///
    /// Those of [`resume`](Self::resume).
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
        // The server answers 500 to the resuming of a run that it does not know.
        let run = self.get(id).await?;
        if *run.state_type != Some(StateType::Paused) {
            let state = run.state_name.as_deref().unwrap_or("in no state");
            let message = format!("the flow run is not paused, but {state}");
            return Err(Error::new(ErrorKind::Conflict, message).of("resume_flow_run"));
        }
        let raw = self.client.raw();
        let reply = raw.resume_flow_run(&id, &request).await;
        reply.map(ResponseValue::into_inner)
    }

    /// The logs of a run and its task runs, as a file with comma-separated values:
    /// `GET /flow_runs/{id}/logs/download`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such run; those of any call.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let mut logs = client.flow_runs().download_logs(id).await?;
    /// while let Some(part) = logs.next().await {
    ///     print!("{}", String::from_utf8_lossy(&part?));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn download_logs(self, id: Uuid) -> Result<Download> {
        let reply = self.client.raw().download_logs(&id).await?;
        Ok(Download::new(reply.into_inner(), "download_logs"))
    }

    /// What came to the graph of a run since a time: `GET /flow_runs/{id}/graph-v2`.
    ///
    /// # Errors
    ///
    /// Those of [`graph`](Self::graph).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let a_minute_ago = chrono::Utc::now() - chrono::Duration::minutes(1);
    /// let graph = client.flow_runs().graph_since(id, a_minute_ago).await?;
    /// println!("{} nodes", graph.nodes.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn graph_since(self, id: Uuid, since: DateTime<Utc>) -> Result<Graph> {
        let raw = self.client.raw();
        let reply = raw.read_flow_run_graph_v2(&id, Some(&since)).await;
        reply.map(ResponseValue::into_inner)
    }
}
