//! `FlowDeployment`: a flow of this process as a deployment.

use std::fmt;
use std::time::Duration;

use futures_core::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::triggers;
use crate::client::Client;
#[cfg(feature = "schema")]
use crate::error::Error;
use crate::error::Result;
use crate::flow::{Flow, ServedRun};
#[cfg(feature = "schedules")]
use crate::resources::deployments::Schedule;
use crate::types::{
    ConcurrencyLimitStrategy, ConcurrencyOptions, DeploymentCreate, DeploymentScheduleCreate,
    Field, FlowCreate, Json, Trigger,
};

/// A flow of this process as a deployment: see [`Flow::deployment`].
#[must_use = "a deployment is not served unless it is added to `Client::serve`"]
pub struct FlowDeployment<P = (), T = ()> {
    flow: Flow<P, T>,
    wanted: DeploymentCreate,
    triggers: Vec<Trigger>,
}

impl<P, T> Flow<P, T> {
    /// The flow as a deployment of this name, to be [served](crate::Client::serve) by this process.
    ///
    /// What is not set here is left as it is in the deployment that exists already: so a schedule that was added in
    /// Prefect's UI stays, unless schedules are set here.
    ///
    /// ```
    /// use prefect_sdk::flow::{BoxError, Flow, Run};
    /// use serde_json::json;
    ///
    /// let flow = Flow::new("etl", |_: Run, _: ()| async { Ok::<_, BoxError>(()) });
    /// let nightly = flow.deployment("nightly").tags(["rust"]).concurrency_limit(1).description("Every night");
    /// let by_hand = flow.deployment("by-hand").parameters(json!({ "day": "today" }));
    /// ```
    pub fn deployment(&self, name: impl Into<String>) -> FlowDeployment<P, T> {
        let mut wanted = DeploymentCreate::new(name, Uuid::nil());
        // Otherwise the workers of a pool that it once had would take its runs.
        wanted.work_pool_name = Field::NULL;
        wanted.work_queue_name = Field::NULL;
        wanted.version = self.version_name().map(str::to_owned).into();
        FlowDeployment {
            flow: self.clone(),
            wanted,
            triggers: Vec::new(),
        }
    }
}

impl<P, T> FlowDeployment<P, T> {
    /// Starts a run at the times of a cron expression, in UTC, in addition to other schedules.
    ///
    /// # Errors
    ///
    /// Those of [`Schedule::cron`].
    #[cfg(feature = "schedules")]
    pub fn cron(self, expression: &str) -> Result<Self> {
        Ok(self.schedule(Schedule::cron(expression)?))
    }

    /// Starts a run at this interval, in addition to other schedules.
    ///
    /// # Errors
    ///
    /// Those of [`Schedule::interval`].
    #[cfg(feature = "schedules")]
    pub fn interval(self, interval: Duration) -> Result<Self> {
        Ok(self.schedule(Schedule::interval(interval)?))
    }

    /// Adds a schedule, such as a [`Schedule`](crate::deployments::Schedule) with a time zone. Schedules that the
    /// deployment has, and that are not set here, are deleted; equal ones keep their ids.
    pub fn schedule(mut self, schedule: impl Into<DeploymentScheduleCreate>) -> Self {
        let schedules = self.wanted.schedules.get_or_insert_default();
        schedules.push(schedule.into());
        self
    }

    /// Deletes the schedules that the deployment has, and that are not set here.
    pub fn no_other_schedules(mut self) -> Self {
        self.wanted.schedules.get_or_insert_default();
        self
    }

    /// Starts a run whenever this trigger fires, in addition to other triggers, by an automation that is named after the
    /// deployment.
    ///
    /// ```
    /// use prefect_sdk::automations::event;
    /// # use prefect_sdk::flow::{BoxError, Flow, Run};
    /// # let flow = Flow::new("etl", |_: Run, _: ()| async { Ok::<_, BoxError>(()) });
    ///
    /// let on_upload = flow.deployment("on-upload").trigger(event("shop.file.uploaded"));
    /// ```
    pub fn trigger(mut self, trigger: impl Into<Trigger>) -> Self {
        self.triggers.push(trigger.into());
        self
    }

    /// Sets the parameters of runs that are started without: an object.
    pub fn parameters(mut self, parameters: impl Into<Json>) -> Self {
        self.wanted.parameters = Some(parameters.into());
        self
    }

    /// Sets the schema of the parameters, by which the server refuses runs with wrong ones, and Prefect's UI makes
    /// a form. With the feature `schema`, `schema` takes it from a Rust type.
    pub fn parameter_schema(mut self, schema: impl Into<Json>) -> Self {
        self.wanted.parameter_openapi_schema = Field::value(schema.into());
        self.wanted.enforce_parameter_schema = Some(true);
        self
    }

    /// Sets the schema of the parameters to that of their Rust type, by which the server refuses runs with wrong ones, and
    /// Prefect's UI makes a form: with the comments of fields as descriptions, the values of `#[serde(default)]` as defaults,
    /// enums as choices, and all fields in their order. (A default is known only of a type that is `Serialize`.)
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) when the type is not a struct, or the server does not take its schema.
    ///
    /// ```
    /// use prefect_sdk::flow::{BoxError, Flow, Run};
    /// use schemars::JsonSchema;
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize, JsonSchema)]
    /// struct Parameters {
    ///     /// The day to be loaded.
    ///     day: String,
    ///     #[serde(default)]
    ///     dry_run: bool,
    /// }
    ///
    /// let flow = Flow::new("etl", |_: Run, _: Parameters| async { Ok::<_, BoxError>(()) });
    /// let by_hand = flow.deployment("by-hand").schema()?;
    /// # Ok::<(), prefect_sdk::Error>(())
    /// ```
    #[cfg(feature = "schema")]
    pub fn schema(self) -> Result<Self>
    where
        P: schemars::JsonSchema + DeserializeOwned,
    {
        let schema = super::schema::parameter_schema::<P>();
        let schema = schema.map_err(|why| {
            let (flow, name) = (self.flow.name(), &self.wanted.name);
            Error::invalid_request(format!("the parameters of {flow}/{name}: {why}"))
        })?;
        Ok(self.parameter_schema(schema))
    }

    /// Sets the tags of the deployment, which its runs have, too.
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.wanted.tags = Some(tags.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the description that Prefect's UI shows, in Markdown.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.wanted.description = Field::value(text.into());
        self
    }

    /// Sets the version of the deployment. Default: that of the flow.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.wanted.version = Field::value(version.into());
        self
    }

    /// Sets how many runs of the deployment may be in progress, in all processes. Others wait. Default: no limit.
    pub fn concurrency_limit(mut self, runs: u32) -> Self {
        self.wanted.concurrency_limit = Field::value(i64::from(runs));
        self
    }

    /// Cancels runs that are beyond the limit, instead of having them wait.
    pub fn cancel_beyond_limit(mut self) -> Self {
        let options = ConcurrencyOptions::new(ConcurrencyLimitStrategy::CancelNew);
        self.wanted.concurrency_options = Field::value(options);
        self
    }

    /// Pauses the schedules of the deployment, or resumes them. Default: they are left as they are.
    pub fn paused(mut self, paused: bool) -> Self {
        self.wanted.paused = Some(paused);
        self
    }
}

/// A deployment that is served, whatever the types of its flow.
pub(super) trait Served: Send + Sync {
    /// The name of the flow, and that of the deployment.
    fn names(&self) -> (&str, &str);

    /// The time that a function may take to end.
    fn grace(&self) -> Duration;

    /// Refuses what cannot be meant.
    fn check(&self) -> Result<()>;

    /// Has the deployment resumed when it is served, because it is paused when it is not.
    fn resume(&mut self);

    /// Makes the deployment as it is wanted: `POST /flows/` and what [`ensure`](crate::deployments::Deployments::ensure)
    /// sends; and its triggers.
    fn ensure<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Uuid>>;

    /// Attempts a run.
    fn attempt(&self, client: &Client, run: ServedRun) -> BoxFuture<'static, Result<()>>;
}

impl<P, T> Served for FlowDeployment<P, T>
where
    P: DeserializeOwned + Send + 'static,
    T: Serialize + Send + 'static,
{
    fn names(&self) -> (&str, &str) {
        (self.flow.name(), &self.wanted.name)
    }

    fn grace(&self) -> Duration {
        self.flow.options().grace
    }

    fn check(&self) -> Result<()> {
        self.flow.options().check(self.flow.name())
    }

    fn resume(&mut self) {
        self.wanted.paused.get_or_insert(false);
    }

    fn ensure<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Uuid>> {
        Box::pin(async move {
            let mut wanted = self.wanted.clone();
            let flow = FlowCreate::new(self.flow.name());
            wanted.flow_id = client.flows().create(&flow).await?.id;
            let deployment = client.deployments().ensure(&wanted).await?.id;
            let (flow, name) = self.names();
            triggers::ensure(
                client,
                &format!("{flow}/{name}"),
                deployment,
                &self.triggers,
            )
            .await?;
            Ok(deployment)
        })
    }

    fn attempt(&self, client: &Client, run: ServedRun) -> BoxFuture<'static, Result<()>> {
        let attempt = client.attempt(&self.flow).serving(run);
        Box::pin(async move { attempt.await.map(drop) })
    }
}

impl<P, T> fmt::Debug for FlowDeployment<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowDeployment")
            .field("flow", &self.flow)
            .field("wanted", &self.wanted)
            .field("triggers", &self.triggers)
            .finish()
    }
}
