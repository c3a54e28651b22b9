//! `Worker`: a worker before it runs.

use std::fmt;
use std::time::Duration;

use super::infrastructure::Infrastructure;
use super::options::WorkerOptions;
use super::stats::WorkerStats;
use super::worker::RunningWorker;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::serve::Shutdown;

/// A worker that takes the runs of a work pool: see [`Client::worker`].
#[must_use = "a worker does nothing unless it is run"]
pub struct Worker<I> {
    client: Client,
    infrastructure: I,
    pool: String,
    options: WorkerOptions,
}

impl Client {
    /// A worker that takes the runs of a work pool, and has the infrastructure execute them, until SIGTERM or Ctrl-C: see the
    /// [module](crate::worker).
    ///
    /// 1. The pool is read, or created: `GET /work_pools/{name}`, `POST /work_pools/`. One without a base job template is given
    ///    that of the infrastructure (`PATCH`). Every 30 s the worker says that it lives:
    ///    `POST /work_pools/{name}/workers/heartbeat`.
    /// 2. Runs are found as they become due ([`due_runs`](crate::work_pools::WorkPools::due_runs)), and each that there is a slot
    ///    for is [claimed](crate::flow_runs::FlowRuns::claim). Its deployment and flow are read, its job configuration is rendered, with
    ///    blocks and variables, and it becomes `Submitting`, which servers before 3.6.22 refuse.
    /// 3. Its infrastructure is started and awaited. If it cannot be started, or ends with another code than 0, or without the
    ///    run having ended, the run becomes CRASHED; the run's own report takes precedence.
    /// 4. If the run is cancelled, the infrastructure is killed, and the run becomes CANCELLED.
    /// 5. At SIGTERM, Ctrl-C or [`stop`](super::WorkerHandle::stop) no more runs are taken, and those in progress end as
    ///    [`on_shutdown`](Worker::on_shutdown) says.
    ///
    /// Events report that the worker has started and stopped, and which runs it has submitted and executed.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::worker::ProcessInfrastructure;
    ///
    /// let worker = client.worker("rust-pool", ProcessInfrastructure::new()).create_pool();
    /// let stats = worker.queues(["default"]).limit(4).run().await?;
    /// println!("{} runs were started", stats.started);
    /// # Ok(())
    /// # }
    /// ```
    pub fn worker<I: Infrastructure>(
        &self,
        pool: impl Into<String>,
        infrastructure: I,
    ) -> Worker<I> {
        Worker {
            client: self.clone(),
            infrastructure,
            pool: pool.into(),
            options: WorkerOptions::default(),
        }
    }
}

impl<I: Infrastructure> Worker<I> {
    /// Sets the name of the worker, which the pool shows. Default: the type of the pool and eight random digits.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// Creates the pool if there is none.
    pub fn create_pool(mut self) -> Self {
        self.options.creates_pool = true;
        self
    }

    /// Takes only the runs of these queues. Default: those of all queues of the pool.
    pub fn queues(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.options.queues = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets how many runs may be in progress at once. Default: no limit but those of the pool and its queues.
    pub fn limit(mut self, runs: u32) -> Self {
        self.options.limit = Some(runs);
        self
    }

    /// Sets what becomes of the runs in progress at the end. Default: they have 15 s to end, and are rescheduled after that.
    pub fn on_shutdown(mut self, shutdown: Shutdown) -> Self {
        self.options.shutdown = shutdown;
        self
    }

    /// Sets how long an infrastructure may take to end after it was asked to. Default: 30 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.options.grace = grace;
        self
    }

    /// Sets a variable of the environment of all jobs, such as `PREFECT_API_KEY`, if they cannot get it elsewhere.
    /// `PREFECT_API_URL` is that of this client unless it is set. Job variables take precedence.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.variables.insert(name.into(), value.into());
        self
    }

    /// Leaves SIGTERM and Ctrl-C alone: [`WorkerHandle::stop`](super::WorkerHandle::stop) ends the worker.
    pub fn without_signals(mut self) -> Self {
        self.options.catches_signals = false;
        self
    }

    /// Sets the time between polls, at least 50 ms. Default: 10 s.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.options.interval = Some(interval);
        self
    }

    /// Sets how far ahead polls look. Default: 15 s.
    pub fn prefetch(mut self, prefetch: Duration) -> Self {
        self.options.prefetch = Some(prefetch);
        self
    }

    /// Takes runs until the process is asked to end. Returns what was done.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), before anything is sent, for a limit of 0 or a name with a `/` or
    /// `%`; [`NotFound`](crate::ErrorKind::NotFound) when there is no such pool or queue; or any
    /// [call error](crate::Error#call-errors) before the first run.
    pub async fn run(self) -> Result<WorkerStats> {
        self.start().await?.run().await
    }

    /// Reads or creates the pool, and returns a worker that takes its runs when it is run.
    ///
    /// # Errors
    ///
    /// Those of [`run`](Self::run).
    pub async fn start(self) -> Result<RunningWorker<I>> {
        if self.options.limit == Some(0) {
            let what = "a worker with a limit of 0 runs would never take one";
            return Err(Error::invalid_request(what));
        }
        let name = self.options.name.clone().unwrap_or_else(|| {
            let digits = fastrand::u32(10_000_000..100_000_000);
            format!("{}-{digits}", self.infrastructure.pool_type())
        });
        if name.is_empty() || name.contains(['/', '%']) {
            let what = format!("{name:?} cannot be the name of a worker");
            return Err(Error::invalid_request(what));
        }
        RunningWorker::start(
            self.client,
            self.infrastructure,
            &self.pool,
            name,
            self.options,
        )
        .await
    }
}

impl<I> fmt::Debug for Worker<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("pool", &self.pool)
            .field("name", &self.options.name)
            .field("limit", &self.options.limit)
            .field("shutdown", &self.options.shutdown)
            .finish_non_exhaustive()
    }
}
