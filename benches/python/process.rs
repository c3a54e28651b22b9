//! The processes: each client does one piece of work in one of its own, and is measured from outside, so that the same
//! yardstick is put to both languages.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use uuid::Uuid;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/client.py");

/// How many of the ticks in `/proc` make a second; Linux reports them so to all programs.
const TICKS: f64 = 100.0;

/// The clients, in the order of the figures.
#[derive(Clone, Copy, PartialEq)]
pub enum Client {
    Sdk,
    PythonAsync,
    PythonSync,
}

impl Client {
    pub const ALL: [Self; 3] = [Self::Sdk, Self::PythonAsync, Self::PythonSync];
}

/// What a client does.
#[derive(Clone, Copy)]
pub enum Work {
    /// Reads one flow run so many times.
    Calls { count: usize, in_flight: usize },
    /// Reads this many flow runs, which are all that the server has.
    Stream { runs: usize },
}

impl Work {
    fn arguments(self) -> [String; 3] {
        let (name, count, in_flight) = match self {
            Self::Calls { count, in_flight } => ("calls", count, in_flight),
            Self::Stream { runs } => ("stream", runs, 1),
        };
        [name.to_owned(), count.to_string(), in_flight.to_string()]
    }

    pub fn count(self) -> usize {
        match self {
            Self::Calls { count, .. } => count,
            Self::Stream { runs } => runs,
        }
    }
}

/// What one process took, in seconds and MiB.
#[derive(Clone, Copy)]
pub struct Cost {
    /// From the start of the process to its first reply.
    pub start: f64,
    pub work: f64,
    /// The CPU time of the work.
    pub cpu: f64,
    /// The CPU time of the server meanwhile.
    pub server_cpu: f64,
    /// The most memory that the process has had (VmHWM).
    pub peak: f64,
}

/// What the processes of one server have in common.
pub struct Clients<'a> {
    pub python: &'a Path,
    pub api_url: String,
    /// A flow run that the server has.
    pub id: Uuid,
    /// The server's process, if its CPU time is wanted.
    pub server: Option<u32>,
    /// A folder without settings.
    pub home: &'a Home,
}

impl Clients<'_> {
    pub fn measure(&self, client: Client, work: Work) -> Cost {
        let mut command = match client {
            Client::Sdk => own("client"),
            _ => Command::new(self.python),
        };
        match client {
            Client::Sdk => &mut command,
            Client::PythonAsync => command.args([SCRIPT, "async"]),
            Client::PythonSync => command.args([SCRIPT, "sync"]),
        };
        // Settings of the user must not change what is compared.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PREFECT_") {
                command.env_remove(name);
            }
        }
        command
            .args(work.arguments())
            .arg(self.id.to_string())
            .current_dir(&self.home.0)
            .env("PREFECT_API_URL", &self.api_url)
            .env("PREFECT_HOME", &self.home.0)
            .env("DO_NOT_TRACK", "1");
        let server_cpu = || self.server.map_or(0.0, cpu);
        let begun = Instant::now();
        let mut process = Process::start(command);
        assert_eq!(process.line(), "ready");
        let start = begun.elapsed().as_secs_f64();
        let (begun, cpu_before, server_before) = (Instant::now(), cpu(process.id()), server_cpu());
        process.go_on();
        let done = process.line();
        let cost = Cost {
            start,
            work: begun.elapsed().as_secs_f64(),
            cpu: cpu(process.id()) - cpu_before,
            server_cpu: server_cpu() - server_before,
            peak: peak(process.id()),
        };
        assert_eq!(done, work.count().to_string());
        cost
    }
}

/// This program with another task.
pub fn own(task: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg(task);
    command
}

/// A process that is spoken to by lines. It ends by itself when its input does.
pub struct Process {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub fn start(mut command: Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a process");
        let output = child.stdout.take().expect("a pipe");
        let output = BufReader::new(output).lines();
        Self { child, output }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn line(&mut self) -> String {
        let line = self.output.next().expect("a line, not the end");
        line.expect("text")
    }

    fn go_on(&mut self) {
        let input = self.child.stdin.as_mut().expect("a pipe");
        input.write_all(b"\n").expect("the process is there");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // This fails only if somebody else has waited.
        let _ = self.child.wait();
    }
}

/// The CPU time that a process has used, in seconds.
fn cpu(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("Linux");
    // The name of the program, in parentheses, may have spaces.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let times = fields.split_whitespace().skip(11).take(2);
    let ticks: f64 = times.map(|time| time.parse::<f64>().expect("ticks")).sum();
    ticks / TICKS
}

/// The most memory that a process has had, in MiB.
fn peak(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.split_whitespace().next()?.parse::<f64>().ok());
    peak.expect("kB") / 1024.0
}

/// A folder that is removed in the end.
pub struct Home(PathBuf);

impl Home {
    pub fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("python-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What is left is in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
