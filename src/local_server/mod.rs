//! `LocalServer`: a real Prefect server for tests and first steps.

mod install;
mod launch;
mod options;
mod process;
mod template;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use options::LocalServerBuilder;
use process::ServerProcess;

use crate::builder::ClientBuilder;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::PREFECT_VERSION;

/// A real Prefect server on this machine, stopped when this is dropped.
///
/// The first start installs Prefect from PyPI into a cache folder (`$PREFECT_SDK_CACHE`, else
/// `$XDG_CACHE_HOME/prefect-sdk`, else `~/.cache/prefect-sdk`) and migrates a database once;
/// later ones take seconds. It needs Linux or macOS, and Python 3.10 or newer; `uv` is used where
/// it is found. The server also stops when the program is killed.
///
/// ```no_run
/// # async fn example() -> prefect_sdk::Result<()> {
/// use prefect_sdk::LocalServer;
///
/// let server = LocalServer::start().await?;
/// let client = server.client()?;
/// client.concurrency_limits().create("database", 10).await?;
/// server.stop().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LocalServer {
    process: ServerProcess,
    client: ClientBuilder,
    python: PathBuf,
}

impl LocalServer {
    /// The Prefect version that [`start`](Self::start) installs, whose document this SDK is
    /// generated from.
    pub const DEFAULT_VERSION: &str = PREFECT_VERSION;

    /// Starts a server with default options.
    ///
    /// # Errors
    ///
    /// As [`LocalServerBuilder::start`].
    pub async fn start() -> Result<Self> {
        Self::builder().start().await
    }

    /// Options for a server.
    pub fn builder() -> LocalServerBuilder {
        LocalServerBuilder::default()
    }

    /// The URL of its API, with `/api`.
    pub fn api_url(&self) -> &str {
        self.client.url().unwrap_or_default()
    }

    /// The Python interpreter that the server runs by, which can run flows as well.
    pub fn python(&self) -> &Path {
        &self.python
    }

    /// The options of [`client`](Self::client), to change them.
    pub fn client_builder(&self) -> ClientBuilder {
        self.client.clone()
    }

    /// A client of this server, with its credentials.
    ///
    /// # Errors
    ///
    /// When the HTTP client cannot be set up.
    pub fn client(&self) -> Result<Client> {
        self.client.clone().build()
    }

    /// What the server has printed so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Stops the server and waits until it is gone. Dropping does the same but cannot report.
    ///
    /// # Errors
    ///
    /// [`LocalServer`](ErrorKind::LocalServer) when it does not end within ten seconds.
    pub async fn stop(mut self) -> Result<()> {
        blocking(move || self.process.stop(Duration::from_secs(10))).await
    }
}

/// An error of this module.
fn error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::LocalServer, message)
}

/// Runs what blocks (installing, waiting for a process) away from the async threads.
async fn blocking<T: Send + 'static>(
    task: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(task)
        .await
        .map_err(|join| error("a task was aborted").caused_by(join))?
}
