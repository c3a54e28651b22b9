//! The balancer of a cluster: Caddy.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::super::launch::on_free_port;
use super::super::process::{Process, new_home};
use super::super::programs;
use super::super::task::{blocking, error};
use crate::error::Result;

/// Caddy logs this when it has started.
const READY: &str = "serving initial configuration";

/// A running balancer.
#[derive(Debug)]
pub(super) struct Balancer {
    pub process: Process,
    pub port: u16,
}

impl Balancer {
    /// Starts a balancer before servers on these ports, on this port or a free one.
    pub(super) async fn start(python: &Path, port: Option<u16>, servers: &[u16]) -> Result<Self> {
        let caddy = &blocking(programs::caddy).await?;
        on_free_port(port, |port| async move {
            let home = new_home()?;
            fs::write(home.join("Caddyfile"), configuration(port, servers)).map_err(|cause| {
                let _ = fs::remove_dir_all(&home);
                error("the balancer cannot be configured").with_source(cause)
            })?;
            let mut command = Command::new(caddy);
            command.args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]);
            // It stores nothing elsewhere.
            for folder in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
                command.env(folder, &home);
            }
            let process = Process::spawn("Caddy", python, home, &command)?;
            process.wait_until_logged(READY, 1).await?;
            Ok(Self { process, port })
        })
        .await
    }

    /// Closes all connections, and starts it again.
    pub(super) async fn restart(&self) -> Result<()> {
        self.process.restart(READY).await
    }
}

/// Requests go to the servers in turn. One that no server has accepted goes to the next; one that was sent to a
/// server that then failed is a 502, because it may have been executed. Connections are not kept as long as the servers
/// keep them (5 s), because a request on one that is just being closed would be a 502, too.
fn configuration(port: u16, servers: &[u16]) -> String {
    let servers: Vec<_> = servers
        .iter()
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    let servers = servers.join(" ");
    format!(
        "{{
    admin off
    auto_https off
    persist_config off
    grace_period 1s
}}
http://:{port} {{
    bind 127.0.0.1
    reverse_proxy {servers} {{
        lb_policy round_robin
        lb_try_duration 5s
        lb_try_interval 100ms
        fail_duration 1s
        transport http {{
            keepalive 2s
        }}
    }}
}}
"
    )
}
