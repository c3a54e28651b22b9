//! `StartedRun`: a run that was started, and what to do with it.

use std::ops::Deref;

use uuid::Uuid;

use super::{Wait, Watch};
use crate::client::Client;
use crate::types::FlowRunResponse;

/// A run that was started: the run as it was then, and what to do with it.
///
/// It reads like a [`FlowRunResponse`].
///
/// ```no_run
/// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
/// let run = client.deployments().run("etl/nightly").send().await?;
/// println!("{} is {:?}", run.id(), run.state_name);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct StartedRun {
    client: Client,
    run: FlowRunResponse,
}

impl StartedRun {
    pub(super) fn new(client: Client, run: FlowRunResponse) -> Self {
        Self { client, run }
    }

    /// The id of the run.
    pub fn id(&self) -> Uuid {
        self.run.id
    }

    /// The run, as it was when it was started.
    pub fn run(&self) -> &FlowRunResponse {
        &self.run
    }

    /// Waits until it has ended, or as is said then: see [`FlowRuns::wait`](crate::FlowRuns::wait).
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
        self.client.flow_runs().wait(self.run.id)
    }

    /// Its states and log lines, as they come: see [`FlowRuns::watch`](crate::FlowRuns::watch).
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
        self.client.flow_runs().watch(self.run.id)
    }

    /// The run, as it was when it was started.
    pub fn into_inner(self) -> FlowRunResponse {
        self.run
    }
}

impl Deref for StartedRun {
    type Target = FlowRunResponse;

    fn deref(&self) -> &FlowRunResponse {
        &self.run
    }
}
