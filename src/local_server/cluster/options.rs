//! The options of a [`LocalCluster`], and its start.

use std::collections::BTreeMap;

use futures_util::future::{try_join, try_join_all};

use super::super::install::{self, Installation};
use super::super::launch::{self, prefect};
use super::super::options::LocalServerBuilder;
use super::super::postgres::Postgres;
use super::super::process::{Process, new_home};
use super::super::programs::numbers;
use super::super::server::LocalServer;
use super::super::task::{blocking, error};
use super::balancer::Balancer;
use super::redis::Redis;
use super::running::{LocalCluster, ServerSettings};
use crate::error::Result;

/// Prefect's support for Redis; this release takes Prefect 3.7.4 and newer.
const PREFECT_REDIS: &str = "prefect-redis==0.3.0";

/// How many servers a cluster has if nothing else is said.
const DEFAULT_SERVERS: usize = 3;

/// Prefect prints this when its services start.
const SERVICES_READY: &str = "Starting services";

/// Options for a [`LocalCluster`].
#[derive(Debug, Clone)]
#[must_use]
pub struct LocalClusterBuilder {
    each: LocalServerBuilder,
    servers: usize,
}

impl LocalCluster {
    /// Starts a cluster with default options.
    ///
    /// # Errors
    ///
    /// The same as for [`LocalClusterBuilder::start`].
    pub async fn start() -> Result<Self> {
        Self::builder().start().await
    }

    /// A builder for a cluster with other options.
    pub fn builder() -> LocalClusterBuilder {
        LocalClusterBuilder {
            each: LocalServer::builder(),
            servers: DEFAULT_SERVERS,
        }
    }
}

impl LocalClusterBuilder {
    /// The Prefect version to install, 3.8 or newer; [`LocalServer::DEFAULT_VERSION`] if not set.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.each = self.each.version(version);
        self
    }

    /// The number of API servers; 3 if not set.
    pub fn servers(mut self, count: usize) -> Self {
        self.servers = count;
        self
    }

    /// The port of the balancer on 127.0.0.1; a free one if not set.
    pub fn port(mut self, port: u16) -> Self {
        self.each = self.each.port(port);
        self
    }

    /// Basic authentication with `user:password`.
    pub fn basic_auth(mut self, auth_string: impl Into<String>) -> Self {
        self.each = self.each.basic_auth(auth_string);
        self
    }

    /// Whether the servers require CSRF tokens, which [`Client`](crate::Client) sends; off if not set.
    pub fn csrf(mut self, on: bool) -> Self {
        self.each = self.each.csrf(on);
        self
    }

    /// An environment variable for all servers and the services. It takes precedence over an option that sets the same
    /// variable.
    ///
    /// [`start`](Self::start) refuses what [`LocalServerBuilder::env`] refuses.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.each = self.each.env(name, value);
        self
    }

    /// Installs what is missing, starts all processes, and waits until the servers answer.
    ///
    /// # Errors
    ///
    /// [`LocalServer`](crate::ErrorKind::LocalServer) when a program is missing and cannot be installed, the port is
    /// taken, or a process ends or is not ready within two minutes; the message then contains the end of its log.
    pub async fn start(self) -> Result<LocalCluster> {
        self.each.check()?;
        if self.servers == 0 {
            return Err(error("a cluster has at least one server"));
        }
        // Rather now than when all the others run.
        if let Some(port) = self.each.wanted_port() {
            launch::free_port(Some(port))?;
        }
        let version = self.each.wanted_version().to_owned();
        let wanted = prefect_with_redis(&version)?;
        let python = blocking(move || install::ensure(&wanted)).await?;
        let (postgres, redis) = try_join(Postgres::start(&python), Redis::start(&python)).await?;
        let settings = ServerSettings {
            env: self.environment(&postgres, &redis),
            auth_string: self.each.auth().map(str::to_owned),
        };
        // The first one migrates the database.
        let first = settings.start(&python, None, true).await?;
        let others = try_join_all((1..self.servers).map(|_| settings.start(&python, None, false)));
        let services = async {
            let home = new_home()?;
            let mut command = prefect(&python, &home, &settings.env);
            command.args(["server", "services", "start"]);
            let process = Process::spawn("the services", &python, home, &command)?;
            process.wait_until_logged(SERVICES_READY, 1).await?;
            Ok(process)
        };
        let (others, services) = try_join(others, services).await?;
        let servers: Vec<_> = std::iter::once(first).chain(others).collect();
        let ports: Vec<_> = servers.iter().map(|server| server.port).collect();
        let balancer = Balancer::start(&python, self.each.wanted_port(), &ports).await?;
        Ok(LocalCluster {
            client: launch::client(
                balancer.port,
                &settings.env,
                settings.auth_string.as_deref(),
            ),
            balancer,
            servers,
            services,
            redis,
            postgres,
            python,
            settings,
            newest: version,
        })
    }

    /// What makes several servers one: everything that a single server keeps in memory or in a file is elsewhere.
    fn environment(&self, postgres: &Postgres, redis: &Redis) -> BTreeMap<String, String> {
        let port = redis.port;
        let shared = [
            ("PREFECT_API_DATABASE_CONNECTION_URL", postgres.url()),
            ("PREFECT_MESSAGING_BROKER", "prefect_redis.messaging".into()),
            ("PREFECT_MESSAGING_CACHE", "prefect_redis.messaging".into()),
            (
                "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING",
                "prefect_redis.ordering".into(),
            ),
            (
                "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE",
                "prefect_redis.lease_storage".into(),
            ),
            ("PREFECT_REDIS_MESSAGING_HOST", "127.0.0.1".into()),
            ("PREFECT_REDIS_MESSAGING_PORT", port.to_string()),
            ("PREFECT_REDIS_MESSAGING_DB", "0".into()),
            (
                "PREFECT_SERVER_DOCKET_URL",
                format!("redis://127.0.0.1:{port}/0"),
            ),
        ];
        let mut env: BTreeMap<_, _> = shared
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        env.extend(self.each.environment());
        env
    }
}

/// This version of Prefect, with its support for Redis.
pub(super) fn prefect_with_redis(version: &str) -> Result<Installation> {
    let mut wanted = Installation::prefect(version)?;
    wanted.what = format!("{} with {PREFECT_REDIS}", wanted.what);
    wanted.folder += "-redis";
    wanted.requirements.push(PREFECT_REDIS.to_owned());
    Ok(wanted)
}

/// Whether the first of two versions such as `3.9.1` is the newer one.
pub(super) fn is_newer(version: &str, than: &str) -> bool {
    numbers(version) > numbers(than)
}
