//! `RunMany`: creates many runs of a deployment at once.

mod chunk;
mod requests;

use std::collections::BTreeMap;
use std::fmt;
use std::future::IntoFuture;
use std::iter;
use std::pin::pin;

use futures_core::future::BoxFuture;
use futures_util::stream::{self, StreamExt as _};
use uuid::Uuid;

use super::generated::Deployments;
use requests::Creation;

use crate::client::Client;
use crate::error::Result;
use crate::query::Progress;
use crate::types::DeploymentFlowRunCreate;

/// How many runs one request creates: the server accepts no more.
const RUNS_PER_REQUEST: usize = 100;

/// Many runs of a deployment that are to be created. `.await` creates them, and returns the outcome of each,
/// in the order in which they were given: its id, or its own error. See [`Deployments::run_many`].
///
/// # No run is lost or created twice
///
/// Up to 100 runs are requested at a time: `POST /deployments/{id}/create_flow_run/bulk`. Older servers lack
/// this operation, so each run is requested alone: `POST /deployments/{id}/create_flow_run`. A run without an
/// `idempotency_key` gets one, so that it can be requested again.
///
/// A server whose database fails in the middle of a request may roll back runs that it reports as created:
/// when some runs of a request fail, those that were created are looked up (`POST /flow_runs/filter`). Those
/// that do not exist, or for which the database was locked, are requested again, as often as the client's
/// [`RetryPolicy`](crate::RetryPolicy) allows. When a whole request is refused because one run in it is
/// malformed, each run is requested alone.
///
/// # Errors
///
/// Each run that could not be created after all that has one of these errors:
/// * [`Validation`](crate::ErrorKind::Validation) when the server refuses it, for example for its parameters;
/// * [`Server`](crate::ErrorKind::Server) when the server's database could not create it;
/// * any [call error](crate::Error#call-errors) when its request fails. All runs of that request have this
///   error, including whether it [may have been executed](crate::Error::may_have_happened). Other runs are
///   still requested, unless they would fail in the same way, for example because there is no such deployment
///   ([`NotFound`](crate::ErrorKind::NotFound)) or no server: then they have the same error, with no
///   [attempts](crate::Error::attempts).
///
/// To be able to request all of them again, after an error or when the future was dropped before its end,
/// give each an `idempotency_key` of your own: runs that exist are not created twice, and keep their ids.
///
/// ```no_run
/// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
/// use prefect_sdk::types::DeploymentFlowRunCreate;
/// use serde_json::json;
///
/// let runs = (1..=365).map(|day| {
///     DeploymentFlowRunCreate::new()
///         .parameters(json!({ "day": day }))
///         .idempotency_key(format!("2026-{day}"))
/// });
/// let created = client
///     .deployments()
///     .run_many(id, runs)
///     .on_progress(|progress| println!("{} of {}", progress.done, progress.total))
///     .await;
/// for error in created.iter().filter_map(|run| run.as_ref().err()) {
///     println!("{error}");
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is created unless it is awaited"]
pub struct RunMany<'a> {
    client: &'a Client,
    deployment: Uuid,
    runs: Vec<DeploymentFlowRunCreate>,
    concurrency: usize,
    progress: Option<Box<dyn FnMut(Progress) + Send + 'a>>,
}

impl<'a> Deployments<'a> {
    /// Creates many runs of a deployment; `.await` sends the requests, see [`RunMany`]. Whatever a run does
    /// not set is taken from the deployment; a run without a state is due now.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::types::DeploymentFlowRunCreate;
    ///
    /// let runs = vec![DeploymentFlowRunCreate::new(); 250];
    /// let created = client.deployments().run_many(id, runs).await;
    /// println!("{} of 250 are there", created.iter().flatten().count());
    /// # Ok(())
    /// # }
    /// ```
    pub fn run_many(
        self,
        id: Uuid,
        runs: impl IntoIterator<Item = DeploymentFlowRunCreate>,
    ) -> RunMany<'a> {
        RunMany {
            client: self.client,
            deployment: id,
            runs: runs.into_iter().collect(),
            concurrency: 1,
            progress: None,
        }
    }
}

impl<'a> RunMany<'a> {
    /// Sets how many requests, of 100 runs each, are in flight at a time; 0 counts as 1. Default: 1. A server
    /// on SQLite has one writer, and several requests make it wait for locks, up to a minute each; a server
    /// on PostgreSQL is faster with several.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests;
        self
    }

    /// Sets a function that is called before the first request, and after the last request for each 100 runs,
    /// with the number of runs that are done.
    pub fn on_progress(mut self, call: impl FnMut(Progress) + Send + 'a) -> Self {
        self.progress = Some(Box::new(call));
        self
    }

    /// Creates the runs, as `.await` does.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::types::DeploymentFlowRunCreate;
    ///
    /// let runs = vec![DeploymentFlowRunCreate::new(); 250];
    /// let created = client.deployments().run_many(id, runs).send().await;
    /// // All of them, or the first error.
    /// let ids = created.into_iter().collect::<prefect_sdk::Result<Vec<_>>>()?;
    /// println!("{} runs", ids.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send(self) -> Vec<Result<Uuid>> {
        let mut progress = self.progress;
        let report = move |now| {
            if let Some(call) = &mut progress {
                call(now);
            }
        };
        create_all(
            self.client,
            self.deployment,
            self.runs,
            self.concurrency,
            report,
        )
        .await
    }
}

/// Creates runs of a deployment, with up to `concurrency` requests at a time. Returns the outcome of each, in
/// order. `report` is also called before the first request.
async fn create_all(
    client: &Client,
    deployment: Uuid,
    runs: Vec<DeploymentFlowRunCreate>,
    concurrency: usize,
    mut report: impl FnMut(Progress),
) -> Vec<Result<Uuid>> {
    let (mut done, total) = (0, runs.len());
    report(Progress { done, total });
    let creation = &Creation::new(client, deployment);
    let mut runs = runs.into_iter();
    let chunks = iter::from_fn(|| {
        let chunk: Vec<_> = runs.by_ref().take(RUNS_PER_REQUEST).collect();
        (!chunk.is_empty()).then_some(chunk)
    });
    let chunks: Vec<_> = chunks.enumerate().collect();
    let requests = chunks
        .into_iter()
        .map(|(number, chunk)| async move { (number, creation.create(chunk).await) });
    let mut created = pin!(stream::iter(requests).buffer_unordered(concurrency.max(1)));
    let mut outcomes = BTreeMap::new();
    while let Some((number, created)) = created.next().await {
        done += created.len();
        outcomes.insert(number, created);
        report(Progress { done, total });
    }
    outcomes.into_values().flatten().collect()
}

impl<'a> IntoFuture for RunMany<'a> {
    type Output = Vec<Result<Uuid>>;
    type IntoFuture = BoxFuture<'a, Vec<Result<Uuid>>>;

    #[inline]
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for RunMany<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunMany")
            .field("deployment", &self.deployment)
            .field("runs", &self.runs.len())
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
