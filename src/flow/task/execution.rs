//! `Execution`: one task run, from PENDING to its end.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::{Either, select};
use tracing::{Instrument as _, Span};

use super::error::TaskError;
use super::options::TaskOptions;
use super::output::{Output, OutputOf};
use super::record::{TaskIdentity, TaskRecord, TaskState};
use super::reporter::Reporter;
use super::task::Task;
use crate::flow::body::{catch_panic, log_scope};
use crate::flow::flow::BoxError;
use crate::flow::run::Run;
use crate::flow::states::{chain, cut};
use crate::flow::stop::StopReason;
use crate::resources::concurrency::SlotGuard;
use crate::types::StateType;

/// A task run; dropped before its end, it is reported as cancelled or crashed.
pub(super) struct Execution {
    run: Run,
    record: TaskRecord,
    reporter: Option<Arc<Reporter>>,
    timeout: Option<Duration>,
    failures: u32,
    /// Held while the task runs.
    slots: Option<SlotGuard>,
    span: Span,
    /// Whether the server has been told that there is a task run, and not that it has ended.
    is_open: bool,
}

impl Execution {
    pub(super) fn new(task: TaskOptions) -> Self {
        let mut identity = TaskIdentity::new(task.name);
        identity.tags = task.tags;
        identity.inputs = task.inputs;
        identity.version = task.version;
        identity.retries = task.retries;
        identity.retry_delay = task.retry_delay;
        let record = TaskRecord::new(Arc::clone(task.run.context()), identity);
        // Its level is that of errors so that no filter of levels turns it off.
        let span = tracing::error_span!(
            target: "prefect_sdk::run",
            parent: task.run.span(),
            "task_run",
            flow_run_id = %task.run.id(),
            task_run_id = %record.identity().id,
            name = %record.identity().name,
        );
        Self {
            run: task.run,
            record,
            reporter: None,
            timeout: task.timeout,
            failures: 0,
            slots: None,
            span,
            is_open: false,
        }
    }

    /// Reports the task run, once there is room for it, and takes the slots of its tags.
    pub(super) async fn begin(&mut self) -> Result<(), TaskError> {
        let reporter: Arc<Reporter> = match self.run.client().service() {
            Ok(reporter) => reporter,
            Err(error) => return Err(self.error(error)),
        };
        reporter.room().await;
        self.reporter = Some(reporter);
        self.enter(TaskState::new(StateType::Pending, "Pending"));
        self.is_open = true;
        let task = self.record.identity();
        if task.tags.is_empty() {
            return Ok(());
        }
        let limits = self.run.client().concurrency_limits();
        let slots = limits.for_task_run(task.id, &task.tags);
        match slots.acquire().await {
            Ok(slots) => self.slots = Some(slots),
            Err(error) if error.is_unsupported() => {
                tracing::warn!(%error, "this server has no limits for tasks that report themselves");
            }
            Err(error) => {
                let message = format!("There is no slot for the task's tags: {error}");
                self.end(TaskState::new(StateType::Failed, "Failed").message(cut(message)));
                return Err(self.error(error));
            }
        }
        Ok(())
    }

    /// Begins to try the task, once more.
    pub(super) fn try_once(&mut self) -> Task {
        let name = match self.failures {
            0 => "Running",
            _ => "Retrying",
        };
        self.enter(TaskState::new(StateType::Running, name));
        Task {
            run: self.run.clone(),
            id: self.record.identity().id,
            name: self.record.identity().name.clone(),
            attempt: self.record.run_count(),
            span: self.span.clone(),
        }
    }

    /// Runs the function once.
    pub(super) async fn attempt<T, E: Into<BoxError>>(
        &self,
        body: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure> {
        let ids = (self.run.id(), Some(self.record.identity().id));
        let body = async { body.await.map_err(Into::into) };
        let body = log_scope(ids, catch_panic(body)).instrument(self.span.clone());
        let Some(timeout) = self.timeout else {
            return body.await.map_err(Failure::Error);
        };
        let client = self.run.client();
        match select(pin!(body), client.channel().clock().sleep(timeout)).await {
            Either::Left((result, _)) => result.map_err(Failure::Error),
            Either::Right(_) => Err(Failure::TimedOut(timeout)),
        }
    }

    /// Reports that the task has returned a value.
    pub(super) fn complete<T>(mut self, value: T) -> Output<T> {
        self.end(TaskState::new(StateType::Completed, "Completed"));
        Output::new(value, OutputOf::TaskRun(self.record.identity().id))
    }

    /// Reports a failure, and waits if the task is to be tried again.
    pub(super) async fn fail(&mut self, failure: Failure) -> Result<(), TaskError> {
        self.failures += 1;
        let (name, message) = (failure.name(), cut(failure.message()));
        let (retries, retry_delay) = {
            let task = self.record.identity();
            (task.retries, task.retry_delay)
        };
        if self.failures > retries {
            self.span
                .in_scope(|| tracing::error!(target: "prefect_sdk::run", "{message}"));
            self.end(TaskState::new(StateType::Failed, name).message(message));
            return Err(self.error(failure.into_error()));
        }
        let left = retries - self.failures;
        self.span.in_scope(|| {
            tracing::warn!(target: "prefect_sdk::run", retries_left = left, "{message}; it is tried again");
        });
        if !retry_delay.is_zero() {
            let mut state = TaskState::new(StateType::Scheduled, "AwaitingRetry").message(message);
            let delay = chrono::Duration::from_std(retry_delay).ok();
            state.scheduled = delay.and_then(|delay| self.time_of_day().checked_add_signed(delay));
            self.enter(state);
            let client = self.run.client();
            client.channel().clock().sleep(retry_delay).await;
        }
        Ok(())
    }

    fn time_of_day(&self) -> DateTime<Utc> {
        self.run.client().channel().clock().time_of_day()
    }

    fn enter(&mut self, state: TaskState) {
        let report = self.record.enter(state, self.time_of_day());
        if let Some(reporter) = &self.reporter {
            reporter.report(report);
        }
    }

    fn end(&mut self, state: TaskState) {
        self.enter(state);
        self.is_open = false;
        self.slots = None;
    }

    fn error(&self, error: impl Into<BoxError>) -> TaskError {
        let task = self.record.identity();
        TaskError::new(&task.key, task.id, error.into())
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        self.end(match self.run.stop().reason() {
            Some(StopReason::Cancelled) => TaskState::new(StateType::Cancelled, "Cancelled")
                .message("The flow run was cancelled."),
            reason => {
                let why =
                    reason.map_or_else(|| "its future was dropped".to_owned(), |it| it.to_string());
                let message = cut(format!("Task run was aborted: {why}."));
                TaskState::new(StateType::Crashed, "Crashed").message(message)
            }
        });
    }
}

/// Why a task has not returned a value.
pub(super) enum Failure {
    Error(BoxError),
    TimedOut(Duration),
}

impl Failure {
    fn name(&self) -> &'static str {
        match self {
            Self::Error(_) => "Failed",
            Self::TimedOut(_) => "TimedOut",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Error(error) => {
                format!("Task run encountered an exception {}", chain(&**error))
            }
            Self::TimedOut(timeout) => {
                let seconds = timeout.as_secs_f64();
                format!("Task run exceeded timeout of {seconds:?} second(s)")
            }
        }
    }

    fn into_error(self) -> BoxError {
        match self {
            Self::Error(error) => error,
            timed_out @ Self::TimedOut(_) => timed_out.message().into(),
        }
    }
}
