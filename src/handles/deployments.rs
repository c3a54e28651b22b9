//! Deployments: many runs at once.

use uuid::Uuid;

use super::Deployments;
use crate::error::Result;
use crate::types::{
    DeploymentFlowRunCreate, Field, FlowRunCreateResult, FlowRunCreateResultStatus,
};

/// How many runs the server creates at once.
const AT_ONCE: usize = 100;

impl Deployments<'_> {
    /// Creates runs of a deployment, 100 at a time, and says of each, in order, what came of it:
    /// `POST /deployments/{id}/create_flow_run/bulk`.
    ///
    /// A run without an `idempotency_key` gets one, so that neither a lost reply nor a second request
    /// makes a second run: those that the server could not create because its database was locked are
    /// asked for again, as often as the client's [`RetryPolicy`](crate::RetryPolicy) says.
    /// `progress` is called after each request, with how many are done.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such deployment;
    /// [`Unsupported`](crate::ErrorKind::Unsupported) by servers that lack the operation; those of any
    /// call. Runs of earlier requests are then there: to be able to ask for all again, give each an
    /// `idempotency_key` of your own.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::types::{DeploymentFlowRunCreate, FlowRunCreateResultStatus};
    /// use serde_json::json;
    ///
    /// let days = 1..=365;
    /// let runs = days.map(|day| DeploymentFlowRunCreate::new().parameters(json!({ "day": day })));
    /// let created = client
    ///     .deployments()
    ///     .create_flow_runs(id, runs.collect(), |done| println!("{done} of 365"))
    ///     .await?;
    /// let failed = created.iter().filter(|run| run.status != FlowRunCreateResultStatus::Created);
    /// println!("{} failed", failed.count());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_flow_runs(
        self,
        id: Uuid,
        mut runs: Vec<DeploymentFlowRunCreate>,
        mut progress: impl FnMut(usize),
    ) -> Result<Vec<FlowRunCreateResult>> {
        for run in &mut runs {
            if run.idempotency_key.as_deref().is_none_or(str::is_empty) {
                run.idempotency_key = Field::value(Uuid::new_v4().to_string());
            }
        }
        let mut created = Vec::with_capacity(runs.len());
        while !runs.is_empty() {
            let rest = runs.split_off(AT_ONCE.min(runs.len()));
            created.extend(self.create_at_once(id, runs).await?);
            progress(created.len());
            runs = rest;
        }
        Ok(created)
    }

    async fn create_at_once(
        self,
        id: Uuid,
        runs: Vec<DeploymentFlowRunCreate>,
    ) -> Result<Vec<FlowRunCreateResult>> {
        let raw = self.client.raw();
        let send = async |runs: &Vec<_>| {
            let reply = raw.bulk_create_flow_runs_from_deployment(&id, runs).await?;
            Ok(reply.into_inner().results.unwrap_or_default())
        };
        let mut results = send(&runs).await?;
        for failures in 1.. {
            let places = (0..results.len().min(runs.len())).filter(|&at| was_locked(&results[at]));
            let places: Vec<_> = places.collect();
            if places.is_empty() || !raw.transport().wait_after(failures).await {
                break;
            }
            let again = places.iter().map(|&at| runs[at].clone()).collect();
            for (at, result) in places.into_iter().zip(send(&again).await?) {
                results[at] = result;
            }
        }
        Ok(results)
    }
}

/// Of each run that fails the server gives the reason, whatever it is, as text.
fn was_locked(result: &FlowRunCreateResult) -> bool {
    let error = result.error.as_deref().unwrap_or_default();
    result.status == FlowRunCreateResultStatus::Failed && error.contains("database is locked")
}
