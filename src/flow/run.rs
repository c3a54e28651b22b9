//! `Run`: the flow run that a function is, as the function sees it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio::sync::{mpsc, watch};
use tracing::Span;
use uuid::Uuid;

use super::context::RunContext;
use super::stop::{Stop, StopReason, StopSignal};
use crate::client::{Background, Client};
use crate::error::Result;
use crate::resources::artifacts::Artifact;
use crate::resources::flow_runs::FlowRunHandle;
use crate::types::{Artifact as StoredArtifact, Json};

/// The flow run that the function of a [`Flow`](super::Flow) is. Clones are cheap, and may be moved into spawned tasks.
#[derive(Clone)]
pub struct Run(Arc<Inner>);

struct Inner {
    client: Client,
    background: Arc<Background>,
    context: Arc<RunContext>,
    parameters: Json,
    stop: Arc<Stop>,
    stops: mpsc::UnboundedSender<StopSignal>,
    /// Made where the function runs, for the subscriber of that thread.
    span: OnceLock<Span>,
    /// Its receivers are updates of artifacts that are not sent yet.
    unsent: Arc<watch::Sender<()>>,
}

/// What the supervisor of a run gives its function.
pub(super) struct RunParts {
    pub client: Client,
    pub background: Arc<Background>,
    pub context: RunContext,
    pub parameters: Json,
    pub stop: Arc<Stop>,
    pub stops: mpsc::UnboundedSender<StopSignal>,
    pub unsent: Arc<watch::Sender<()>>,
}

impl Run {
    pub(super) fn new(parts: RunParts) -> Self {
        Self(Arc::new(Inner {
            client: parts.client,
            background: parts.background,
            context: Arc::new(parts.context),
            parameters: parts.parameters,
            stop: parts.stop,
            stops: parts.stops,
            span: OnceLock::new(),
            unsent: parts.unsent,
        }))
    }

    /// The id of the flow run.
    pub fn id(&self) -> Uuid {
        self.0.context.id
    }

    /// The name of the flow run.
    pub fn name(&self) -> &str {
        &self.0.context.name
    }

    /// The name of the flow.
    pub fn flow_name(&self) -> &str {
        &self.0.context.flow_name
    }

    /// The id of the deployment, if the run is one of a deployment.
    pub fn deployment_id(&self) -> Option<Uuid> {
        self.0.context.deployment_id
    }

    /// The tags of the run.
    pub fn tags(&self) -> &[String] {
        &self.0.context.tags
    }

    /// How often the run was begun, with this time: 1 at first, and more when it is tried again or resumed.
    pub fn attempt(&self) -> i64 {
        self.0.context.run_count
    }

    /// The parameters as they were given.
    pub fn parameters(&self) -> &Json {
        &self.0.parameters
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// A handle of the run, as other programs have it.
    pub fn handle(&self) -> FlowRunHandle {
        self.0.client.flow_runs().handle(self.id())
    }

    /// Resolves when the function is to end, with the reason. From the first use of this, or of
    /// [`is_cancelled`](Self::is_cancelled), the function is given time to end: see [`Flow::grace`](super::Flow::grace).
    /// What it returns then is still its result, unless the run is cancelled.
    ///
    /// ```no_run
    /// # use prefect_sdk::flow::{BoxError, Run};
    /// # async fn work() {}
    /// async fn body(run: Run, _: ()) -> Result<(), BoxError> {
    ///     tokio::select! {
    ///         () = work() => Ok(()),
    ///         reason = run.cancelled() => Err(format!("stopped: {reason}").into()),
    ///     }
    /// }
    /// ```
    pub fn cancelled(&self) -> impl Future<Output = StopReason> + Send + 'static {
        self.0.stop.watched_reason();
        let stop = Arc::clone(&self.0.stop);
        async move { stop.stopped().await }
    }

    /// Whether the function is to end: for those that compute without an await. See [`cancelled`](Self::cancelled).
    pub fn is_cancelled(&self) -> bool {
        self.0.stop.watched_reason().is_some()
    }

    /// The span of the run. Log lines of other tasks and threads belong to the run if they are in it:
    /// `tokio::spawn(work().instrument(run.span().clone()))`.
    pub fn span(&self) -> &Span {
        self.0.span.get_or_init(|| self.0.context.span())
    }

    /// Publishes an artifact of this run: `POST /artifacts/`.
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::ErrorKind::Validation) for a key with other characters than lower-case letters, digits and
    /// dashes, or any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(run: prefect_sdk::flow::Run) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::artifacts::Artifact;
    ///
    /// run.artifact(Artifact::markdown("# Sales\n\nUp **12 %**.").key("sales")).await?;
    /// run.artifact(Artifact::link("https://example.com/report", "the report")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn artifact(&self, artifact: Artifact) -> Result<StoredArtifact> {
        let artifact = artifact.flow_run_id(self.id());
        self.client().artifacts().create(&artifact.into()).await
    }

    pub(super) fn background(&self) -> &Background {
        &self.0.background
    }

    pub(super) fn context(&self) -> &Arc<RunContext> {
        &self.0.context
    }

    pub(super) fn stop(&self) -> &Arc<Stop> {
        &self.0.stop
    }

    /// Ends the run from within.
    pub(super) fn request_stop(&self, reason: StopReason) {
        // If this fails, the attempt has ended.
        let _ = self.0.stops.send(StopSignal::Stop(reason));
    }

    /// Marks an update as unsent until the returned value is dropped.
    pub(super) fn unsent(&self) -> watch::Receiver<()> {
        self.0.unsent.subscribe()
    }

    /// By what the layer of `logs` knows the lines of the run.
    pub(super) fn log_ids(&self) -> (Uuid, Option<Uuid>) {
        (self.id(), None)
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("flow_name", &self.flow_name())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}
