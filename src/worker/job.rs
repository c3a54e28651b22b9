//! `Job`: a run that is to be executed, and everything that its infrastructure must know.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::output::JobOutput;
use crate::flow::BoxError;
use crate::types::FlowRun;

/// A run that is to be executed, and everything that its [`Infrastructure`](super::Infrastructure) must know.
pub struct Job {
    pub(super) run: FlowRun,
    pub(super) flow_name: String,
    pub(super) name: Option<String>,
    pub(super) configuration: Value,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) output: JobOutput,
}

impl Job {
    /// The flow run.
    pub fn run(&self) -> &FlowRun {
        &self.run
    }

    /// The name of the flow.
    pub fn flow_name(&self) -> &str {
        &self.flow_name
    }

    /// The name of the job: that of the job configuration, or else that of the run.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref().or(self.run.name.as_deref())
    }

    /// The job configuration: the `job_configuration` of the pool's base job template, filled with the job variables of the
    /// deployment and of the run.
    ///
    /// # Errors
    ///
    /// When it is not what `T` is read from; the message names the field.
    pub fn configuration<T: DeserializeOwned>(&self) -> Result<T, BoxError> {
        serde_path_to_error::deserialize(&self.configuration).map_err(|wrong| {
            let path = wrong.path().to_string();
            format!("the job configuration: {path}: {}", wrong.into_inner()).into()
        })
    }

    /// The variables to be set in the environment of the job, in addition to what it has: how it reaches the server, which
    /// run it is for, and `env` of the job configuration. They may contain secrets.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// Labels that tell for which run, deployment, flow and pool a job was started.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// Where the lines that the job prints are to be put, so that the run shows them.
    pub fn output(&self) -> &JobOutput {
        &self.output
    }
}

/// Without the configuration and the environment, which may contain secrets.
impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("run", &self.run.id)
            .field("flow_name", &self.flow_name)
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
