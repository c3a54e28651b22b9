//! What goes wrong in a large deployment, for tests.

use super::super::install::{self, Installation};
use super::super::launch::wait_until_ready;
use super::super::task::{blocking, error};
use super::options::{is_newer, prefect_with_redis};
use super::running::{LocalCluster, Server};
use crate::error::Result;

impl LocalCluster {
    /// Kills a server, counted from 0, by SIGKILL, and leaves it dead.
    ///
    /// # Errors
    ///
    /// [`LocalServer`](crate::ErrorKind::LocalServer) when there is no such server, or it has ended by itself.
    pub async fn kill_server(&mut self, server: usize) -> Result<()> {
        self.server(server)?.process.kill().await
    }

    /// Starts a server again that was killed, on the same port, and waits until it answers. One that has ended by itself is
    /// started anew, with an empty log.
    ///
    /// # Errors
    ///
    /// [`LocalServer`](crate::ErrorKind::LocalServer) when there is no such server, or it ends or does not answer
    /// within two minutes.
    pub async fn start_server(&mut self, server: usize) -> Result<()> {
        let Server {
            process,
            client,
            port,
            python,
        } = self.server(server)?;
        if process.is_supervised() {
            process.start_again().await?;
            return wait_until_ready(process, client).await;
        }
        let new = self.settings.start(python, Some(*port), false).await?;
        self.servers[server] = new;
        Ok(())
    }

    /// Stops a server in an orderly way, and starts one with this version of Prefect on the same port, as a rolling
    /// update does.
    ///
    /// A version that is newer than all others of this cluster migrates the database; older ones take it as it is.
    ///
    /// # Errors
    ///
    /// As [`start_server`](Self::start_server), and when the version cannot be installed. The server is then dead.
    pub async fn replace_server(&mut self, server: usize, version: &str) -> Result<()> {
        self.server(server)?;
        let wanted: Installation = prefect_with_redis(version)?;
        let python = blocking(move || install::ensure(&wanted)).await?;
        let old = self.server(server)?;
        if old.process.is_supervised() {
            old.process.end().await?;
        }
        let migrates = is_newer(version, &self.newest);
        let port = Some(old.port);
        let new = self.settings.start(&python, port, migrates).await?;
        self.servers[server] = new;
        if migrates {
            version.clone_into(&mut self.newest);
        }
        Ok(())
    }

    /// Stops the balancer, which closes all connections, and starts it again on the same port.
    ///
    /// # Errors
    ///
    /// [`LocalServer`](crate::ErrorKind::LocalServer) when it does not start.
    pub async fn restart_balancer(&mut self) -> Result<()> {
        self.balancer.restart().await
    }

    /// Stops PostgreSQL, which ends all its connections and transactions, and starts it again with its data.
    ///
    /// # Errors
    ///
    /// [`LocalServer`](crate::ErrorKind::LocalServer) when it does not start.
    pub async fn restart_database(&mut self) -> Result<()> {
        self.postgres.restart().await
    }

    /// Stops Redis and starts it again, empty: leases and messages are lost.
    ///
    /// # Errors
    ///
    /// [`LocalServer`](crate::ErrorKind::LocalServer) when it does not start.
    pub async fn restart_redis(&mut self) -> Result<()> {
        self.redis.restart().await
    }

    fn server(&self, server: usize) -> Result<&Server> {
        let count = self.servers.len();
        self.servers
            .get(server)
            .ok_or_else(|| error(format!("there is no server {server}, only {count}")))
    }
}
