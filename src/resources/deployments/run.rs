//! `RunDeployment`: starting a run of a deployment.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::generated::Deployments;
use super::parameter_check;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::resources::flow_runs::FlowRunHandle;
use crate::types::{
    DeploymentFlowRunCreate, Field, Json, Scalar, StateCreate, StateDetails, StateType,
};

/// A reference to a deployment: its id, or its name as `"flow/deployment"`. Text that is a UUID is an id.
///
/// ```
/// use prefect_sdk::deployments::DeploymentRef;
///
/// let id = uuid::Uuid::new_v4();
/// assert_eq!(DeploymentRef::from(id.to_string()), DeploymentRef::Id(id));
/// let name = "etl/nightly";
/// assert_eq!(DeploymentRef::from(name), DeploymentRef::Name(name.to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeploymentRef {
    /// The id of the deployment.
    Id(Uuid),
    /// The names of the flow and the deployment, with a `/` between them.
    Name(String),
}

impl From<Uuid> for DeploymentRef {
    fn from(id: Uuid) -> Self {
        Self::Id(id)
    }
}

impl From<String> for DeploymentRef {
    fn from(text: String) -> Self {
        match text.parse() {
            Ok(id) => Self::Id(id),
            Err(_) => Self::Name(text),
        }
    }
}

impl From<&str> for DeploymentRef {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<&String> for DeploymentRef {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl fmt::Display for DeploymentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// A run of a deployment that is to be started: see [`Deployments::run`].
///
/// The request contains only the options that were set, and the state SCHEDULED: for now, unless
/// [`scheduled`](Self::scheduled) sets another time. Everything else is taken from the deployment.
#[derive(Clone, Debug)]
#[must_use = "nothing is started unless it is sent"]
pub struct RunDeployment {
    client: Client,
    deployment: DeploymentRef,
    run: DeploymentFlowRunCreate,
    scheduled: Option<DateTime<Utc>>,
    checks: bool,
}

impl Deployments<'_> {
    /// Starts a run of a deployment, identified by its id or as `"flow/deployment"`: a worker or runner picks
    /// it up as soon as it is due. Nothing is sent before [`send`](RunDeployment::send).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use serde_json::json;
    ///
    /// let run = client
    ///     .deployments()
    ///     .run("etl/nightly")
    ///     .parameters(json!({ "day": "2026-11-21" }))
    ///     .tags(["by hand"])
    ///     .check_parameters()
    ///     .send()
    ///     .await?;
    /// println!("started {}", run.id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn run(self, deployment: impl Into<DeploymentRef>) -> RunDeployment {
        RunDeployment {
            client: self.client.clone(),
            deployment: deployment.into(),
            run: DeploymentFlowRunCreate::new(),
            scheduled: None,
            checks: false,
        }
    }
}

impl RunDeployment {
    /// Sets the parameters: an object, merged over the deployment's own.
    pub fn parameters(mut self, parameters: impl Into<Json>) -> Self {
        self.run.parameters = Some(parameters.into());
        self
    }

    /// Sets tags in addition to the deployment's own.
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.run.tags = Some(tags.into_iter().map(Into::into).collect());
        self
    }

    /// Sets when the run is due. Default: now.
    pub fn scheduled(mut self, at: DateTime<Utc>) -> Self {
        self.scheduled = Some(at);
        self
    }

    /// Sets a key that no other run of the flow has. If a run has it already, nothing is started, and that
    /// run is returned, with its own parameters. Default: a new key, so that a lost reply does no harm.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.run.idempotency_key = Field::value(key.into());
        self
    }

    /// Sets the name of the run. Default: two words that the server chooses.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.run.name = Some(name.into());
        self
    }

    /// Sets values for the job template of the work pool: an object, merged over the deployment's own.
    pub fn job_variables(mut self, variables: impl Into<Json>) -> Self {
        self.run.job_variables = Field::value(variables.into());
        self
    }

    /// Sets the queue of the deployment's work pool that the run waits in. Default: the deployment's queue.
    pub fn work_queue(mut self, name: impl Into<String>) -> Self {
        self.run.work_queue_name = Field::value(name.into());
        self
    }

    /// Sets the task run that represents the run in its parent's graph: the run is then a sub-flow run.
    pub fn parent_task_run(mut self, id: Uuid) -> Self {
        self.run.parent_task_run_id = Field::value(id);
        self
    }

    /// Sets labels in addition to those that the server adds.
    pub fn labels(
        mut self,
        labels: impl IntoIterator<Item = (impl Into<String>, impl Into<Scalar>)>,
    ) -> Self {
        let labels = labels.into_iter();
        let labels: BTreeMap<String, Scalar> = labels
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        self.run.labels = Field::value(labels);
        self
    }

    /// Checks the parameters before anything is created: the deployment's own, overridden by these, against
    /// the deployment's schema, if it has one (`POST /ui/schemas/validate`). The error lists every problem,
    /// whereas the server's own error, for a run that it refuses to create, names only the first one; and the
    /// deployment may be configured not to refuse any parameters.
    pub fn check_parameters(mut self) -> Self {
        self.checks = true;
        self
    }

    /// Starts the run: `POST /deployments/{id}/create_flow_run`. First, a deployment that is identified by
    /// name is looked up (`GET /deployments/name/{flow_name}/{deployment_name}`), and one whose parameters
    /// are to be checked is read (`GET /deployments/{id}`).
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), before anything is sent, for a name without
    /// exactly one `/`, and for parameters to check that are not an object;
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such deployment;
    /// [`Validation`](crate::ErrorKind::Validation) when [`check_parameters`](Self::check_parameters) finds a
    /// problem; [`Conflict`](crate::ErrorKind::Conflict) when the server finds one; or any
    /// [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let tomorrow = chrono::Utc::now() + chrono::Duration::days(1);
    /// let run = client.deployments().run("etl/nightly").scheduled(tomorrow);
    /// // However often this is called, there is one run.
    /// let run = run.idempotency_key(format!("nightly {}", tomorrow.date_naive())).send().await?;
    /// println!("{} is {:?}", run.id(), run.state().await?.name);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send(self) -> Result<FlowRunHandle> {
        let deployments = self.client.deployments();
        let given = self.run.parameters.as_ref().filter(|_| self.checks);
        let given = given.map(parameter_check::members).transpose()?;
        let (id, found) = match &self.deployment {
            DeploymentRef::Id(id) if self.checks => (*id, Some(deployments.get(*id).await?)),
            DeploymentRef::Id(id) => (*id, None),
            DeploymentRef::Name(name) => {
                let (flow, deployment) = split_name(name)?;
                let found = deployments.get_by_name(flow, deployment).await?;
                (found.id, Some(found))
            }
        };
        if let Some(found) = found.filter(|_| self.checks) {
            parameter_check::check(&self.client, &found, given.unwrap_or_default()).await?;
        }
        let mut state = StateCreate::new(StateType::Scheduled).name("Scheduled");
        // Without a time, the server sets its own: our clock may differ.
        if let Some(due) = self.scheduled {
            state = state.state_details(StateDetails::new().scheduled_time(due));
        }
        let run = self.run.state(state);
        let run = deployments.create_flow_run(id, &run).await?;
        Ok(FlowRunHandle::new(self.client, run))
    }
}

/// Splits a name into those of the flow and the deployment; neither can contain a `/`.
fn split_name(name: &str) -> Result<(&str, &str)> {
    match name.split_once('/') {
        Some((flow, deployment))
            if !flow.is_empty() && !deployment.is_empty() && !deployment.contains('/') =>
        {
            Ok((flow, deployment))
        }
        _ => Err(Error::invalid_request(format!(
            "{name:?} is neither an id nor a name like \"flow/deployment\""
        ))),
    }
}
