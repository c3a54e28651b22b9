//! `Progress`: an artifact that shows how far something is.

use std::fmt;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::run::Run;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::resources::artifacts::Artifact;

/// The shortest time between updates.
const UPDATE_INTERVAL: Duration = Duration::from_millis(500);

/// How far something is: see [`Run::progress`]. Setting it never waits: the client's own thread sends the latest value,
/// twice a second at most (`PATCH /artifacts/{id}`), and the last one before the end of the run is reported.
#[must_use = "it shows the progress that it is told"]
pub struct Progress {
    id: Uuid,
    /// From 0 to 1.
    done: watch::Sender<f64>,
    /// Its end is that of the progress.
    _alive: oneshot::Sender<()>,
}

impl Run {
    /// Publishes an artifact that shows progress, which begins at 0: `POST /artifacts/`.
    ///
    /// # Errors
    ///
    /// As [`artifact`](Self::artifact).
    ///
    /// ```no_run
    /// # async fn example(run: prefect_sdk::flow::Run) -> prefect_sdk::Result<()> {
    /// let progress = run.progress("import").await?;
    /// for part in 0..10 {
    ///     progress.set(f64::from(part) / 10.0);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn progress(&self, key: impl Into<String>) -> Result<Progress> {
        let artifact = Artifact::progress(0.0).key(key);
        Progress::start(self, artifact).await
    }
}

impl Progress {
    pub(super) async fn start(run: &Run, artifact: Artifact) -> Result<Self> {
        let stored = run.artifact(artifact).await?;
        let id = stored.id.ok_or_else(|| {
            let what = "the artifact that the server has stored has no id";
            Error::new(ErrorKind::UnexpectedBody, what)
        })?;
        let (done, received) = watch::channel(0.0);
        let (alive, dropped) = oneshot::channel();
        let (client, unsent) = (run.client().in_background()?, run.unsent());
        run.background().spawn(async move {
            let _unsent = unsent;
            update(client, id, received, dropped).await;
        });
        Ok(Self {
            id,
            done,
            _alive: alive,
        })
    }

    /// Sets how much is done, from 0 to 1. Other values are clamped; NaN counts as 0.
    pub fn set(&self, done: f64) {
        self.done.send_if_modified(|known| {
            let is_new = *known != done;
            *known = done;
            is_new
        });
    }

    /// The id of the artifact.
    pub fn id(&self) -> Uuid {
        self.id
    }
}

/// Sends the latest value until the progress is dropped, and then the last.
async fn update(
    client: Client,
    id: Uuid,
    mut done: watch::Receiver<f64>,
    mut dropped: oneshot::Receiver<()>,
) {
    let mut is_dropped = false;
    while done.changed().await.is_ok() {
        let now = *done.borrow_and_update();
        let artifact = Artifact::progress(now * 100.0);
        if let Err(error) = client.artifacts().update(id, &artifact.into()).await {
            tracing::warn!(artifact = %id, %error, "a progress could not be updated");
        }
        if !is_dropped {
            let pause = client.channel().clock().sleep(UPDATE_INTERVAL);
            is_dropped = matches!(select(pause, &mut dropped).await, Either::Right(_));
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("id", &self.id)
            .field("done", &*self.done.borrow())
            .finish()
    }
}
