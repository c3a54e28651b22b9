//! `Wait`: until a run has come to where it is waited for.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use uuid::Uuid;

use super::is_terminal;
use super::monitor::{Seen, Watching};
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::handles::FlowRuns;
use crate::query::Pending;
use crate::types::{FlowRunResponse, StateType};

type Condition = Arc<dyn Fn(&FlowRunResponse) -> bool + Send + Sync>;

/// Waiting for flow runs; `.await` waits. See [`FlowRuns::wait`].
///
/// The runs that one client waits for are looked at together, by `POST /flow_runs/filter` for up to 200 of
/// them at once: every 10 s while events tell of changes (a WebSocket to `/events/out`, one for all), and
/// at once when they do; every 2 s while they do not, as before a server or proxy without WebSockets, or
/// without the feature `websocket`. So neither an event that is lost nor a restart of the server makes one wait
/// longer than that. It is done on a thread of the client's own, and ends when nobody waits.
///
/// What is looked at is the state at that time: one that a run is in only for a moment may not be seen. So
/// wait for what stays true, as that it has ended or that it has started.
///
/// # Errors
///
/// * [`Timeout`](crate::ErrorKind::Timeout) when the time is over;
/// * [`RunFailed`](crate::ErrorKind::RunFailed) with [`success`](Self::success), for another end;
/// * [`NotFound`](crate::ErrorKind::NotFound) when there is no such run, or no more;
/// * those of any call when the runs cannot be looked at: at once if that does not pass, and
///   else when the server was out of reach for two minutes.
#[must_use = "nothing is waited for unless it is awaited"]
pub struct Wait<T = FlowRunResponse> {
    client: Client,
    runs: Vec<Uuid>,
    condition: Condition,
    timeout: Option<Duration>,
    success: bool,
    finish: Finish<T>,
}

/// Waits for all runs, or for one of them.
type Finish<T> = fn(Vec<Waiting>) -> Pin<Box<dyn Future<Output = Result<T>> + Send>>;

impl FlowRuns<'_> {
    /// Waits for a run until it has ended, or as [`Wait::until`] says.
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
    pub fn wait(self, id: Uuid) -> Wait {
        Wait::new(self.client.clone(), vec![id], |mut waiting| {
            Box::pin(async move {
                match waiting.pop() {
                    Some(mut only) => only.met().await,
                    None => std::future::pending().await,
                }
            })
        })
    }

    /// Waits for all of these runs; what they have come to is in the same order. The first error ends it.
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
        Wait::new(
            self.client.clone(),
            ids.into_iter().collect(),
            |mut waiting| {
                Box::pin(async move {
                    let mut all: Vec<_> =
                        waiting.iter_mut().map(|one| Box::pin(one.met())).collect();
                    let mut met: Vec<_> = all.iter().map(|_| None).collect();
                    poll_fn(|context| {
                        for (one, met) in all.iter_mut().zip(&mut met) {
                            if met.is_none()
                                && let Poll::Ready(run) = one.as_mut().poll(context)
                            {
                                *met = Some(run?);
                            }
                        }
                        match met.iter().all(Option::is_some) {
                            true => Poll::Ready(Ok(met.drain(..).flatten().collect())),
                            false => Poll::Pending,
                        }
                    })
                    .await
                })
            },
        )
    }

    /// Waits for the first of these runs; [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for none.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, ids: Vec<uuid::Uuid>) -> prefect_sdk::Result<()> {
    /// let first = client.flow_runs().wait_any(ids).await?;
    /// println!("{} is the first that has ended", first.id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_any(self, ids: impl IntoIterator<Item = Uuid>) -> Wait {
        Wait::new(
            self.client.clone(),
            ids.into_iter().collect(),
            |mut waiting| {
                Box::pin(async move {
                    if waiting.is_empty() {
                        return Err(Error::invalid_request("there is no run to wait for"));
                    }
                    let mut all: Vec<_> =
                        waiting.iter_mut().map(|one| Box::pin(one.met())).collect();
                    poll_fn(|context| {
                        let mut polled = all.iter_mut().map(|one| one.as_mut().poll(context));
                        polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
                    })
                    .await
                })
            },
        )
    }
}

impl<T: Send + 'static> Wait<T> {
    fn new(client: Client, runs: Vec<Uuid>, finish: Finish<T>) -> Self {
        Self {
            client,
            runs,
            condition: Arc::new(is_terminal),
            timeout: None,
            success: false,
            finish,
        }
    }

    /// What to wait for, as a function of the run. Default: [`is_terminal`].
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
        self
    }

    /// How long to wait. Default: for ever. With 0 s nothing is looked at.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// An end in another state than COMPLETED is an error, of the kind
    /// [`RunFailed`](crate::ErrorKind::RunFailed).
    pub fn success(mut self) -> Self {
        self.success = true;
        self
    }

    async fn run(self) -> Result<T> {
        let late = |waited: Duration| {
            let what = match self.runs.as_slice() {
                [run] => format!("the flow run {run} was waited for {waited:?} in vain"),
                runs => format!(
                    "{} flow runs were waited for {waited:?} in vain",
                    runs.len()
                ),
            };
            Error::new(ErrorKind::Timeout, what).judged(false, true)
        };
        let monitor = self.client.monitor()?;
        let waiting = self.runs.iter().map(|run| Waiting {
            watching: monitor.watch(*run),
            condition: self.condition.clone(),
            success: self.success,
        });
        match self.timeout {
            Some(Duration::ZERO) => Err(late(Duration::ZERO)),
            None => (self.finish)(waiting.collect()).await,
            Some(timeout) => {
                let finish = (self.finish)(waiting.collect());
                let finished = tokio::time::timeout(timeout, finish).await;
                finished.unwrap_or_else(|_| Err(late(timeout)))
            }
        }
    }
}

/// One run that is waited for.
struct Waiting {
    watching: Watching,
    condition: Condition,
    success: bool,
}

impl Waiting {
    async fn met(&mut self) -> Result<FlowRunResponse> {
        loop {
            // What is there already was seen for another, before this was waited for.
            if self.watching.seen.changed().await.is_err() {
                let what = "the client's thread no longer looks at runs: a hook has panicked";
                return Err(Error::new(ErrorKind::Connection, what));
            }
            let seen = self.watching.seen.borrow_and_update().clone();
            match seen {
                Seen::Run(run) => {
                    if self.success && is_terminal(&run) {
                        succeeded(&run)?;
                    }
                    if (self.condition)(&run) {
                        return Ok(Arc::unwrap_or_clone(run));
                    }
                }
                Seen::Failed(error) => return Err(error.copy()),
                Seen::Nothing => {}
            }
        }
    }
}

fn succeeded(run: &FlowRunResponse) -> Result<()> {
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
    type IntoFuture = Pending<'static, T>;

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
