//! `Wait`: waits until runs meet a condition.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::future::select_all;
use futures_util::stream::{FuturesUnordered, TryStreamExt as _};
use uuid::Uuid;

use super::generated::FlowRuns;
use super::is_terminal::is_terminal;
use super::poll_plan::Interest;
use super::run_poller::RunPoller;
use super::run_subscription::{RunSubscription, Snapshot};
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{FlowRunResponse, StateType};

type Condition = Arc<dyn Fn(&FlowRunResponse) -> bool + Send + Sync>;

/// Waits for flow runs; `.await` starts waiting. See [`FlowRuns::wait`].
///
/// The runs that one client waits for are polled together, by `POST /flow_runs/filter`: every 10 s while events
/// report changes (over a WebSocket to `/events/out`, one for all runs), and at once when they do, only those
/// that have changed; every 2 s while they do not, for example behind a server or proxy without WebSockets, or
/// without the feature `websocket`. So neither a lost event nor a restart of the server delays a wait by more
/// than that. Runs whose end is waited for are read only once they have ended, 1000 in one request; once a
/// minute they are read in any case, so that one that was deleted is noticed. There are about five requests a
/// second at most, so with more than 10,000 runs the intervals are longer. Polling is done on the client's own thread,
/// and ends when nothing is waited for.
///
/// Only states visible at a poll are seen: a state that a run is in for a moment may be missed. So wait for
/// conditions that stay true, such as "has ended" or "has started".
///
/// # Errors
///
/// * [`Timeout`](crate::ErrorKind::Timeout) when the [`timeout`](Self::timeout) expires;
/// * [`RunFailed`](crate::ErrorKind::RunFailed), with [`success`](Self::success), when a run ends in another
///   state than COMPLETED;
/// * [`NotFound`](crate::ErrorKind::NotFound) when the run does not exist, or exists no longer;
/// * any [call error](crate::Error#call-errors) when the runs cannot be read: at once if it is permanent,
///   otherwise when the server was out of reach for two minutes. (One that answers 429 is not out of reach: it
///   is asked again when it says, within five minutes.)
#[must_use = "nothing is waited for unless it is awaited"]
pub struct Wait<T = FlowRunResponse> {
    client: Client,
    runs: Vec<Uuid>,
    condition: Condition,
    interest: Interest,
    timeout: Option<Duration>,
    success: bool,
    join: Join<T>,
}

/// How the waits for several runs are combined: for all of them, or for the first.
type Join<T> = fn(Vec<PendingRun>) -> BoxFuture<'static, Result<T>>;

impl FlowRuns<'_> {
    /// Waits until a run has ended, or until it meets the condition of [`Wait::until`].
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// use std::time::Duration;
    ///
    /// let run = client.flow_runs().wait(id).timeout(Duration::from_secs(3600)).await?;
    /// println!("it is {:?}", run.state_name);
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn wait(self, id: Uuid) -> Wait {
        Wait::new(self.client.clone(), vec![id], |mut waiting| {
            Box::pin(async move {
                match waiting.pop() {
                    Some(only) => only.reached().await,
                    None => std::future::pending().await,
                }
            })
        })
    }

    /// Waits for all of these runs, and returns them in the same order. The first error ends the wait.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, ids: Vec<uuid::Uuid>) -> prefect_sdk::Result<()> {
    /// for run in client.flow_runs().wait_all(ids).await? {
    ///     println!("{} is {:?}", run.id, run.state_name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_all(self, ids: impl IntoIterator<Item = Uuid>) -> Wait<Vec<FlowRunResponse>> {
        Wait::new(self.client.clone(), ids.into_iter().collect(), |pending| {
            Box::pin(async move {
                // Not `try_join_all`, which of more than 30 reports an error only in its turn. A run that has
                // met the condition is no longer polled.
                let pending = pending.into_iter().enumerate();
                let pending =
                    pending.map(|(at, run)| async move { Ok((at, run.reached().await?)) });
                let pending: FuturesUnordered<_> = pending.collect();
                let mut reached: Vec<_> = pending.try_collect().await?;
                reached.sort_unstable_by_key(|(at, _)| *at);
                Ok(reached.into_iter().map(|(_, run)| run).collect())
            })
        })
    }

    /// Waits for the first of these runs; fails with [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if
    /// there are none.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, ids: Vec<uuid::Uuid>) -> prefect_sdk::Result<()> {
    /// let first = client.flow_runs().wait_any(ids).await?;
    /// println!("{} is the first that has ended", first.id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_any(self, ids: impl IntoIterator<Item = Uuid>) -> Wait {
        Wait::new(self.client.clone(), ids.into_iter().collect(), |pending| {
            Box::pin(async move {
                if pending.is_empty() {
                    return Err(Error::invalid_request("there is no run to wait for"));
                }
                let pending = pending.into_iter().map(|run| Box::pin(run.reached()));
                select_all(pending).await.0
            })
        })
    }
}

impl<T: Send + 'static> Wait<T> {
    fn new(client: Client, runs: Vec<Uuid>, join: Join<T>) -> Self {
        Self {
            client,
            runs,
            condition: Arc::new(is_terminal),
            interest: Interest::End,
            timeout: None,
            success: false,
            join,
        }
    }

    /// Sets the condition to wait for, as a function of the run. Default: [`is_terminal`].
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let started = client.flow_runs().wait(id).until(|run| run.start_time.is_some()).await?;
    /// println!("{:?}", started.start_time);
    /// # Ok(())
    /// # }
    /// ```
    pub fn until(
        mut self,
        condition: impl Fn(&FlowRunResponse) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.condition = Arc::new(condition);
        self.interest = Interest::EveryState;
        self
    }

    /// Sets how long to wait. Default: no limit. With 0 s no run is polled.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Fails with [`RunFailed`](crate::ErrorKind::RunFailed) when a run ends in another state than COMPLETED.
    pub fn success(mut self) -> Self {
        self.success = true;
        self
    }

    async fn run(self) -> Result<T> {
        let timed_out = |waited: Duration| {
            let what = match self.runs.as_slice() {
                [run] => format!("the wait for the flow run {run} timed out after {waited:?}"),
                runs => format!(
                    "the wait for {} flow runs timed out after {waited:?}",
                    runs.len()
                ),
            };
            Error::new(ErrorKind::Timeout, what).with_outcome(false, true)
        };
        let poller = self.client.service::<RunPoller>()?;
        let waiting = self.runs.iter().map(|run| PendingRun {
            subscription: poller.subscribe(*run, self.interest),
            condition: self.condition.clone(),
            success: self.success,
        });
        match self.timeout {
            Some(Duration::ZERO) => Err(timed_out(Duration::ZERO)),
            None => (self.join)(waiting.collect()).await,
            Some(timeout) => {
                let join = (self.join)(waiting.collect());
                let finished = tokio::time::timeout(timeout, join).await;
                finished.unwrap_or_else(|_| Err(timed_out(timeout)))
            }
        }
    }
}

/// One run that is waited for.
struct PendingRun {
    subscription: RunSubscription,
    condition: Condition,
    success: bool,
}

impl PendingRun {
    async fn reached(mut self) -> Result<FlowRunResponse> {
        loop {
            match self.subscription.next().await {
                None => return Err(Error::hook_panicked("flow runs are no longer polled")),
                Some(Snapshot::Run(run)) => {
                    if self.success && is_terminal(&run) {
                        require_success(&run)?;
                    }
                    if (self.condition)(&run) {
                        return Ok(Arc::unwrap_or_clone(run));
                    }
                }
                Some(Snapshot::Failed(error)) => return Err(error.copy()),
                Some(Snapshot::Nothing) => {}
            }
        }
    }
}

fn require_success(run: &FlowRunResponse) -> Result<()> {
    if run.state_type.as_ref() == Some(&StateType::Completed) {
        return Ok(());
    }
    let name = run.state_name.as_deref().unwrap_or("in no state");
    let mut what = format!("the flow run {} is {name}", run.id);
    let state = run.state.as_ref();
    if let Some(message) = state.and_then(|state| state.message.as_deref()) {
        what += &format!(": {message}");
    }
    Err(Error::new(ErrorKind::RunFailed, what))
}

impl<T: Send + 'static> IntoFuture for Wait<T> {
    type Output = Result<T>;
    type IntoFuture = BoxFuture<'static, Result<T>>;

    #[inline]
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<T> fmt::Debug for Wait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("runs", &self.runs)
            .field("timeout", &self.timeout)
            .field("success", &self.success)
            .finish_non_exhaustive()
    }
}
