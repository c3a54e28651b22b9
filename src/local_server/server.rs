//! `LocalServer`: a real Prefect server on this machine.

use std::path::{Path, PathBuf};

use super::process::Process;
use super::task::blocking;
use crate::client::{Client, ClientBuilder};
use crate::error::Result;
use crate::transport::PREFECT_VERSION;

/// A real Prefect server on this machine, which is stopped when this value is dropped.
///
/// The first start installs Prefect from PyPI into a cache folder (`$PREFECT_SDK_CACHE`, else
/// `$XDG_CACHE_HOME/prefect-sdk`, else `~/.cache/prefect-sdk`) and migrates a database once;
/// later starts take seconds. Progress is printed to standard error. It needs Linux or macOS, and Python 3.10 or newer;
/// `uv` is used if it is installed. The server also stops when the program is killed.
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
    pub(super) process: Process,
    pub(super) client: ClientBuilder,
    pub(super) python: PathBuf,
}

impl LocalServer {
    /// The Prefect version that [`start`](Self::start) installs; this SDK is generated from its OpenAPI
    /// document.
    pub const DEFAULT_VERSION: &str = PREFECT_VERSION;

    /// The URL of the server's API, including `/api`.
    pub fn api_url(&self) -> &str {
        self.client.url().unwrap_or_default()
    }

    /// The Python interpreter that runs the server, and can run flows as well.
    pub fn python(&self) -> &Path {
        &self.python
    }

    /// A builder with the options of [`client`](Self::client), to change them.
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

    /// The output of the server so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Stops the server and waits until it has ended. Dropping does the same, but it blocks the thread, and cannot report an
    /// error.
    ///
    /// # Errors
    ///
    /// [`LocalServer`](crate::ErrorKind::LocalServer) when it does not end within ten seconds.
    pub async fn stop(self) -> Result<()> {
        blocking(move || self.process.stop()).await
    }
}
