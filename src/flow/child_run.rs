//! Runs of deployments as sub-flow runs: they are executed by others, and shown in the graph of the parent.

use std::fmt;
use std::future::IntoFuture;

use futures_core::future::BoxFuture;
use uuid::Uuid;

use super::run::Run;
use super::task::{Output, OutputOf};
use super::watcher::wait_through_outages;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::resources::deployments::{DeploymentRef, RunDeployment};
use crate::types::{FlowRunResponse, Json, StateCreate, StateType, TaskRunCreate};

/// A run of a deployment that is a sub-flow run of this run: see [`Run::deployment`]. `.await` starts it, and waits for
/// its end.
#[must_use = "nothing is started unless it is awaited"]
pub struct ChildRun {
    run: Run,
    name: String,
    deployment: RunDeployment,
    may_fail: bool,
}

impl Run {
    /// A run of a deployment, given by its id or as `"flow/deployment"`, as a sub-flow run of this run: some worker runs it,
    /// and its end is waited for. First the task run is created by which the server knows that it belongs
    /// here: `POST /task_runs/`; then `POST /deployments/{id}/create_flow_run`.
    ///
    /// If this run is cancelled, the server cancels the other one, too, within 20 s.
    ///
    /// # Errors
    ///
    /// [`RunFailed`](crate::ErrorKind::RunFailed) when it is not COMPLETED, unless it [may fail](ChildRun::may_fail); and the
    /// errors of [`RunDeployment::send`](crate::deployments::RunDeployment::send) and
    /// [`FlowRuns::wait`](crate::flow_runs::FlowRuns::wait).
    ///
    /// ```no_run
    /// # async fn example(run: prefect_sdk::flow::Run) -> prefect_sdk::Result<()> {
    /// use serde_json::json;
    ///
    /// let loaded = run.deployment("load/nightly").parameters(json!({ "day": "2026-11-26" })).await?;
    /// println!("it is {:?}", loaded.state_name);
    /// # Ok(())
    /// # }
    /// ```
    pub fn deployment(&self, deployment: impl Into<DeploymentRef>) -> ChildRun {
        let deployment = deployment.into();
        ChildRun {
            run: self.clone(),
            name: deployment.to_string(),
            deployment: self.client().deployments().run(deployment),
            may_fail: false,
        }
    }
}

impl ChildRun {
    /// Sets the parameters: an object, merged over the deployment's own.
    pub fn parameters(mut self, parameters: impl Into<Json>) -> Self {
        self.deployment = self.deployment.parameters(parameters);
        self
    }

    /// Sets the name of the run. Default: two words that the server chooses.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.deployment = self.deployment.name(name);
        self
    }

    /// Sets tags in addition to the deployment's own.
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.deployment = self.deployment.tags(tags);
        self
    }

    /// Returns the run whatever its end is. Default: it is an error if it is not COMPLETED.
    pub fn may_fail(mut self) -> Self {
        self.may_fail = true;
        self
    }

    async fn start_and_wait(self) -> Result<Output<FlowRunResponse>> {
        let task_run = track(self.run.client(), self.run.id(), &self.name).await?;
        let handle = self.deployment.parent_task_run(task_run).send().await?;
        let ended = wait_through_outages(self.run.client(), || handle.wait()).await?;
        if !self.may_fail && ended.state_type.as_ref() != Some(&StateType::Completed) {
            let name = ended.state_name.as_deref().unwrap_or("in no state");
            let what = format!(
                "the flow run {} of the deployment {} is {name}",
                ended.id, self.name
            );
            return Err(Error::new(ErrorKind::RunFailed, what));
        }
        Ok(Output::new(ended, OutputOf::FlowRun(handle.id())))
    }
}

/// Creates the task run by which the server shows a sub-flow run in its parent: `POST /task_runs/`. The server sets its
/// states.
pub(super) async fn track(client: &Client, parent: Uuid, name: &str) -> Result<Uuid> {
    let id = Uuid::new_v4();
    let task_run = TaskRunCreate::new(name, id.to_string())
        .flow_run_id(parent)
        .name(name)
        .id(id)
        .state(StateCreate::pending());
    Ok(client.task_runs().create(&task_run).await?.id)
}

impl IntoFuture for ChildRun {
    type Output = Result<Output<FlowRunResponse>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    #[inline]
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start_and_wait())
    }
}

impl fmt::Debug for ChildRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildRun")
            .field("run", &self.run.id())
            .field("deployment", &self.deployment)
            .finish()
    }
}
