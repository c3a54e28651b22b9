//! A program that runs under a supervisor, in a folder of its own.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::task::{blocking, error};
use crate::error::{Error, Result};

/// The Python program that runs another one, and stops it when the SDK's end of a pipe closes for any reason.
const SUPERVISOR: &str = include_str!("supervisor.py");

/// How many lines of the log an error shows.
const TAIL_LINES: usize = 20;

/// The longest time that a program may take to be ready: a first start migrates a database, perhaps on a
/// loaded machine.
pub(super) const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a program may take to end when it is asked to; its supervisor kills it before.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A program and its supervisor. Dropping stops both.
#[derive(Debug)]
pub(super) struct Process {
    /// What it is, for messages.
    name: String,
    home: PathBuf,
    supervisor: Arc<Mutex<Supervisor>>,
}

#[derive(Debug)]
struct Supervisor {
    child: Child,
    /// Closing it stops the program.
    orders: Option<ChildStdin>,
    reports: BufReader<ChildStdout>,
}

/// Creates a temporary folder that nobody else may enter: databases and logs have secrets. The supervisor of the process that
/// gets it removes it.
pub(super) fn new_home() -> Result<PathBuf> {
    let temporary = std::env::temp_dir();
    let temporary = temporary.canonicalize().unwrap_or(temporary);
    let home = temporary.join(format!("prefect-sdk-{}", uuid::Uuid::new_v4()));
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder
        .create(&home)
        .map_err(|cause| setup_failed(&home, cause))
        .map(|()| home)
}

fn setup_failed(home: &Path, cause: std::io::Error) -> Error {
    let _ = fs::remove_dir_all(home);
    error(format!("the folder {} cannot be set up", home.display())).with_source(cause)
}

impl Process {
    /// Starts a program in this folder, under a supervisor that this Python interpreter runs.
    pub(super) fn spawn(
        name: &str,
        python: &Path,
        home: PathBuf,
        program: &Command,
    ) -> Result<Self> {
        let log = File::create(home.join("log")).map_err(|cause| setup_failed(&home, cause))?;
        let mut command = Command::new(python);
        command.arg("-c").arg(SUPERVISOR).arg(&home);
        command.arg(program.get_program()).args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
            .current_dir(&home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        new_group(&mut command);
        let started = command.spawn().and_then(|mut child| {
            let missing = || std::io::Error::other("a pipe is missing");
            let reports = child.stdout.take().ok_or_else(missing)?;
            Ok(Supervisor {
                orders: Some(child.stdin.take().ok_or_else(missing)?),
                reports: BufReader::new(reports),
                child,
            })
        });
        let supervisor = started.map_err(|cause| {
            let _ = fs::remove_dir_all(&home);
            error(format!("{} cannot be started", python.display())).with_source(cause)
        })?;
        Ok(Self {
            name: name.to_owned(),
            home,
            supervisor: Arc::new(Mutex::new(supervisor)),
        })
    }

    fn supervisor(&self) -> MutexGuard<'_, Supervisor> {
        locked(&self.supervisor)
    }

    /// Whether the supervisor is there: it ends when the program ends by itself, and not when that is [killed](Self::kill).
    pub(super) fn is_supervised(&self) -> bool {
        matches!(self.supervisor().child.try_wait(), Ok(None))
    }

    /// Fails with the end of the log if the program has ended by itself.
    pub(super) fn check_alive(&self) -> Result<()> {
        let state = self.supervisor().child.try_wait();
        match state {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(self.failure_with_log("ended")),
            Err(cause) => Err(error(format!("cannot check {}", self.name)).with_source(cause)),
        }
    }

    /// An error with the end of the log.
    pub(super) fn failure_with_log(&self, what: &str) -> Error {
        let log = self.log();
        let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
        let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
        let name = &self.name;
        error(format!("{name} {what}; the end of its log:\n{tail}"))
    }

    /// The output of the program so far.
    pub(super) fn log(&self) -> String {
        let bytes = fs::read(self.home.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until the log contains this text so many times.
    pub(super) async fn wait_until_logged(&self, text: &str, times: usize) -> Result<()> {
        let start = Instant::now();
        while self.log().matches(text).count() < times {
            self.check_alive()?;
            if start.elapsed() > READY_TIMEOUT {
                let waited = READY_TIMEOUT.as_secs();
                return Err(self.failure_with_log(&format!("is not ready after {waited} s")));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Ends the program by SIGKILL; [`start_again`](Self::start_again) starts it in the same folder.
    pub(super) async fn kill(&self) -> Result<()> {
        self.order("kill").await
    }

    /// Ends the program in an orderly way; [`start_again`](Self::start_again) starts it in the same folder.
    pub(super) async fn end(&self) -> Result<()> {
        self.order("stop").await
    }

    /// Ends the program in an orderly way, starts it again in the same folder, and waits until it logs this.
    pub(super) async fn restart(&self, ready: &str) -> Result<()> {
        let starts = self.log().matches(ready).count();
        self.end().await?;
        self.start_again().await?;
        self.wait_until_logged(ready, starts + 1).await
    }

    /// Starts the program after [`kill`](Self::kill); it does nothing if the program is running.
    pub(super) async fn start_again(&self) -> Result<()> {
        self.order("start").await
    }

    /// Has the supervisor do this. It does so even if this future is dropped.
    async fn order(&self, word: &'static str) -> Result<()> {
        let supervisor = self.supervisor.clone();
        let done = blocking(move || {
            let mut supervisor = locked(&supervisor);
            let mut report = String::new();
            let mut send = || -> std::io::Result<bool> {
                let Some(orders) = &mut supervisor.orders else {
                    return Ok(false);
                };
                orders.write_all(format!("{word}\n").as_bytes())?;
                supervisor.reports.read_line(&mut report)?;
                Ok(report == "done\n")
            };
            // A pipe that broke means the same as its end: the supervisor is gone.
            Ok(send().unwrap_or(false))
        });
        match done.await? {
            true => Ok(()),
            false => Err(self.failure_with_log("ended")),
        }
    }

    /// Asks the program to stop, without waiting for it.
    pub(super) fn ask_to_stop(&self) {
        drop(self.supervisor().orders.take());
    }

    /// Asks the program to stop and waits until it has.
    pub(super) fn stop(&self) -> Result<()> {
        self.ask_to_stop();
        let start = Instant::now();
        while start.elapsed() < STOP_TIMEOUT {
            if !self.is_supervised() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let (name, waited) = (&self.name, STOP_TIMEOUT.as_secs());
        Err(error(format!("{name} has not ended after {waited} s")))
    }

    /// What it is, for messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The folder of the program.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After this request the program ends by itself, even if `stop` does not wait any longer.
        let _ = self.stop();
        let _ = fs::remove_dir_all(&self.home);
    }
}

fn locked(supervisor: &Mutex<Supervisor>) -> MutexGuard<'_, Supervisor> {
    supervisor.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
fn new_group(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

#[cfg(not(unix))]
fn new_group(_: &mut Command) {}
