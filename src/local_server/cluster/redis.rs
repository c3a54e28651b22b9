//! The Redis (or Valkey) of a cluster, which carries messages and keeps leases.

use std::path::Path;
use std::process::Command;

use super::super::launch::on_free_port;
use super::super::process::{Process, new_home};
use super::super::programs;
use super::super::task::blocking;
use crate::error::Result;

/// Redis and Valkey log this when they have started.
const READY: &str = "Ready to accept connections";

/// A running Redis. It keeps everything in memory.
#[derive(Debug)]
pub(super) struct Redis {
    pub process: Process,
    pub port: u16,
}

impl Redis {
    pub(super) async fn start(python: &Path) -> Result<Self> {
        let program = &blocking(programs::redis).await?;
        on_free_port(None, |port| async move {
            let mut command = Command::new(program);
            command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
            command.arg("--port").arg(port.to_string());
            let process = Process::spawn("Redis", python, new_home()?, &command)?;
            process.wait_until_logged(READY, 1).await?;
            Ok(Self { process, port })
        })
        .await
    }

    /// Starts it again, empty.
    pub(super) async fn restart(&self) -> Result<()> {
        self.process.restart(READY).await
    }
}
