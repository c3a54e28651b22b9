//! `RunMany`: many runs of a deployment at once.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use uuid::Uuid;

use super::creation::Creation;
use super::side_by_side::side_by_side;
use crate::bulk::Progress;
use crate::client::Client;
use crate::error::Result;
use crate::handles::Deployments;
use crate::types::DeploymentFlowRunCreate;

/// How many runs the server creates at once.
const AT_ONCE: usize = 100;

/// Many runs of a deployment to be; `.await` creates them, and tells of each, in the order in which they were
/// given, what came of it: its id, or an error of its own. See [`Deployments::run_many`].
///
/// # None is lost, and none comes twice
///
/// 100 are asked for at a time: `POST /deployments/{id}/create_flow_run/bulk`. Of older servers, which have no
/// such operation, each is asked for alone: `POST /deployments/{id}/create_flow_run`. A run without an
/// `idempotency_key` gets one, so that it may be asked for again.
///
/// A server whose database fails in the midst of a request may take back what it has said of the runs before:
/// when some of a request fail, those that were created are looked for (`POST /flow_runs/filter`). Those that are
/// not there, or for which the database was locked, are asked for again, as often as the client's
/// [`RetryPolicy`](crate::RetryPolicy) says. When a whole request is refused because one run in it is
/// malformed, each is asked for alone.
///
/// # Errors
///
/// Of each run, after all that:
/// * [`Validation`](crate::ErrorKind::Validation) when the server refuses it, as for its parameters;
/// * [`Server`](crate::ErrorKind::Server) when its database did not get it done;
/// * those of any call when its request fails. All runs of that request have this error, with what it
///   [may have done](crate::Error::may_have_happened). Others are still asked for, unless they would fare no
///   better, as when there is no such deployment ([`NotFound`](crate::ErrorKind::NotFound)), or no
///   server: then they have the same error, with no [attempts](crate::Error::attempts).
///
/// To be able to ask for all of them again, after an error or when this was dropped before its end, give each an
/// `idempotency_key` of your own: those that are there are not created twice, and keep their ids.
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
    /// Creates many runs of a deployment; `.await` does it, and [`RunMany`] tells how. What a run does not say is
    /// as the deployment says; without a state it is due now.
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
    /// How many requests, of 100 runs each, are under way at a time; 0 counts as 1. Default: 1. A server on
    /// SQLite has one writer, and several requests make it wait for locks, up to a minute each; one on
    /// PostgreSQL is faster with some.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests;
        self
    }

    /// Calls this before the first request, and after the last one for each 100 runs, with how many are dealt
    /// with.
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

/// Creates runs of a deployment, with so many requests at a time; what came of each, in order. `report` is called
/// before the first request as well.
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
    let mut numbers = 0..;
    let next = || {
        let chunk: Vec<_> = runs.by_ref().take(AT_ONCE).collect();
        let number: usize = numbers.next()?;
        (!chunk.is_empty()).then_some(async move { (number, creation.create(chunk).await) })
    };
    let mut outcomes = BTreeMap::new();
    let ended = |(number, created): (usize, Vec<Result<Uuid>>)| {
        done += created.len();
        outcomes.insert(number, created);
        report(Progress { done, total });
    };
    side_by_side(concurrency, next, ended).await;
    outcomes.into_values().flatten().collect()
}

impl<'a> IntoFuture for RunMany<'a> {
    type Output = Vec<Result<Uuid>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Vec<Result<Uuid>>> + Send + 'a>>;

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
