//! Starts a server and waits until it, and not another one, answers.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use super::process::ServerProcess;
use super::task::error;
use crate::client::Client;
use crate::client::ClientBuilder;
use crate::error::{Error, ErrorKind, Result};
use crate::retry::RetryPolicy;

/// The longest time that a server may take to answer: a first start migrates a database, perhaps on a
/// loaded machine.
const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// The most attempts to start on a free port: another program may take the port before the server does.
const MAX_PORT_ATTEMPTS: u32 = 3;

/// A part of the messages of uvicorn and Prefect about a port that another program uses.
const PORT_TAKEN_MESSAGE: &str = "already in use";

/// The variable that gives the API another path than `/api`.
const BASE_PATH: &str = "PREFECT_SERVER_API_BASE_PATH";

/// The configuration of a server to start.
pub(super) struct Launch<'a> {
    pub python: &'a Path,
    /// A migrated database to start from.
    pub template: Option<&'a Path>,
    pub env: &'a BTreeMap<String, String>,
    pub auth_string: Option<&'a str>,
    pub has_ui: bool,
}

impl Launch<'_> {
    /// Starts a server on this port or a free one; returns it when it answers, and how to reach it.
    pub(super) async fn start(&self, port: Option<u16>) -> Result<(ServerProcess, ClientBuilder)> {
        let mut attempt = 1;
        loop {
            match self.attempt(free_port(port)?).await {
                Err(taken)
                    if port.is_none()
                        && attempt < MAX_PORT_ATTEMPTS
                        && taken.message().contains(PORT_TAKEN_MESSAGE) =>
                {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn attempt(&self, port: u16) -> Result<(ServerProcess, ClientBuilder)> {
        let mut process =
            ServerProcess::spawn(self.python, port, self.template, self.env, self.has_ui)?;
        let path = self.env.get(BASE_PATH).map_or("/api", String::as_str);
        let mut client = Client::builder()
            .api_url(format!("http://127.0.0.1:{port}{path}"))
            .no_proxy();
        if let Some(auth) = self.auth_string {
            client = client.auth_string(auth);
        }
        // Without retries: `wait_until_ready` repeats what a starting server refuses.
        let probe = client
            .clone()
            .retry(RetryPolicy::none())
            .version_check(false);
        wait_until_ready(&mut process, &probe.build()?).await?;
        Ok((process, client))
    }
}

fn free_port(wanted: Option<u16>) -> Result<u16> {
    // The server cannot choose the port itself: with `--port 0` it never reports which one it is.
    let listener = TcpListener::bind(("127.0.0.1", wanted.unwrap_or(0)));
    let port = listener
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port());
    port.map_err(|cause| {
        let port = wanted.map_or("a free port".to_owned(), |port| format!("port {port}"));
        error(format!("{port} of 127.0.0.1 cannot be used")).with_source(cause)
    })
}

async fn wait_until_ready(process: &mut ServerProcess, client: &Client) -> Result<()> {
    let start = Instant::now();
    loop {
        process.check_alive()?;
        match probe(process, client).await {
            Ok(()) => return process.check_alive(),
            Err(last) if last.kind() == ErrorKind::Unauthorized => {
                return Err(process.failure_with_log("refuses its own credentials"));
            }
            Err(last) if start.elapsed() > READY_TIMEOUT => {
                let waited = READY_TIMEOUT.as_secs();
                return Err(
                    process.failure_with_log(&format!("is not ready after {waited} s ({last})"))
                );
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Checks that the server is healthy, is ours, and has its database: a healthy reply alone proves nothing,
/// and another server may have taken the port. (Only GET requests, because POST may need a CSRF token.)
async fn probe(process: &ServerProcess, client: &Client) -> Result<()> {
    client.raw().health_check().await?;
    let home = client.raw().read_settings().await?.into_inner().home;
    if home.as_deref() != process.home().to_str() {
        return Err(Error::new(
            ErrorKind::LocalServer,
            "another server uses the port",
        ));
    }
    match client.raw().read_flow_by_name("prefect-sdk-probe").await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}
