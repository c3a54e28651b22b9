//! `Task`: the task run that a function is, as the function sees it.

use std::fmt;

use tracing::Span;
use uuid::Uuid;

use crate::error::Result;
use crate::flow::progress::Progress;
use crate::flow::run::Run;
use crate::resources::artifacts::Artifact;
use crate::types::Artifact as StoredArtifact;

/// The task run that the function of a task is. Clones are cheap.
#[derive(Clone)]
pub struct Task {
    pub(super) run: Run,
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) attempt: u32,
    pub(super) span: Span,
}

impl Task {
    /// The id of the task run.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The name of the task run: that of the task, and three characters.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often the function was called, with this time.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The flow run.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The span of the task run: see [`Run::span`].
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Publishes an artifact of this task run: `POST /artifacts/`.
    ///
    /// # Errors
    ///
    /// The errors of [`Run::artifact`].
    pub async fn artifact(&self, artifact: Artifact) -> Result<StoredArtifact> {
        self.run.artifact(artifact.task_run_id(self.id)).await
    }

    /// Publishes an artifact of this task run that shows progress: see [`Run::progress`].
    ///
    /// # Errors
    ///
    /// The errors of [`Run::artifact`].
    pub async fn progress(&self, key: impl Into<String>) -> Result<Progress> {
        let artifact = Artifact::progress(0.0).key(key).task_run_id(self.id);
        Progress::start(&self.run, artifact).await
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}
