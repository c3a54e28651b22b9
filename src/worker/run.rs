//! One run in a worker: it is claimed, its infrastructure is started and awaited, and what became of it is reported.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use chrono::Utc;
use futures_util::future::{Either, select};
use tokio::sync::watch;
use uuid::Uuid;

use super::configuration;
use super::environment::RunFacts;
use super::events;
use super::infrastructure::{Exit, Infrastructure};
use super::job::Job;
use super::output::{JobOutput, OutputShipper};
use super::report::{force, persist, propose};
use super::shared::{Order, Shared};
use crate::error::{Error, Result};
use crate::flow::BoxError;
use crate::flow_runs::{DueRun, ProposalOutcome};
use crate::types::{
    Event, FlowRun, FlowRunUpdate, Json, StateCreate, StateDetails, StateType,
    WorkerFlowRunResponse,
};

/// How long a run that another worker has taken is left alone.
const SET_ASIDE: Duration = Duration::from_secs(30);

/// How long a job whose environment could not be prepared is tried to be prepared again.
const PREPARE_DELAY: Duration = Duration::from_secs(5);

const INFO: i64 = 20;
const ERROR: i64 = 40;

/// Why an infrastructure is to end.
#[derive(Clone, Copy, Debug)]
enum Stop {
    Cancelled,
    Deleted,
    Order(Order),
}

impl<I: Infrastructure> Shared<I> {
    /// Executes a run that is due, if nobody else does.
    pub(super) async fn execute(&self, due: DueRun<WorkerFlowRunResponse>) {
        let run = &due.flow_run;
        let _in_progress = self.counters.begin();
        match self.claim(run).await {
            Ok(true) => {}
            Ok(false) => {
                self.counters.count(|stats| &mut stats.superseded);
                return due.set_aside(SET_ASIDE);
            }
            Err(error) => {
                tracing::warn!(flow_run = %run.id, %error, "a run could not be claimed");
                return;
            }
        }
        let (output, shipper) = JobOutput::new(self.client.clone(), run.id);
        let shipping = tokio::spawn(shipper.ship());
        let abort = AbortOnDrop(shipping.abort_handle());
        if let Err(error) = self.run(run.clone(), &output).await {
            tracing::error!(flow_run = %run.id, %error, "what became of a run could not be reported");
        }
        drop(output);
        OutputShipper::finish(shipping).await;
        drop(abort);
    }

    /// Claims the run; `false` if it is not to be executed here.
    async fn claim(&self, run: &FlowRun) -> Result<bool> {
        let Some(state) = *run.state_id else {
            return Ok(false);
        };
        let claim = self.client.flow_runs().claim(run.id, state).await?;
        if !claim.is_accepted() {
            tracing::debug!(flow_run = %run.id, reason = claim.reason(), "a run is not taken");
        }
        Ok(claim.is_accepted())
    }

    async fn run(&self, run: FlowRun, output: &JobOutput) -> Result<()> {
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
        let job = match self.prepare(&facts, output).await {
            Ok(job) => job,
            Err(error) => return self.not_started(id, output, &*error).await,
        };
        events::emit(client, submitted.clone()).await;
        self.label(&facts).await;
        // Servers before 3.6.22 refuse it; then the run has been claimed all the same.
        let submitting = StateCreate::pending().name("Submitting");
        if let ProposalOutcome::Rejected { state, .. } = propose(client, id, submitting).await?
            && state.is_some_and(|state| state.type_ != StateType::Pending)
        {
            return Ok(());
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
        self.attend(&facts, &infrastructure, output, &submitted)
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

    async fn not_started(
        &self,
        run: Uuid,
        output: &JobOutput,
        error: &(dyn std::error::Error + Send + Sync),
    ) -> Result<()> {
        self.counters.count(|stats| &mut stats.not_started);
        let message = format!("Failed to submit flow run to infrastructure: {error}");
        output.say(ERROR, message.clone());
        let crashed = StateCreate::crashed(message);
        propose(&self.client, run, crashed).await.map(drop)
    }

    /// Waits for the end of the infrastructure, or ends it, and reports what became of the run.
    async fn attend(
        &self,
        facts: &RunFacts<'_>,
        id: &str,
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
        self.report(run, stop, exit, output).await?;
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
                // Older servers name a run so that is to be cancelled.
                let is_named = run.state_name.as_deref() == Some("Cancelling");
                type_ == Some(&StateType::Cancelling) || is_named
            });
            match wait.await {
                Ok(_) => return Stop::Cancelled,
                Err(error) if error.is_not_found() => return Stop::Deleted,
                Err(_) => self.client.channel().clock().sleep(PREPARE_DELAY).await,
            }
        }
    }

    /// Reports what the run has not reported itself.
    async fn report(
        &self,
        id: Uuid,
        stop: Option<Stop>,
        exit: Exit,
        output: &JobOutput,
    ) -> Result<()> {
        let client = &self.client;
        match exit.is_success() {
            true => self.counters.count(|stats| &mut stats.succeeded),
            false => self.counters.count(|stats| &mut stats.failed),
        }
        let Some(run) = persist(client, || client.flow_runs().get_opt(id)).await? else {
            return Ok(());
        };
        let type_ = run.state_type.as_ref();
        let is_cancelling = type_ == Some(&StateType::Cancelling)
            || run.state_name.as_deref() == Some("Cancelling");
        let is_open =
            matches!(type_, Some(StateType::Pending | StateType::Running)) || is_cancelling;
        match stop {
            Some(Stop::Deleted) => Ok(()),
            _ if is_cancelling => {
                self.cancel(id, "Flow run was cancelled successfully.")
                    .await
            }
            Some(Stop::Cancelled) if type_ == Some(&StateType::Crashed) => {
                self.cancel(id, "Flow run was cancelled successfully.")
                    .await
            }
            Some(Stop::Cancelled) => {
                if type_ == Some(&StateType::Cancelled) {
                    self.counters.count(|stats| &mut stats.cancelled);
                }
                Ok(())
            }
            Some(Stop::Order(Order::Cancel)) if is_open || type_ == Some(&StateType::Crashed) => {
                self.cancel(id, "Worker is shutting down.").await
            }
            Some(Stop::Order(Order::Reschedule))
                if is_open || type_ == Some(&StateType::Crashed) =>
            {
                self.counters.count(|stats| &mut stats.rescheduled);
                let at = StateDetails::new().scheduled_time(Utc::now());
                let again = StateCreate::new(StateType::Scheduled)
                    .name("AwaitingRetry")
                    .message("The run was rescheduled because its worker was asked to end.")
                    .state_details(at);
                propose(client, id, again).await.map(drop)
            }
            _ if !is_open => Ok(()),
            _ => {
                let code = exit.status_code();
                let hint = exit.hint().unwrap_or_default();
                let message = match exit.is_success() {
                    true => {
                        "Flow run infrastructure exited without reporting a final state.".to_owned()
                    }
                    false => format!(
                        "Flow run infrastructure exited with non-zero status code {code}. {hint}"
                    ),
                };
                let message = message.trim_end();
                output.say(ERROR, message.to_owned());
                let crashed = StateCreate::crashed(message);
                propose(client, id, crashed).await.map(drop)
            }
        }
    }

    async fn cancel(&self, run: Uuid, message: &str) -> Result<()> {
        self.counters.count(|stats| &mut stats.cancelled);
        let cancelled = StateCreate::cancelled().message(message);
        force(&self.client, run, cancelled).await
    }
}

/// Ends a task with the future that has spawned it.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
