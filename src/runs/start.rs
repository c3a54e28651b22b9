//! `RunDeployment`: starting a run of a deployment.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::parameters;
use super::started::StartedRun;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::handles::Deployments;
use crate::types::{
    DeploymentFlowRunCreate, Field, Json, Scalar, StateCreate, StateDetails, StateType,
};

/// Which deployment is meant: an id, or `"flow/deployment"` by their names. Text that is a UUID is an id.
///
/// ```
/// use prefect_sdk::DeploymentRef;
///
/// let id = uuid::Uuid::new_v4();
/// assert_eq!(DeploymentRef::from(id.to_string()), DeploymentRef::Id(id));
/// let name = "etl/nightly";
/// assert_eq!(DeploymentRef::from(name), DeploymentRef::Name(name.to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeploymentRef {
    /// By its id.
    Id(Uuid),
    /// By the names of its flow and of itself, with a `/` between them.
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

/// A run of a deployment to be: see [`Deployments::run`].
///
/// Sent is what was said, and a state: SCHEDULED, for now unless [`scheduled`](Self::scheduled) says another
/// time. All else is as the deployment says.
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
    /// Starts a run of a deployment, given by its id or as `"flow/deployment"`: a worker or runner takes it as
    /// soon as it is due. Nothing is sent before [`send`](RunDeployment::send).
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
    /// println!("{:?} is {}", run.name, run.id());
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
    /// Parameters: an object, which is put over the deployment's own.
    pub fn parameters(mut self, parameters: impl Into<Json>) -> Self {
        self.run.parameters = Some(parameters.into());
        self
    }

    /// Tags, beside the deployment's own.
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.run.tags = Some(tags.into_iter().map(Into::into).collect());
        self
    }

    /// When it is due. Default: now.
    pub fn scheduled(mut self, at: DateTime<Utc>) -> Self {
        self.scheduled = Some(at);
        self
    }

    /// A text that no other run of the flow has: if one has it, nothing is started, and it is that one which is
    /// returned, with the parameters that it has. Default: a new one, so that a lost reply does no harm.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.run.idempotency_key = Field::value(key.into());
        self
    }

    /// What the run is called. Default: two words that the server makes up.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.run.name = Some(name.into());
        self
    }

    /// Values for the job template of the work pool: an object, which is put over the deployment's own.
    pub fn job_variables(mut self, variables: impl Into<Json>) -> Self {
        self.run.job_variables = Field::value(variables.into());
        self
    }

    /// The queue of the deployment's work pool that the run waits in. Default: that of the deployment.
    pub fn work_queue(mut self, name: impl Into<String>) -> Self {
        self.run.work_queue_name = Field::value(name.into());
        self
    }

    /// The task run that stands for the run in its parent's graph: the run is then a sub-flow run.
    pub fn parent_task_run(mut self, id: Uuid) -> Self {
        self.run.parent_task_run_id = Field::value(id);
        self
    }

    /// Labels, beside those that the server adds.
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

    /// Checks the parameters before anything is created: the deployment's own and these over them, by the
    /// deployment's schema, if it has one (`POST /ui/schemas/validate`). The error names all that is wrong,
    /// where the server's own, of a run that it refuses to create, names the first; and the deployment may
    /// be set up to refuse none.
    pub fn check_parameters(mut self) -> Self {
        self.checks = true;
        self
    }

    /// Starts the run: `POST /deployments/{id}/create_flow_run`. Before, a deployment that is given by name is
    /// looked up (`GET /deployments/name/{flow_name}/{deployment_name}`), and one whose parameters are to be
    /// checked is read (`GET /deployments/{id}`).
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), before anything is sent, for a name without
    /// exactly one `/`, and for parameters to check that are no object;
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such deployment;
    /// [`Validation`](crate::ErrorKind::Validation) when [`check_parameters`](Self::check_parameters) finds
    /// something; [`Conflict`](crate::ErrorKind::Conflict) when the server does; those of any call.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let tomorrow = chrono::Utc::now() + chrono::Duration::days(1);
    /// let run = client.deployments().run("etl/nightly").scheduled(tomorrow);
    /// // However often this is called, there is one run.
    /// let run = run.idempotency_key(format!("nightly {}", tomorrow.date_naive())).send().await?;
    /// println!("{} is due at {:?}", run.id(), run.expected_start_time);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send(self) -> Result<StartedRun> {
        let deployments = self.client.deployments();
        let given = self.run.parameters.as_ref().filter(|_| self.checks);
        let given = given.map(parameters::members).transpose()?;
        let (id, found) = match &self.deployment {
            DeploymentRef::Id(id) if self.checks => (*id, Some(deployments.get(*id).await?)),
            DeploymentRef::Id(id) => (*id, None),
            DeploymentRef::Name(name) => {
                let (flow, deployment) = parts(name)?;
                let found = deployments.get_by_name(flow, deployment).await?;
                (found.id, Some(found))
            }
        };
        if let Some(found) = found.filter(|_| self.checks) {
            parameters::check(&self.client, &found, given.unwrap_or_default()).await?;
        }
        let due = self.scheduled.unwrap_or_else(Utc::now);
        let state = StateCreate::new(StateType::Scheduled)
            .name("Scheduled")
            .state_details(StateDetails::new().scheduled_time(due));
        let run = self.run.state(state);
        let run = deployments.create_flow_run(id, &run).await?;
        Ok(StartedRun::new(self.client, run))
    }
}

/// The names of a flow and of a deployment; neither can have a `/`.
fn parts(name: &str) -> Result<(&str, &str)> {
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
