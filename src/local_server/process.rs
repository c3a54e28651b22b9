//! The process of a local server.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::task::error;
use crate::error::{Error, Result};

/// The Python program that runs the server, and stops it when the SDK's end of a pipe closes for any reason.
const SUPERVISOR: &str = include_str!("supervisor.py");

/// How many lines of the log an error shows.
const TAIL_LINES: usize = 20;

/// A server and its supervisor. Dropping stops both.
#[derive(Debug)]
pub(super) struct ServerProcess {
    supervisor: Child,
    home: PathBuf,
}

impl ServerProcess {
    /// Starts `prefect server` in a folder of its own, with a copy of the template database if given.
    pub(super) fn spawn(
        python: &Path,
        port: u16,
        template: Option<&Path>,
        env: &BTreeMap<String, String>,
        has_ui: bool,
    ) -> Result<Self> {
        let temporary = std::env::temp_dir();
        let temporary = temporary.canonicalize().unwrap_or(temporary);
        let home = temporary.join(format!("prefect-sdk-{}", uuid::Uuid::new_v4()));
        let prepare = || -> std::io::Result<File> {
            fs::create_dir_all(&home)?;
            if let Some(template) = template {
                fs::copy(template, home.join("prefect.db"))?;
            }
            File::create(home.join("server.log"))
        };
        let prepared = prepare().and_then(|log| Ok((log.try_clone()?, log)));
        let (stdout, stderr) = prepared.map_err(|cause| {
            error(format!("the folder {} cannot be set up", home.display())).with_source(cause)
        })?;

        let mut command = Command::new(python);
        command.arg("-c").arg(SUPERVISOR).arg(&home).arg(python);
        // Prefect 3.0 has no `python -m prefect`.
        command.args(["-c", "from prefect.cli import app; app()"]);
        command.args(["server", "start", "--host", "127.0.0.1"]);
        command.arg(if has_ui { "--ui" } else { "--no-ui" });
        command.arg("--port").arg(port.to_string());
        // The variables of this shell are meant for another server.
        for (name, _) in std::env::vars_os() {
            if name
                .to_string_lossy()
                .to_uppercase()
                .starts_with("PREFECT_")
            {
                command.env_remove(name);
            }
        }
        // So are the `.env` and `prefect.toml` of the current folder, which may name a production database.
        command
            .current_dir(&home)
            .env("PREFECT_HOME", &home)
            // Otherwise the pages ask the port 4200, whatever port they are from.
            .env("PREFECT_UI_API_URL", format!("http://127.0.0.1:{port}/api"))
            .env("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
            .env("DO_NOT_TRACK", "1")
            .env("PYTHONUNBUFFERED", "1");
        if template.is_some() {
            // The blocks are in the template already. (The second name is that of Prefect 3.0.)
            command
                .env("PREFECT_SERVER_REGISTER_BLOCKS_ON_START", "false")
                .env("PREFECT_API_BLOCKS_REGISTER_ON_START", "false");
        }
        command
            .envs(env)
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(stderr);
        new_group(&mut command);
        let supervisor = command.spawn().map_err(|cause| {
            let _ = fs::remove_dir_all(&home);
            error(format!("{} cannot be started", python.display())).with_source(cause)
        })?;
        Ok(Self { supervisor, home })
    }

    /// Fails with the end of the log if the server has ended.
    pub(super) fn check_alive(&mut self) -> Result<()> {
        match self.supervisor.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(self.failure_with_log("ended")),
            Err(cause) => Err(error("cannot check the server's process").with_source(cause)),
        }
    }

    /// An error with the end of the log.
    pub(super) fn failure_with_log(&self, what: &str) -> Error {
        let log = self.log();
        let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
        let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
        error(format!(
            "the Prefect server {what}; the end of its log:\n{tail}"
        ))
    }

    /// The output of the server so far.
    pub(super) fn log(&self) -> String {
        let bytes = fs::read(self.home.join("server.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Asks the server to stop and waits until it has.
    pub(super) fn stop(&mut self, timeout: Duration) -> Result<()> {
        drop(self.supervisor.stdin.take());
        let start = Instant::now();
        while start.elapsed() < timeout {
            if !matches!(self.supervisor.try_wait(), Ok(None)) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(error(format!(
            "the server has not ended after {} s",
            timeout.as_secs()
        )))
    }

    /// The folder of the server.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // After this request the server ends by itself, even if `stop` does not wait any longer.
        let _ = self.stop(Duration::from_secs(10));
        let _ = fs::remove_dir_all(&self.home);
    }
}

#[cfg(unix)]
fn new_group(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

#[cfg(not(unix))]
fn new_group(_: &mut Command) {}
