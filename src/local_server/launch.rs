//! Starts a server and waits until it, and not another one, answers.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::process::{Process, READY_TIMEOUT, new_home};
use super::task::error;
use crate::client::Client;
use crate::client::ClientBuilder;
use crate::error::{Error, ErrorKind, Result};
use crate::retry::RetryPolicy;

/// The most attempts to start on a free port: another program may take the port before the server does.
const MAX_PORT_ATTEMPTS: u32 = 3;

/// A part of the messages of all these programs about a port that another program uses.
const PORT_TAKEN_MESSAGE: &str = "already in use";

/// The variable that gives the API another path than `/api`.
pub(super) const BASE_PATH: &str = "PREFECT_SERVER_API_BASE_PATH";

/// The configuration of a server to start.
pub(super) struct Launch<'a> {
    pub python: &'a Path,
    /// A migrated database to start from.
    pub template: Option<&'a Path>,
    pub env: &'a BTreeMap<String, String>,
    pub auth_string: Option<&'a str>,
    pub has_ui: bool,
    /// Whether it runs the services (the scheduler, automations …) besides the API.
    pub has_services: bool,
}

impl Launch<'_> {
    /// Starts a server on this port or a free one; returns it when it answers, and how to reach it.
    pub(super) async fn start(&self, port: Option<u16>) -> Result<(Process, u16, ClientBuilder)> {
        on_free_port(port, |port| self.attempt(port)).await
    }

    async fn attempt(&self, port: u16) -> Result<(Process, u16, ClientBuilder)> {
        let home = new_home()?;
        if let Some(template) = self.template {
            fs::copy(template, home.join("prefect.db")).map_err(|cause| {
                let _ = fs::remove_dir_all(&home);
                error("the template database cannot be copied").with_source(cause)
            })?;
        }
        let mut command = prefect(self.python, &home, self.env);
        command.args(["server", "start", "--host", "127.0.0.1"]);
        command.arg(if self.has_ui { "--ui" } else { "--no-ui" });
        command.arg("--port").arg(port.to_string());
        if !self.has_services {
            command.arg("--no-services");
        }
        // Otherwise the pages ask the port 4200, whatever port they are from.
        let pages_ask = format!("http://127.0.0.1:{port}/api");
        set_default(&mut command, self.env, "PREFECT_UI_API_URL", &pages_ask);
        if self.template.is_some() {
            // The blocks are in the template already. (The second name is that of Prefect 3.0.)
            for name in [
                "PREFECT_SERVER_REGISTER_BLOCKS_ON_START",
                "PREFECT_API_BLOCKS_REGISTER_ON_START",
            ] {
                set_default(&mut command, self.env, name, "false");
            }
        }
        let process = Process::spawn("the Prefect server", self.python, home, &command)?;
        let client = client(port, self.env, self.auth_string);
        wait_until_ready(&process, &client).await?;
        Ok((process, port, client))
    }
}

/// How to reach a server on this port.
pub(super) fn client(
    port: u16,
    env: &BTreeMap<String, String>,
    auth_string: Option<&str>,
) -> ClientBuilder {
    let path = env.get(BASE_PATH).map_or("/api", String::as_str);
    let client = Client::builder()
        .api_url(format!("http://127.0.0.1:{port}{path}"))
        .no_proxy();
    match auth_string {
        Some(auth) => client.auth_string(auth),
        None => client,
    }
}

/// The command `prefect`, in a folder of its own, with these variables.
pub(super) fn prefect(python: &Path, home: &Path, env: &BTreeMap<String, String>) -> Command {
    let mut command = Command::new(python);
    // Prefect 3.0 has no `python -m prefect`.
    command.args(["-c", "from prefect.cli import app; app()"]);
    // The variables of this shell are meant for another server. (So are the `.env` and `prefect.toml` of the
    // current folder, which may name a production database: a process runs in its own folder.)
    for (name, _) in std::env::vars_os() {
        if name
            .to_string_lossy()
            .to_uppercase()
            .starts_with("PREFECT_")
        {
            command.env_remove(name);
        }
    }
    command
        .env("PREFECT_HOME", home)
        .env("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        .env("DO_NOT_TRACK", "1")
        .env("PYTHONUNBUFFERED", "1")
        .envs(env);
    command
}

/// Sets a variable that the user has not set.
fn set_default(command: &mut Command, env: &BTreeMap<String, String>, name: &str, value: &str) {
    if !env.contains_key(name) {
        command.env(name, value);
    }
}

/// Starts something on the port that is wanted, or on a free one, and on another one if that is taken meanwhile.
pub(super) async fn on_free_port<T, F: Future<Output = Result<T>>>(
    wanted: Option<u16>,
    start: impl Fn(u16) -> F,
) -> Result<T> {
    let mut attempt = 1;
    loop {
        match start(free_port(wanted)?).await {
            Err(taken)
                if wanted.is_none()
                    && attempt < MAX_PORT_ATTEMPTS
                    && taken.message().contains(PORT_TAKEN_MESSAGE) =>
            {
                attempt += 1;
            }
            result => return result,
        }
    }
}

/// The port that is wanted, if it is free, or any free one.
pub(super) fn free_port(wanted: Option<u16>) -> Result<u16> {
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

/// Waits until the server answers, and repeats what a starting server refuses.
pub(super) async fn wait_until_ready(process: &Process, client: &ClientBuilder) -> Result<()> {
    let client = client
        .clone()
        .retry(RetryPolicy::none())
        .version_check(false)
        .build()?;
    let start = Instant::now();
    loop {
        process.check_alive()?;
        match probe(process, &client).await {
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
async fn probe(process: &Process, client: &Client) -> Result<()> {
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
