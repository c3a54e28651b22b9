//! `Flow`: a function that runs as a flow run, and its options.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;

use super::run::Run;
use crate::error::{Error, Result};

/// Any error, as the functions of flows and tasks return it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How long a function that watches for its cancellation may take to end. Supervisors kill a process after 30 s.
const DEFAULT_GRACE: Duration = Duration::from_secs(15);

/// The shortest time between heartbeats.
const MIN_HEARTBEAT: Duration = Duration::from_secs(1);

type Body<P, T> =
    dyn Fn(Run, P) -> BoxFuture<'static, std::result::Result<T, BoxError>> + Send + Sync;
type RunName<P> = dyn Fn(&P) -> String + Send + Sync;

/// A function that runs as a flow run: see the [module](crate::flow).
///
/// It is given the [`Run`] and its parameters, which are read by serde before the run becomes RUNNING; what it
/// returns is the result of the run. A flow without parameters takes `()`.
///
/// ```
/// use std::time::Duration;
/// use prefect_sdk::flow::{BoxError, Flow, Run};
///
/// async fn nightly(run: Run, _: ()) -> Result<(), BoxError> {
///     println!("this is attempt {} of {}", run.attempt(), run.name());
///     Ok(())
/// }
///
/// let flow = Flow::new("nightly", nightly)
///     .retries(2)
///     .retry_delay(Duration::from_secs(60))
///     .timeout(Duration::from_secs(3600))
///     .tags(["rust"])
///     .version("1.2.0");
/// assert_eq!(flow.name(), "nightly");
/// ```
pub struct Flow<P = (), T = ()> {
    name: Arc<str>,
    body: Arc<Body<P, T>>,
    run_name: Option<Arc<RunName<P>>>,
    options: FlowOptions,
}

/// The options of a flow.
#[derive(Clone, Debug)]
pub(crate) struct FlowOptions {
    pub retries: Option<u32>,
    pub retry_delay: Option<Duration>,
    pub timeout: Option<Duration>,
    /// `None` for that of the settings; zero for no heartbeats.
    pub heartbeat: Option<Duration>,
    pub grace: Duration,
    pub tags: Vec<String>,
    pub version: Option<String>,
}

impl<P, T> Flow<P, T> {
    /// A flow of this name. Its function returns any error that converts into [`BoxError`], such as
    /// `anyhow::Error` or [`prefect_sdk::Error`](crate::Error).
    pub fn new<F, R, E>(name: impl Into<String>, body: F) -> Self
    where
        F: Fn(Run, P) -> R + Send + Sync + 'static,
        R: Future<Output = std::result::Result<T, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let body = move |run: Run, parameters: P| -> BoxFuture<'static, _> {
            let result = body(run, parameters);
            Box::pin(async move { result.await.map_err(Into::into) })
        };
        Self {
            name: name.into().into(),
            body: Arc::new(body),
            run_name: None,
            options: FlowOptions {
                retries: None,
                retry_delay: None,
                timeout: None,
                heartbeat: None,
                grace: DEFAULT_GRACE,
                tags: Vec::new(),
                version: None,
            },
        }
    }

    /// The name of the flow.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets how often the run is tried again after the function has failed. Default: not at all. A value that the
    /// run was created with takes precedence.
    pub fn retries(mut self, retries: u32) -> Self {
        self.options.retries = Some(retries);
        self
    }

    /// Sets how long to wait before the run is tried again. Default: 0 s. The server knows whole seconds; the rest is
    /// waited for here. A value that the run was created with takes precedence.
    pub fn retry_delay(mut self, delay: Duration) -> Self {
        self.options.retry_delay = Some(delay);
        self
    }

    /// Sets how long one attempt may take: after that the function is dropped, and the run is FAILED, with the name
    /// `TimedOut`. Default: no limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Sets the time between heartbeats, at least 1 s. Default: `PREFECT_FLOWS_HEARTBEAT_FREQUENCY`, or 180 s.
    /// Heartbeats are events; an automation such as
    /// [`Automation::crash_zombie_runs`](crate::automations::Automation::crash_zombie_runs) notices their absence.
    pub fn heartbeat(mut self, every: Duration) -> Self {
        self.options.heartbeat = Some(every);
        self
    }

    /// Sends no heartbeats.
    pub fn without_heartbeat(mut self) -> Self {
        self.options.heartbeat = Some(Duration::ZERO);
        self
    }

    /// Sets how long the function may take to end after it was told to: if it watches for that, by
    /// [`Run::cancelled`] or [`Run::is_cancelled`]; otherwise it is dropped at once. Default: 15 s, because
    /// Prefect's workers and Kubernetes kill a process 30 s after they have asked it to end.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.options.grace = grace;
        self
    }

    /// Sets the name of each run, as a function of its parameters. Default: two words that the server chooses.
    pub fn run_name(mut self, name: impl Fn(&P) -> String + Send + Sync + 'static) -> Self {
        self.run_name = Some(Arc::new(name));
        self
    }

    /// Sets the tags of new runs.
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.options.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the version of the flow that its runs show.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.options.version = Some(version.into());
        self
    }

    /// Calls the function.
    pub(super) fn call(
        &self,
        run: Run,
        parameters: P,
    ) -> BoxFuture<'static, std::result::Result<T, BoxError>> {
        (self.body)(run, parameters)
    }

    /// The name of a run with these parameters, if the flow sets it.
    pub(super) fn name_of(&self, parameters: &P) -> Option<String> {
        self.run_name.as_ref().map(|name| name(parameters))
    }

    /// The version that its runs show.
    pub(crate) fn version_name(&self) -> Option<&str> {
        self.options.version.as_deref()
    }

    pub(crate) fn options(&self) -> &FlowOptions {
        &self.options
    }
}

impl FlowOptions {
    /// Refuses what cannot be meant.
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        let refused = |what: String| Err(Error::invalid_request(what));
        if name.is_empty() {
            return refused("a flow needs a name".to_owned());
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return refused(format!("the flow {name:?} cannot end in a timeout of 0 s"));
        }
        match self.heartbeat {
            Some(every) if !every.is_zero() && every < MIN_HEARTBEAT => refused(format!(
                "the flow {name:?} cannot have a heartbeat every {every:?}: at least 1 s"
            )),
            _ => Ok(()),
        }
    }
}

impl<P, T> Clone for Flow<P, T> {
    fn clone(&self) -> Self {
        Self {
            name: Arc::clone(&self.name),
            body: Arc::clone(&self.body),
            run_name: self.run_name.clone(),
            options: self.options.clone(),
        }
    }
}

impl<P, T> fmt::Debug for Flow<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow")
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
