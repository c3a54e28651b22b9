//! The options of a [`LocalServer`], and its start.

use std::collections::BTreeMap;
use std::fmt;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::process::ServerProcess;
use super::{LocalServer, blocking, error, install, template};
use crate::client::Client;
use crate::error::{ErrorKind, Result};
use crate::types::ReadFlowsRequest;

/// How long a server may take to answer; a first start migrates a database on a loaded machine.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// Options for a [`LocalServer`].
#[derive(Clone, Default)]
#[must_use]
pub struct LocalServerBuilder {
    version: Option<String>,
    python: Option<PathBuf>,
    port: Option<u16>,
    auth_string: Option<String>,
    csrf: bool,
    database_url: Option<String>,
    env: BTreeMap<String, String>,
}

impl LocalServerBuilder {
    /// The Prefect version to install; [`LocalServer::DEFAULT_VERSION`] if not set.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// A Python interpreter that has Prefect; nothing is installed then.
    pub fn python(mut self, interpreter: impl Into<PathBuf>) -> Self {
        self.python = Some(interpreter.into());
        self
    }

    /// The port on 127.0.0.1; a free one if not set.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Basic authentication with `user:password`. Prefect 3.0 does not enforce it.
    pub fn basic_auth(mut self, auth_string: impl Into<String>) -> Self {
        self.auth_string = Some(auth_string.into());
        self
    }

    /// Whether the server demands CSRF tokens; off if not set.
    pub fn csrf(mut self, on: bool) -> Self {
        self.csrf = on;
        self
    }

    /// A database to use instead of a SQLite file of its own:
    /// `postgresql+asyncpg://user:password@host/database`.
    pub fn database_url(mut self, url: impl Into<String>) -> Self {
        self.database_url = Some(url.into());
        self
    }

    /// An environment variable for the server; it wins over what the other options set.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Installs Prefect if need be, starts the server, and waits until it answers.
    ///
    /// # Errors
    ///
    /// [`LocalServer`](crate::ErrorKind::LocalServer) when Python is missing or cannot install
    /// Prefect, the port is taken, or the server ends or does not answer within two minutes; the
    /// message has the end of its log.
    pub async fn start(self) -> Result<LocalServer> {
        let this = self.clone();
        let (python, template) = blocking(move || {
            let python = match &this.python {
                Some(python) => install::check(python)?,
                None => {
                    let version = this
                        .version
                        .as_deref()
                        .unwrap_or(LocalServer::DEFAULT_VERSION);
                    install::ensure(version)?
                }
            };
            // A database of the user's own is migrated by the server, and an interpreter of theirs
            // may have any version: only what was installed here has a template.
            let template = match (&this.database_url, &this.python) {
                (None, None) => Some(template::ensure(&python)?),
                _ => None,
            };
            Ok((python, template))
        })
        .await?;
        // Another program may take a free port before the server does.
        let attempts = if self.port.is_some() { 1 } else { 3 };
        let mut attempt = 1;
        loop {
            match self.attempt(&python, template.as_deref()).await {
                Err(taken) if attempt < attempts && taken.message().contains(PORT_TAKEN) => {
                    attempt += 1
                }
                result => return result,
            }
        }
    }

    async fn attempt(
        &self,
        python: &std::path::Path,
        template: Option<&std::path::Path>,
    ) -> Result<LocalServer> {
        let port = free_port(self.port)?;
        let mut process = ServerProcess::spawn(python, port, template, &self.environment())?;
        let api_url = format!("http://127.0.0.1:{port}/api");
        let mut builder = Client::builder().api_url(&api_url);
        if let Some(auth) = &self.auth_string {
            builder = builder.auth_string(auth);
        }
        wait_until_ready(&mut process, &builder.clone().build()?).await?;
        Ok(LocalServer {
            process,
            client: builder,
            api_url,
        })
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let mut env = BTreeMap::new();
        let mut set = |name: &str, value: &str| {
            env.insert(name.to_owned(), value.to_owned());
        };
        if let Some(auth) = &self.auth_string {
            set("PREFECT_SERVER_API_AUTH_STRING", auth);
        }
        if self.csrf {
            set("PREFECT_SERVER_CSRF_PROTECTION_ENABLED", "true");
        }
        if let Some(url) = &self.database_url {
            set("PREFECT_API_DATABASE_CONNECTION_URL", url);
        }
        env.extend(self.env.clone());
        env
    }
}

/// Credentials are not shown: the URL of a database may hold a password, as may any variable.
impl fmt::Debug for LocalServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalServerBuilder")
            .field("version", &self.version)
            .field("python", &self.python)
            .field("port", &self.port)
            .field("csrf", &self.csrf)
            .field("env", &self.env.keys())
            .finish_non_exhaustive()
    }
}

/// What uvicorn and Prefect say of a port that another program has.
const PORT_TAKEN: &str = "already in use";

pub(super) fn free_port(wanted: Option<u16>) -> Result<u16> {
    // The server cannot choose by itself: `--port 0` never says which.
    let listener = TcpListener::bind(("127.0.0.1", wanted.unwrap_or(0))).map_err(|cause| {
        let port = wanted.map_or("a free port".to_owned(), |port| format!("port {port}"));
        error(format!("{port} of 127.0.0.1 cannot be used")).caused_by(cause)
    })?;
    let address = listener
        .local_addr()
        .map_err(|cause| error("a port has no address").caused_by(cause))?;
    Ok(address.port())
}

/// A healthy answer proves nothing by itself: the database must answer, too.
pub(super) async fn wait_until_ready(process: &mut ServerProcess, client: &Client) -> Result<()> {
    let start = Instant::now();
    loop {
        process.check_alive()?;
        let probe = match client.raw().health_check().await {
            Ok(_) => client
                .raw()
                .read_flows(&ReadFlowsRequest::new().limit(1))
                .await
                .map(drop),
            Err(unhealthy) => Err(unhealthy),
        };
        match probe.map_err(|error| error.kind()) {
            // With CSRF on, a POST without a token is refused by a server that is up.
            Ok(()) | Err(ErrorKind::Forbidden) => return Ok(()),
            Err(ErrorKind::Unauthorized) => return Err(process.died("refuses its own credentials")),
            Err(_) if start.elapsed() > READY_WITHIN => {
                return Err(process.died(&format!(
                    "does not answer after {} s",
                    READY_WITHIN.as_secs()
                )));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
