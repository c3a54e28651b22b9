//! One run in a worker: it is claimed, its infrastructure is started and awaited, and what became of it is reported.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use futures_util::future::{Either, select};
use tokio::sync::watch;
use uuid::Uuid;

use super::configuration;
use super::ending::{CANCELLED, ERROR, Stop};
use super::environment::RunFacts;
use super::events;
use super::infrastructure::Infrastructure;
use super::job::Job;
use super::output::{JobOutput, OutputShipper};
use super::report::{force, persist, propose};
use super::shared::{Order, Shared};
use crate::error::{Error, Result};
use crate::flow::BoxError;
use crate::flow_runs::{DueRun, ProposalOutcome};
use crate::types::{
    Event, FlowRun, FlowRunUpdate, Json, StateCreate, StateType, WorkerFlowRunResponse,
};

/// How long a run that another worker has taken is left alone.
const SET_ASIDE: Duration = Duration::from_secs(30);

/// How long a job whose environment could not be prepared is tried to be prepared again.
const PREPARE_DELAY: Duration = Duration::from_secs(5);

const INFO: i64 = 20;

impl<I: Infrastructure> Shared<I> {
    /// Executes a run that is due, if nobody else does.
    pub(super) async fn execute(&self, due: DueRun<WorkerFlowRunResponse>) {
        let run = &due.flow_run;
        let _in_progress = self.counters.begin();
        let claimed_at = match self.claim(run).await {
            Ok(Some(claimed_at)) => claimed_at,
            Ok(None) => {
                self.counters.count(|stats| &mut stats.superseded);
                return due.set_aside(SET_ASIDE);
            }
            Err(error) => {
                tracing::warn!(flow_run = %run.id, %error, "a run could not be claimed");
                return due.set_aside(SET_ASIDE);
            }
        };
        let (output, shipper) = JobOutput::new(self.client.clone(), run.id);
        let shipping = tokio::spawn(shipper.ship());
        let abort = AbortOnDrop(shipping.abort_handle());
        let done = AssertUnwindSafe(self.run(run.clone(), claimed_at, &output)).catch_unwind();
        let failure = match done.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the infrastructure's code has panicked".to_owned()),
        };
        if let Some(failure) = failure {
            tracing::error!(flow_run = %run.id, failure, "a run could not be executed");
            // The server refuses it if the run has ended.
            let crashed = StateCreate::crashed(format!("The worker has failed: {failure}"));
            if let Err(error) = propose(&self.client, run.id, crashed).await {
                tracing::error!(flow_run = %run.id, %error, "what became of a run could not be reported");
            }
        }
        drop(output);
        OutputShipper::finish(shipping).await;
        drop(abort);
    }

    /// Claims the run, and returns when that was; `None` if it is not to be executed here.
    async fn claim(&self, run: &FlowRun) -> Result<Option<DateTime<Utc>>> {
        let Some(state) = *run.state_id else {
            return Ok(None);
        };
        match self.client.flow_runs().claim(run.id, state).await? {
            ProposalOutcome::Accepted(state) => {
                let at = state.and_then(|state| state.timestamp);
                Ok(Some(at.unwrap_or_else(|| {
                    self.client.channel().clock().time_of_day()
                })))
            }
            refused => {
                tracing::debug!(flow_run = %run.id, reason = refused.reason(), "a run is not taken");
                Ok(None)
            }
        }
    }

    async fn run(&self, run: FlowRun, claimed_at: DateTime<Utc>, output: &JobOutput) -> Result<()> {
        let client = &self.client;
        let (id, name) = (run.id, self.name.as_str());
        output.say(INFO, format!("Worker '{name}' submitting flow run '{id}'"));
        let deployment = match *run.deployment_id {
            None => None,
            Some(deployment) => {
                let found = persist(client, || client.deployments().get_opt(deployment)).await?;
                if found.is_none() {
                    let message =
                        format!("Deployment {deployment} no longer exists, cancelled run.");
                    return force(client, id, StateCreate::cancelled().message(message)).await;
                }
                found
            }
        };
        let flow = persist(client, || client.flows().get(run.flow_id)).await?;
        let pool = self.pool.borrow().clone();
        let facts = RunFacts {
            run: &run,
            flow: &flow,
            deployment: deployment.as_ref(),
            pool: &pool,
            worker: name,
        };
        let submitted = self.events.submitted(&facts);
        let prepared = {
            let prepared = pin!(self.prepare(&facts, output));
            match select(prepared, pin!(self.stopped(id))).await {
                Either::Left((prepared, _)) => prepared,
                Either::Right((stop, _)) => {
                    return self.report(id, claimed_at, Some(stop), None, output).await;
                }
            }
        };
        let job = match prepared {
            Ok(job) => job,
            Err(error) => return self.not_started(id, output, &*error).await,
        };
        events::emit(client, submitted.clone()).await;
        self.label(&facts).await;
        // Servers before 3.6.22 refuse it; then the run has been claimed all the same, unless it is not PENDING any more.
        let submitting = StateCreate::pending().name("Submitting");
        if !propose(client, id, submitting).await?.is_accepted() {
            let now = persist(client, || client.flow_runs().get(id)).await?;
            match now.state_type.as_ref() {
                Some(StateType::Pending) => {}
                Some(StateType::Cancelling) => return self.cancel(id, CANCELLED).await,
                _ => return Ok(()),
            }
        }
        let infrastructure = match self.infrastructure.start(&job).await {
            Ok(infrastructure) => infrastructure,
            Err(error) => return self.not_started(id, output, &*error).await,
        };
        self.counters.count(|stats| &mut stats.started);
        let run_name = run.name.as_deref().unwrap_or_default();
        output.say(
            INFO,
            format!("Flow run '{run_name}' submitted to infrastructure"),
        );
        let pid = FlowRunUpdate::new().infrastructure_pid(infrastructure.as_str());
        if let Err(error) = client.flow_runs().update(id, &pid).await {
            tracing::warn!(flow_run = %id, %error, "a run does not show its infrastructure");
        }
        self.attend(&facts, &infrastructure, claimed_at, output, &submitted)
            .await
    }

    /// Everything that the infrastructure must know.
    async fn prepare(
        &self,
        facts: &RunFacts<'_>,
        output: &JobOutput,
    ) -> std::result::Result<Job, BoxError> {
        let template = self.infrastructure.base_job_template();
        let rendered = loop {
            let error = match configuration::render(&self.client, facts, &template).await {
                Ok(rendered) => break rendered,
                Err(error) => error,
            };
            match error.downcast_ref::<Error>() {
                Some(call) if !call.is_permanent() && !call.is_invalid_request() => {
                    self.client.channel().clock().sleep(PREPARE_DELAY).await;
                }
                _ => return Err(error),
            }
        };
        let environment = rendered
            .values
            .get("env")
            .unwrap_or(&serde_json::Value::Null);
        Ok(Job {
            run: facts.run.clone(),
            flow_name: facts.flow.name.clone(),
            name: rendered.name,
            environment: facts.environment(self.connection(), environment),
            labels: facts.labels(),
            output: output.clone(),
            configuration: rendered.values,
        })
    }

    /// Labels the run with the worker and the pool.
    async fn label(&self, facts: &RunFacts<'_>) {
        let labels: BTreeMap<_, _> = [
            ("prefect.worker.name", self.name.clone()),
            (
                "prefect.worker.type",
                self.infrastructure.pool_type().to_owned(),
            ),
            ("prefect.work-pool.name", facts.pool.name.clone()),
            ("prefect.work-pool.id", facts.pool.id.to_string()),
        ]
        .into();
        let labelled = match Json::new(&labels) {
            Ok(labels) => {
                self.client
                    .flow_runs()
                    .set_labels(facts.run.id, &labels)
                    .await
            }
            Err(error) => Err(Error::invalid_request(error.to_string())),
        };
        if let Err(error) = labelled {
            tracing::warn!(flow_run = %facts.run.id, %error, "a run has no labels of its worker");
        }
    }

    /// Waits for the end of the infrastructure, or ends it, and reports what became of the run.
    async fn attend(
        &self,
        facts: &RunFacts<'_>,
        id: &str,
        claimed_at: DateTime<Utc>,
        output: &JobOutput,
        submitted: &Event,
    ) -> Result<()> {
        let run = facts.run.id;
        let (mut stop, mut exit) = (None, None);
        {
            let ended = pin!(self.infrastructure.wait(id));
            match select(ended, pin!(self.stopped(run))).await {
                Either::Left((ended, _)) => exit = Some(ended),
                Either::Right((reason, _)) => stop = Some(reason),
            }
        }
        if let Some(reason) = stop {
            tracing::info!(flow_run = %run, infrastructure = id, ?reason, "a run is ended");
            if let Err(error) = self.infrastructure.kill(id, self.options.grace).await {
                output.say(
                    ERROR,
                    format!("The infrastructure could not be ended: {error}"),
                );
            }
        }
        let exit = match exit {
            Some(exit) => exit,
            None => self.infrastructure.wait(id).await,
        };
        let exit = match exit {
            Ok(exit) => exit,
            Err(error) => {
                output.say(
                    ERROR,
                    format!("What became of the infrastructure is not known: {error}"),
                );
                return Ok(());
            }
        };
        self.report(run, claimed_at, stop, Some(exit), output)
            .await?;
        let executed = self.events.executed(facts, id, exit, submitted);
        events::emit(&self.client, executed).await;
        Ok(())
    }

    /// Resolves when the run is to be ended.
    async fn stopped(&self, run: Uuid) -> Stop {
        let mut orders: watch::Receiver<Order> = self.orders.clone();
        let ordered = pin!(async move {
            let order = orders.wait_for(|order| *order != Order::GoOn).await;
            match order.map(|order| *order) {
                Ok(order) => Stop::Order(order),
                Err(_) => std::future::pending().await,
            }
        });
        match select(ordered, pin!(self.cancelled(run))).await {
            Either::Left((stop, _)) | Either::Right((stop, _)) => stop,
        }
    }

    /// Resolves when others cancel or delete the run.
    async fn cancelled(&self, run: Uuid) -> Stop {
        loop {
            let wait = self.client.flow_runs().wait(run).until(|run| {
                let type_ = run.state_type.as_ref();
                matches!(type_, Some(StateType::Cancelling | StateType::Cancelled))
            });
            match wait.await {
                Ok(_) => return Stop::Cancelled,
                Err(error) if error.is_not_found() => return Stop::Deleted,
                Err(_) => self.client.channel().clock().sleep(PREPARE_DELAY).await,
            }
        }
    }
}

/// Ends a task with the future that has spawned it.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
