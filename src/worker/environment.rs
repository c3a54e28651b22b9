//! The environment and the labels of a job: which run it is for, and how it reaches the server.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::types::{DeploymentResponse, Flow, FlowRun, WorkPoolResponse};

/// What is known of a run when its job is prepared.
pub(super) struct RunFacts<'a> {
    pub run: &'a FlowRun,
    pub flow: &'a Flow,
    pub deployment: Option<&'a DeploymentResponse>,
    pub pool: &'a WorkPoolResponse,
    pub worker: &'a str,
}

impl RunFacts<'_> {
    /// The variables of a job: how the server is reached, which run it is, and last but for the run's id the job's own.
    pub(super) fn environment(
        &self,
        connection: BTreeMap<String, String>,
        job: &Value,
    ) -> BTreeMap<String, String> {
        let mut variables = connection;
        let mut set = |name: &str, value: String| variables.insert(name.to_owned(), value);
        set("PREFECT__FLOW_ID", self.flow.id.to_string());
        set("PREFECT__FLOW_NAME", self.flow.name.clone());
        if let Some(deployment) = self.deployment {
            set("PREFECT__DEPLOYMENT_ID", deployment.id.to_string());
            set("PREFECT__DEPLOYMENT_NAME", deployment.name.clone());
        }
        set("PREFECT__WORKER_NAME", self.worker.to_owned());
        // The worker reports CANCELLED, and a process that has ended without a word.
        set(
            "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS",
            "false".to_owned(),
        );
        if let Some(job) = job.as_object() {
            let job = job.iter().filter_map(|(name, value)| match value {
                Value::Null => None,
                Value::String(text) => Some((name.clone(), text.clone())),
                other => Some((name.clone(), other.to_string())),
            });
            variables.extend(job);
        }
        // Not to be overridden by a job variable, nor by an outer run.
        variables.insert("PREFECT__FLOW_RUN_ID".to_owned(), self.run.id.to_string());
        variables
    }

    /// The labels of a job.
    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        let mut set =
            |name: &str, value: String| labels.insert(format!("prefect.io/{name}"), value);
        set("flow-run-id", self.run.id.to_string());
        set("flow-run-name", self.run.name.clone().unwrap_or_default());
        set("flow-id", self.flow.id.to_string());
        set("flow-name", self.flow.name.clone());
        if let Some(deployment) = self.deployment {
            set("deployment-id", deployment.id.to_string());
            set("deployment-name", deployment.name.clone());
        }
        set("work-pool-id", self.pool.id.to_string());
        set("work-pool-name", self.pool.name.clone());
        set("worker-name", self.worker.to_owned());
        set(
            "version",
            concat!("prefect-sdk-rust-", env!("CARGO_PKG_VERSION")).to_owned(),
        );
        labels
    }
}
