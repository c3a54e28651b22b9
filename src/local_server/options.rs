//! The options of a [`LocalServer`], and its start.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::install::{self, Installation};
use super::launch::Launch;
use super::server::LocalServer;
use super::task::{blocking, error};
use super::template;
use crate::error::Result;

/// Options for a [`LocalServer`].
#[derive(Clone, Default)]
#[must_use]
pub struct LocalServerBuilder {
    version: Option<String>,
    python: Option<PathBuf>,
    port: Option<u16>,
    auth_string: Option<String>,
    csrf: bool,
    ui: bool,
    database_url: Option<String>,
    env: BTreeMap<String, String>,
}

impl LocalServer {
    /// Starts a server with default options.
    ///
    /// # Errors
    ///
    /// The same as for [`LocalServerBuilder::start`].
    pub async fn start() -> Result<Self> {
        Self::builder().start().await
    }

    /// A builder for a server with other options.
    pub fn builder() -> LocalServerBuilder {
        LocalServerBuilder::default()
    }
}

impl LocalServerBuilder {
    /// The Prefect version to install; [`LocalServer::DEFAULT_VERSION`] if not set. It has no effect with
    /// [`python`](Self::python).
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// A Python interpreter that has Prefect; with it, nothing is installed.
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

    /// Whether the server requires CSRF tokens, which [`Client`](crate::Client) sends; off if not set.
    pub fn csrf(mut self, on: bool) -> Self {
        self.csrf = on;
        self
    }

    /// Whether the server has its pages for browsers, at its URL without `/api`; off if not set.
    pub fn ui(mut self, on: bool) -> Self {
        self.ui = on;
        self
    }

    /// A database to use instead of the server's own SQLite file:
    /// `postgresql+asyncpg://user:password@host/database`.
    pub fn database_url(mut self, url: impl Into<String>) -> Self {
        self.database_url = Some(url.into());
        self
    }

    /// An environment variable for the server. It takes precedence over an option that sets the same variable.
    ///
    /// [`start`](Self::start) refuses `PREFECT_HOME`, by which the SDK recognises its server, and
    /// `PREFECT_SERVER_API_AUTH_STRING`, which [`basic_auth`](Self::basic_auth) sets.
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
    /// message then contains the end of its log.
    pub async fn start(self) -> Result<LocalServer> {
        self.check()?;
        let this = self.clone();
        let (python, templated) = blocking(move || {
            let python = match &this.python {
                Some(python) => install::check(python)?,
                None => install::ensure(&Installation::prefect(this.wanted_version())?)?,
            };
            // The server migrates a database of the user, and an interpreter of the user may have any
            // version: there is a template only for an installation of the SDK.
            Ok((python, !this.has_database() && this.python.is_none()))
        })
        .await?;
        let template = match templated {
            true => Some(template::ensure(&python).await?),
            false => None,
        };
        let environment = self.environment();
        let launch = Launch {
            python: &python,
            template: template.as_deref(),
            env: &environment,
            auth_string: self.auth_string.as_deref(),
            has_ui: self.ui,
            has_services: true,
        };
        let (process, _, client) = launch.start(self.port).await?;
        Ok(LocalServer {
            process,
            client,
            python,
        })
    }

    /// Fails if no server can be started with these options.
    pub(super) fn check(&self) -> Result<()> {
        let own = ["PREFECT_HOME", "PREFECT_SERVER_API_AUTH_STRING"];
        if cfg!(not(unix)) {
            return Err(error("Prefect servers are started on Unix only"));
        }
        match own.iter().find(|name| self.env.contains_key(**name)) {
            Some(name) => Err(error(format!("{name} cannot be set by `env`"))),
            None => Ok(()),
        }
    }

    /// Whether a database is given, by the option or by variables.
    fn has_database(&self) -> bool {
        let names = [
            "CONNECTION_URL",
            "DRIVER",
            "HOST",
            "PORT",
            "USER",
            "PASSWORD",
            "NAME",
        ];
        let is_one = |name: &String| {
            let name = name.rsplit_once("_DATABASE_").map(|(_, name)| name);
            name.is_some_and(|name| names.contains(&name))
        };
        self.database_url.is_some() || self.env.keys().any(is_one)
    }

    pub(super) fn wanted_version(&self) -> &str {
        let version = self.version.as_deref();
        version.unwrap_or(LocalServer::DEFAULT_VERSION)
    }

    pub(super) fn wanted_port(&self) -> Option<u16> {
        self.port
    }

    pub(super) fn auth(&self) -> Option<&str> {
        self.auth_string.as_deref()
    }

    /// The variables that these options are for a server.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
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

/// Credentials are not shown: the URL of a database or any variable may contain a password.
impl fmt::Debug for LocalServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalServerBuilder")
            .field("version", &self.version)
            .field("python", &self.python)
            .field("port", &self.port)
            .field("csrf", &self.csrf)
            .field("ui", &self.ui)
            .field("env", &self.env.keys())
            .finish_non_exhaustive()
    }
}
