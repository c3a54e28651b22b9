//! `Infrastructure`: where and how the runs of a work pool are executed.

use std::future::Future;
use std::time::Duration;

use serde_json::Value;

use super::job::Job;
use crate::flow::BoxError;

/// Where and how a [worker](crate::Client::worker) executes runs: as processes, containers, jobs of a cluster.
///
/// The worker does the rest: it takes the runs, renders their job configuration, reports what becomes of them, and ends
/// them when they are cancelled.
///
/// ```
/// use std::time::Duration;
/// use prefect_sdk::flow::BoxError;
/// use prefect_sdk::worker::{Exit, Infrastructure, Job};
/// use serde_json::{Value, json};
///
/// /// Jobs of a batch system.
/// struct Batch;
///
/// #[derive(serde::Deserialize)]
/// struct Configuration {
///     image: String,
/// }
///
/// impl Infrastructure for Batch {
///     fn pool_type(&self) -> &str {
///         "batch"
///     }
///
///     fn base_job_template(&self) -> Value {
///         json!({
///             "job_configuration": { "image": "{{ image }}" },
///             "variables": { "type": "object", "properties": { "image": { "type": "string" } } },
///         })
///     }
///
///     async fn start(&self, job: &Job) -> Result<String, BoxError> {
///         let Configuration { image } = job.configuration()?;
///         println!("starts {image} with {} variables", job.environment().len());
///         Ok("job-1".to_owned())
///     }
///
///     async fn wait(&self, id: &str) -> Result<Exit, BoxError> {
///         println!("waits for {id}");
///         Ok(Exit::code(0))
///     }
///
///     async fn kill(&self, id: &str, grace: Duration) -> Result<(), BoxError> {
///         println!("ends {id} within {grace:?}");
///         Ok(())
///     }
/// }
/// ```
pub trait Infrastructure: Send + Sync + 'static {
    /// The type of the work pools whose runs this executes, such as `process`.
    fn pool_type(&self) -> &str;

    /// The base job template of a pool of this type, for a pool that has none: an object with `job_configuration` and
    /// `variables`.
    fn base_job_template(&self) -> Value;

    /// Starts the infrastructure of a run, and returns its id, which the run shows as its `infrastructure_pid`. If it fails,
    /// the run is CRASHED.
    fn start(&self, job: &Job) -> impl Future<Output = Result<String, BoxError>> + Send;

    /// Waits until it has ended. If it fails, nobody knows what became of it: the run is left as it is.
    fn wait(&self, id: &str) -> impl Future<Output = Result<Exit, BoxError>> + Send;

    /// Asks it to end, and ends it after this time. It is not an error if it has ended already.
    fn kill(&self, id: &str, grace: Duration) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// How an infrastructure has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(i32);

impl Exit {
    /// With this code; 0 if it has succeeded. A process that a signal has ended has the negative number of the signal.
    pub fn code(code: i32) -> Self {
        Self(code)
    }

    /// Whether it has succeeded. (Its run may have failed, and reported that.)
    pub fn is_success(self) -> bool {
        self.0 == 0
    }

    /// The code.
    pub fn status_code(self) -> i32 {
        self.0
    }

    /// What the code means to those that operate the infrastructure.
    pub(super) fn hint(self) -> Option<&'static str> {
        Some(match self.0 {
            125 => "The container could not be run.",
            126 => "The command is not executable.",
            127 => "The command was not found.",
            137 | -9 => "It was killed, perhaps because it used too much memory.",
            143 | -15 => "It was asked to end (SIGTERM).",
            247 => "It may have used too much memory.",
            _ => return None,
        })
    }
}
