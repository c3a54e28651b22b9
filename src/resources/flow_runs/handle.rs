//! `FlowRunHandle`: one live flow run.

use std::time::Duration;

use uuid::Uuid;

use super::generated::FlowRuns;
use super::wait::Wait;
use super::watch::Watch;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::query::Query;
use crate::types::{FlowRunResponse, OrchestrationResult, ReadLogsRequest, State};

/// One live flow run: wait for it, watch it, control it.
///
/// [`Deployments::run`](crate::deployments::Deployments::run) returns the handle of a run that was just
/// started, and [`FlowRuns::handle`] returns that of any run. A handle is cheap to clone, holds no
/// connection, and may be dropped at any time: the run goes on.
///
/// ```no_run
/// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
/// let run = client.deployments().run("etl/nightly").send().await?;
/// println!("{} is {}", run.id(), run.state().await?.type_);
/// let ended = run.wait().await?;
/// println!("{:?}", ended.state_name);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FlowRunHandle {
    client: Client,
    id: Uuid,
    snapshot: Option<Box<FlowRunResponse>>,
}

impl FlowRuns<'_> {
    /// Returns the handle of the run with this id. Nothing is sent: the first call shows whether the run
    /// exists.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let run = client.flow_runs().handle(id);
    /// run.cancel().await?;
    /// run.wait().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn handle(self, id: Uuid) -> FlowRunHandle {
        FlowRunHandle {
            client: self.client.clone(),
            id,
            snapshot: None,
        }
    }
}

impl FlowRunHandle {
    /// The handle of a run that was just created.
    pub(crate) fn new(client: Client, run: FlowRunResponse) -> Self {
        Self {
            client,
            id: run.id,
            snapshot: Some(Box::new(run)),
        }
    }

    /// The id of the run.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The run as it was when it was created; `None` for a handle from [`FlowRuns::handle`], which reads
    /// nothing. [`get`](Self::get) reads the run as it is now.
    pub fn snapshot(&self) -> Option<&FlowRunResponse> {
        self.snapshot.as_deref()
    }

    /// Reads the run as it is now: `GET /flow_runs/{id}`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such run, or any
    /// [call error](crate::Error#call-errors).
    pub async fn get(&self) -> Result<FlowRunResponse> {
        self.client.flow_runs().get(self.id).await
    }

    /// Reads the current state of the run: `GET /flow_runs/{id}`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such run,
    /// [`UnexpectedBody`](crate::ErrorKind::UnexpectedBody) when it has no state, or any
    /// [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(run: prefect_sdk::flow_runs::FlowRunHandle) -> prefect_sdk::Result<()> {
    /// let state = run.state().await?;
    /// println!("{} {:?}", state.type_, state.message);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn state(&self) -> Result<State> {
        let run = self.get().await?;
        run.state.into_option().ok_or_else(|| {
            let message = format!("the flow run {} has no state", self.id);
            Error::new(ErrorKind::UnexpectedBody, message).with_operation("read_flow_run")
        })
    }

    /// Waits until the run has ended, or for another condition: see [`FlowRuns::wait`].
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let run = client.deployments().run("etl/nightly").send().await?;
    /// let ended = run.wait().success().await?;
    /// println!("{} took {:?}", ended.id, ended.total_run_time);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait(&self) -> Wait {
        self.client.flow_runs().wait(self.id)
    }

    /// Streams the states and log lines of the run as they arrive: see [`FlowRuns::watch`].
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let run = client.deployments().run("etl/nightly").send().await?;
    /// let mut updates = run.watch();
    /// while let Some(update) = updates.next().await {
    ///     println!("{:?}", update?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch(&self) -> Watch {
        self.client.flow_runs().watch(self.id)
    }

    /// The log lines of the run that the server has stored, oldest first: `POST /logs/filter`.
    ///
    /// ```no_run
    /// # async fn example(run: prefect_sdk::flow_runs::FlowRunHandle) -> prefect_sdk::Result<()> {
    /// for line in run.logs().level_at_least(40).await? {
    ///     println!("{} {}", line.timestamp, line.message);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn logs(&self) -> Query<'_, ReadLogsRequest> {
        self.client.logs().list().flow_run_id(self.id)
    }

    /// Cancels the run: see [`FlowRuns::cancel`].
    ///
    /// # Errors
    ///
    /// The errors of [`FlowRuns::cancel`].
    pub async fn cancel(&self) -> Result<State> {
        self.client.flow_runs().cancel(self.id).await
    }

    /// Proposes to suspend the run, for at most this long: see [`FlowRuns::suspend`].
    ///
    /// # Errors
    ///
    /// The errors of [`FlowRuns::suspend`].
    pub async fn suspend(&self, at_most: Option<Duration>) -> Result<OrchestrationResult> {
        self.client.flow_runs().suspend(self.id, at_most).await
    }

    /// Resumes the run if it is paused or suspended: see [`FlowRuns::resume`].
    ///
    /// # Errors
    ///
    /// The errors of [`FlowRuns::resume`].
    pub async fn resume(&self) -> Result<OrchestrationResult> {
        self.client.flow_runs().resume(self.id).await
    }

    /// Schedules the run, which must have ended, to run again: see [`FlowRuns::retry`].
    ///
    /// # Errors
    ///
    /// The errors of [`FlowRuns::retry`].
    pub async fn retry(&self) -> Result<OrchestrationResult> {
        self.client.flow_runs().retry(self.id).await
    }
}
