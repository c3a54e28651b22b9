//! `ProcessInfrastructure`: runs as processes on this machine.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::infrastructure::{Exit, Infrastructure};
use super::job::Job;
use super::output::JobOutput;
use super::template::PROCESS_TEMPLATE;
use crate::flow::BoxError;

/// What is started for a run without a command: the flow of a Python deployment.
const DEFAULT_COMMAND: &str = "prefect flow-run execute";

/// The most bytes of a line that a process prints.
const MAX_LINE_BYTES: u64 = 64 * 1024;

/// How long the output of a process that has ended may take: another process may hold it open.
const LAST_OUTPUT_TIMEOUT: Duration = Duration::from_secs(5);

/// Executes runs as processes on this machine, in work pools of the type `process`, which Prefect's own process worker may
/// serve, too.
///
/// The job configuration has `command` (split into words as a shell does, but not run by one), `env`, `working_dir` and
/// `stream_output`. Each process is the first of a group of its own; the group is asked to end by SIGTERM and, after the
/// grace time, ended by SIGKILL. It inherits the environment of the worker, and its folder unless `working_dir` is set. What it prints becomes the log of its run,
/// and is printed by the worker, too. If the worker's future is dropped, the processes are killed.
#[derive(Debug, Default)]
pub struct ProcessInfrastructure {
    default_command: Option<String>,
    processes: Mutex<HashMap<String, Arc<Process>>>,
}

/// The job configuration.
#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    command: Option<String>,
    #[serde(default)]
    working_dir: Option<PathBuf>,
    #[serde(default)]
    stream_output: Option<bool>,
}

/// A process that was started, until its end was asked for.
#[derive(Debug)]
struct Process {
    group: Group,
    ended: watch::Receiver<Option<Exit>>,
}

impl ProcessInfrastructure {
    /// Starts `prefect flow-run execute` for runs whose job configuration has no command.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the command for runs whose job configuration has none. Default: `prefect flow-run execute`, which runs the
    /// Python flow of the run's deployment.
    pub fn default_command(mut self, command: impl Into<String>) -> Self {
        self.default_command = Some(command.into());
        self
    }

    fn command(&self, configured: Option<&str>) -> Result<Vec<String>, BoxError> {
        let default = self.default_command.as_deref().unwrap_or(DEFAULT_COMMAND);
        let command = configured.filter(|command| !command.is_empty());
        let words = shlex::split(command.unwrap_or(default));
        match words {
            Some(words) if !words.is_empty() => Ok(words),
            Some(_) => Err("the command is empty".into()),
            None => Err("the command has a quote without its counterpart".into()),
        }
    }

    fn processes(&self) -> MutexGuard<'_, HashMap<String, Arc<Process>>> {
        self.processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn process(&self, id: &str) -> Option<Arc<Process>> {
        self.processes().get(id).cloned()
    }
}

impl Infrastructure for ProcessInfrastructure {
    fn pool_type(&self) -> &str {
        "process"
    }

    fn base_job_template(&self) -> Value {
        serde_json::from_str(PROCESS_TEMPLATE).unwrap_or_default()
    }

    async fn start(&self, job: &Job) -> Result<String, BoxError> {
        let configuration: Configuration = job.configuration()?;
        let words = self.command(configuration.command.as_deref())?;
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            // Those of a supervisor of this worker are not for its jobs.
            .env_remove("PREFECT__CONTROL_PORT")
            .env_remove("PREFECT__CONTROL_TOKEN")
            .envs(job.environment())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        if let Some(folder) = configuration.working_dir {
            command.current_dir(folder);
        }
        let child = command
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", words[0]))?;
        let id = child.id().ok_or("the process has ended already")?;
        let (tell, ended) = watch::channel(None);
        let group = Group(id);
        let is_streamed = configuration.stream_output.unwrap_or(true);
        let output = is_streamed.then(|| job.output().clone());
        tokio::spawn(async move {
            let exit = attend(child, output).await;
            // If this fails, nobody waits for it any more.
            let _ = tell.send(Some(exit));
        });
        self.processes()
            .insert(id.to_string(), Arc::new(Process { group, ended }));
        Ok(id.to_string())
    }

    async fn wait(&self, id: &str) -> Result<Exit, BoxError> {
        let process = self.process(id).ok_or("there is no such process")?;
        let mut ended = process.ended.clone();
        let exit = *ended.wait_for(Option::is_some).await?;
        self.processes().remove(id);
        exit.ok_or_else(|| "the process was lost".into())
    }

    async fn kill(&self, id: &str, grace: Duration) -> Result<(), BoxError> {
        let Some(process) = self.process(id) else {
            return Ok(());
        };
        let mut ended = process.ended.clone();
        if ended.borrow().is_some() {
            return Ok(());
        }
        process.group.terminate();
        let over = tokio::time::timeout(grace, ended.wait_for(Option::is_some));
        let is_late = over.await.is_err();
        // What it has started may outlive it.
        process.group.kill();
        if is_late {
            ended.wait_for(Option::is_some).await?;
        }
        Ok(())
    }
}

impl Drop for ProcessInfrastructure {
    fn drop(&mut self) {
        for process in self.processes().values() {
            if process.ended.borrow().is_none() {
                process.group.kill();
            }
        }
    }
}

/// Passes the output of a process on until it has ended.
async fn attend(mut child: Child, output: Option<JobOutput>) -> Exit {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let to_stderr = output.clone();
    let outputs = tokio::spawn(async move {
        let stdout = pass_on(stdout, output, |line| {
            // If this fails, nobody reads what the worker prints.
            let _ = writeln!(std::io::stdout(), "{line}");
        });
        let stderr = pass_on(stderr, to_stderr, |line| {
            let _ = writeln!(std::io::stderr(), "{line}");
        });
        futures_util::future::join(stdout, stderr).await;
    });
    let status = child.wait().await;
    let abort = outputs.abort_handle();
    if tokio::time::timeout(LAST_OUTPUT_TIMEOUT, outputs)
        .await
        .is_err()
    {
        abort.abort();
    }
    status.map_or(Exit::code(-1), exit)
}

/// Passes lines on; what is not UTF-8 is replaced.
async fn pass_on(from: Option<impl AsyncRead + Unpin>, to: Option<JobOutput>, print: fn(&str)) {
    let Some(from) = from else { return };
    let (mut reader, mut line) = (BufReader::new(from), Vec::new());
    // A line without an end is cut.
    while let Ok(1..) = (&mut reader)
        .take(MAX_LINE_BYTES)
        .read_until(b'\n', &mut line)
        .await
    {
        if let Some(to) = &to {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\n', '\r']);
            print(text);
            to.line(text);
        }
        line.clear();
    }
}

#[cfg(unix)]
fn exit(status: ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt as _;

    let signal = status.signal().map(|signal| -signal);
    Exit::code(status.code().or(signal).unwrap_or(-1))
}

#[cfg(not(unix))]
fn exit(status: ExitStatus) -> Exit {
    Exit::code(status.code().unwrap_or(-1))
}

/// The processes that a process has started, and itself, by its id.
#[derive(Debug)]
struct Group(u32);

impl Group {
    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        let group = i32::try_from(self.0)
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            // If this fails, all of them have ended.
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }

    #[cfg(unix)]
    fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    #[cfg(unix)]
    fn kill(&self) {
        self.signal(rustix::process::Signal::KILL);
    }

    /// Elsewhere there are no groups: `taskkill` ends a process with those that it has started.
    #[cfg(not(unix))]
    fn terminate(&self) {
        self.kill();
    }

    #[cfg(not(unix))]
    fn kill(&self) {
        let id = self.0.to_string();
        // If this fails, it has ended.
        let _ = std::process::Command::new("taskkill")
            .args(["/T", "/F", "/PID", &id])
            .status();
    }
}
