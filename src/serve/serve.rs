//! `Serve`: the options of a process that serves deployments.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::deployment::{FlowDeployment, Served};
use super::options::ServeOptions;
use super::server::Server;
use super::shutdown::Shutdown;
use super::stats::ServeStats;
use crate::client::Client;
use crate::error::{Error, Result};

/// How many deployments are made at once.
const MAX_ENSURED_AT_ONCE: usize = 4;

/// Serves flows of this process as deployments: see [`Client::serve`].
#[must_use = "nothing is served unless it is run"]
pub struct Serve {
    client: Client,
    served: Vec<Box<dyn Served>>,
    options: ServeOptions,
}

impl Client {
    /// Serves flows of this process as deployments, until SIGTERM or Ctrl-C: see the [module](crate::serve).
    ///
    /// 1. Each deployment is created, changed where it differs, or left alone
    ///    ([`ensure`](crate::deployments::Deployments::ensure)). If it had a work pool, it has none any more.
    /// 2. Runs are found as they become due ([`due_runs`](crate::deployments::Deployments::due_runs)), by an event for those
    ///    that were started from the UI or the API, and otherwise by a poll every 10 s that looks 15 s ahead.
    /// 3. Each run that there is a slot for is claimed by `POST /flow_runs/{id}/set_state` (PENDING), and
    ///    [attempted](Client::attempt) in a task of its own. Several processes may serve the same deployments: one of them gets
    ///    the run. A run that finds the limit of its deployment reached is left to be taken later.
    /// 4. At SIGTERM, Ctrl-C or [`stop`](crate::serve::ServerHandle::stop) no more runs are taken, and those in progress end as
    ///    [`on_shutdown`](Serve::on_shutdown) says. The next signal ends a drain at once, and the one after it the grace of
    ///    functions.
    ///
    /// An outage of the server, however long, ends nothing: runs that have begun go on, ends are reported for ten minutes,
    /// and polls are repeated until there is an answer. A function that panics, or ignores that it was cancelled, fails or
    /// loses its own run; but one that blocks a thread of the runtime for ever keeps that thread: use
    /// `tokio::task::spawn_blocking` for code that blocks.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use std::time::Duration;
    /// use prefect_sdk::flow::{BoxError, Flow, Run};
    /// use prefect_sdk::serve::Shutdown;
    ///
    /// let flow = Flow::new("greet", |_: Run, _: ()| async { Ok::<_, BoxError>("Hello") });
    /// let served = client.serve().add(flow.deployment("by-hand")).limit(8);
    /// let stats = served.on_shutdown(Shutdown::Drain(Duration::from_secs(300))).run().await?;
    /// println!("{} runs are completed", stats.completed);
    /// # Ok(())
    /// # }
    /// ```
    pub fn serve(&self) -> Serve {
        Serve {
            client: self.clone(),
            served: Vec::new(),
            options: ServeOptions::default(),
        }
    }
}

impl Serve {
    /// Adds a deployment.
    #[allow(clippy::should_implement_trait, reason = "nobody adds deployments up")]
    pub fn add<P, T>(mut self, deployment: FlowDeployment<P, T>) -> Self
    where
        P: DeserializeOwned + Send + 'static,
        T: Serialize + Send + 'static,
    {
        self.served.push(Box::new(deployment));
        self
    }

    /// Sets how many runs may be in progress at once in this process. Default: 5. A run has its slot also while it waits for
    /// a retry; it gives it back on every way to end.
    pub fn limit(mut self, runs: u32) -> Self {
        self.options.limit = runs;
        self
    }

    /// Sets what becomes of the runs in progress at the end. Default: they have 15 s to end, and are rescheduled after that.
    pub fn on_shutdown(mut self, shutdown: Shutdown) -> Self {
        self.options.shutdown = shutdown;
        self
    }

    /// Pauses the deployments at the end, so that their schedules make no runs that would pile up, and resumes them at the
    /// start. Do not use it where several processes serve the same deployments. Default: they are left as they are.
    pub fn pause_on_shutdown(mut self) -> Self {
        self.options.pauses = true;
        self
    }

    /// Leaves SIGTERM and Ctrl-C alone: [`ServerHandle::stop`](super::ServerHandle::stop) ends the server.
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

    /// Makes the deployments, and serves them until the process is asked to end. Returns what was done.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), before anything is sent, when there is no deployment, one is
    /// added twice, or an option cannot be meant; otherwise any [call error](crate::Error#call-errors) before the first run.
    pub async fn run(self) -> Result<ServeStats> {
        self.start().await?.run().await
    }

    /// Makes the deployments, and returns a server that serves them when it is run.
    ///
    /// # Errors
    ///
    /// Those of [`run`](Self::run).
    pub async fn start(mut self) -> Result<Server> {
        self.check()?;
        if self.options.pauses {
            self.served.iter_mut().for_each(|served| served.resume());
        }
        let served = std::mem::take(&mut self.served);
        let client = &self.client;
        let ensured = stream::iter(served).map(|served| async move {
            let id = served.ensure(client).await?;
            Ok::<_, Error>((id, served))
        });
        let served = ensured.buffered(MAX_ENSURED_AT_ONCE).try_collect().await?;
        Ok(Server::new(
            self.client.clone(),
            self.options.clone(),
            served,
        ))
    }

    fn check(&self) -> Result<()> {
        if self.served.is_empty() {
            return Err(Error::invalid_request("there is no deployment to serve"));
        }
        if self.options.limit == 0 {
            let what = "a server with a limit of 0 runs would never run one";
            return Err(Error::invalid_request(what));
        }
        let mut names = HashSet::new();
        for served in &self.served {
            served.check()?;
            let (flow, deployment) = served.names();
            if !names.insert((flow, deployment)) {
                let what = format!("the deployment {flow}/{deployment} is added twice");
                return Err(Error::invalid_request(what));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Serve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.served.iter().map(|served| served.names());
        f.debug_struct("Serve")
            .field("deployments", &names.collect::<Vec<_>>())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
