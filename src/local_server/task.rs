//! Errors and blocking tasks of this module.

use crate::error::{Error, ErrorKind, Result};

/// An error of the kind `LocalServer`.
pub(super) fn error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::LocalServer, message)
}

/// Runs a task that blocks, such as an installation, away from the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    task: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(task)
        .await
        .map_err(|join| error("a task was aborted").with_source(join))?
}
