//! Sub-flows: flows that run within a run, as runs of their own.

use std::fmt;
use std::future::IntoFuture;

use futures_core::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::attempt::Attempt;
use super::child_run::track;
use super::flow::{BoxError, Flow};
use super::run::Run;
use super::task::{Output, OutputOf};
use crate::types::Json;

/// A flow that runs within this run, as a run of its own: see [`Run::subflow`]. `.await` runs it.
#[must_use = "nothing is run unless it is awaited"]
pub struct Subflow<P, T> {
    run: Run,
    name: String,
    attempt: Attempt<P, T>,
}

impl Run {
    /// Runs a flow within this run, in this process, as a run of its own that the graph of this run shows. Beyond the
    /// requests of [`Client::attempt`](crate::Client::attempt) it sends `POST /task_runs/`. When this run is to end, so is
    /// that one.
    ///
    /// # Errors
    ///
    /// The error of its function, or one that says why it is not completed.
    ///
    /// ```no_run
    /// use prefect_sdk::flow::{BoxError, Flow, Run};
    ///
    /// async fn body(run: Run, _: ()) -> Result<usize, BoxError> {
    ///     let count = Flow::new("count", |_: Run, _: ()| async { Ok::<_, BoxError>(3) });
    ///     let counted = run.subflow(&count).await?;
    ///     Ok(*counted)
    /// }
    /// ```
    pub fn subflow<P, T>(&self, flow: &Flow<P, T>) -> Subflow<P, T> {
        Subflow {
            run: self.clone(),
            name: flow.name().to_owned(),
            attempt: self.client().attempt(flow),
        }
    }
}

impl<P, T> Subflow<P, T> {
    /// Sets the parameters: an object.
    pub fn parameters(mut self, parameters: impl Into<Json>) -> Self {
        self.attempt = self.attempt.parameters(parameters);
        self
    }

    /// Sets the name of the run.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.attempt = self.attempt.name(name);
        self
    }
}

impl<P, T> IntoFuture for Subflow<P, T>
where
    P: DeserializeOwned + Send + 'static,
    T: Serialize + Send + 'static,
{
    type Output = Result<Output<T>, BoxError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let task_run = track(self.run.client(), self.run.id(), &self.name).await?;
            let attempt = self.attempt.below(self.run.clone(), task_run);
            let outcome = attempt.await?;
            let from = OutputOf::FlowRun(outcome.run_id());
            Ok(Output::new(outcome.into_result()?, from))
        })
    }
}

impl<P, T> fmt::Debug for Subflow<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subflow")
            .field("run", &self.run.id())
            .field("attempt", &self.attempt)
            .finish()
    }
}
