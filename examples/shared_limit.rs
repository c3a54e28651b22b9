//! Six processes share three slots, and one that holds a slot is killed with SIGKILL. Nothing cleans up
//! after it, but the server frees its slot when its lease expires. This takes about 75 s; a table shows
//! which processes wait and which hold a slot.
//!
//! With `PREFECT_API_URL` set it uses that server; otherwise it starts one of its own:
//! `cargo run --features local-server --example shared_limit`

use std::error::Error;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use prefect_sdk::types::ConcurrencyLimitV2Create;
use prefect_sdk::{Client, LocalServer, RetryPolicy};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

const WORKERS: usize = 6;
const SLOTS: i64 = 3;
/// The duration of a lease: the shortest that Prefect allows.
const LEASE: Duration = Duration::from_secs(60);
/// How long a worker holds its slot, approximately.
const HOLD: Duration = Duration::from_secs(3);
/// How long after the start a worker is killed.
const KILL_AFTER: Duration = Duration::from_secs(10);

// The states of a worker. It prints the first three itself, to its standard output.
const WAITING: &str = "waiting";
const HOLDING: &str = "holding";
const FREE: &str = "free";
const KILLED: &str = "killed";

/// The index of a worker, its state, and since when it is in that state.
type Said = (usize, &'static str, Instant);
type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => {}
        // This program has started itself again, as a worker.
        (Some("worker"), Some(limit)) => return work(&Client::from_env()?, &limit).await,
        (Some(other), _) => return Err(format!("unexpected argument: {other:?}").into()),
    }
    // Kept until the end: dropping it stops the server.
    let url = std::env::var_os("PREFECT_API_URL").filter(|url| !url.is_empty());
    let (client, _server) = match url {
        Some(_) => (Client::from_env()?, None),
        None => {
            println!("PREFECT_API_URL is not set: starting a Prefect server …");
            // The interval at which the server checks for expired leases. Default: 15 s.
            let every = "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS";
            let server = LocalServer::builder().env(every, "1").start().await?;
            (server.client()?, Some(server))
        }
    };
    let program = std::env::current_exe()?;
    let worker = |limit: &str| {
        let mut command = Command::new(&program);
        command.args(["worker", limit]);
        command.env("PREFECT_API_URL", client.api_url());
        command
    };
    let is_terminal = io::stdout().is_terminal();
    run(&client, worker, &mut io::stdout(), is_terminal).await?;
    Ok(())
}

/// Runs a worker until its standard input is closed, which also happens when its parent is killed.
pub async fn work(client: &Client, limit: &str) -> Result<()> {
    let (open, closed) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        drop(open);
    });
    tokio::select! {
        ended = take_turns(client, limit) => ended,
        _ = closed => Ok(()),
    }
}

async fn take_turns(client: &Client, limit: &str) -> Result<()> {
    // The server asks the clients that it refuses to wait for about as long as slots are held, up to 30 s.
    // That spares the server, but here somebody is watching.
    let client = client.with_retry(RetryPolicy::default().max_delay(Duration::from_secs(1)));
    let limit = client.concurrency(limit).lease(LEASE);
    let mut out = io::stdout();
    loop {
        writeln!(out, "{WAITING}")?;
        let slot = limit.acquire().await?;
        writeln!(out, "{HOLDING}")?;
        sleep(HOLD.mul_f64(0.8 + 0.4 * fastrand::f64())).await;
        // Printed before the release, so that a worker that is shown as holding a slot does hold one.
        writeln!(out, "{FREE}")?;
        slot.release().await?;
        sleep(Duration::from_millis(fastrand::u64(300..1000))).await;
    }
}

/// Runs the workers and kills one; `worker` returns the command of a worker for the name of a limit.
/// Returns how long it took after the kill until the others held all slots.
pub async fn run(
    client: &Client,
    worker: impl Fn(&str) -> Command,
    out: &mut impl Write,
    is_terminal: bool,
) -> Result<Duration> {
    let limits = client.global_concurrency_limits();
    let name = format!("shared-limit-{}", Uuid::new_v4());
    let limit = ConcurrencyLimitV2Create::new(&name, SLOTS);
    limits.ensure(&limit).await?;
    writeln!(out, "{WORKERS} processes share {SLOTS} slots.")?;
    writeln!(out, "In {KILL_AFTER:?} one that holds a slot is killed.\n")?;
    let watched = timeout(4 * LEASE, watch(client, &name, worker, out, is_terminal)).await;
    // The workers have ended by now, even if there was an error.
    let deleted = limits.delete(&name).await;
    let (took, ()) = (watched??, deleted?);
    writeln!(out, "\n{took:.1?} after the kill its slot is used again:")?;
    writeln!(out, "its lease has expired.")?;
    Ok(took)
}

async fn watch(
    client: &Client,
    limit: &str,
    worker: impl Fn(&str) -> Command,
    out: &mut impl Write,
    is_terminal: bool,
) -> Result<Duration> {
    let (limits, start) = (client.global_concurrency_limits(), Instant::now());
    let (said, heard) = channel();
    let workers = (0..WORKERS).map(|index| Worker::start(worker(limit), index, said.clone()));
    let mut workers = workers.collect::<Result<Vec<_>>>()?;
    let mut last = String::new();
    loop {
        sleep(Duration::from_millis(300)).await;
        let held = limits.get(limit).await?.active_slots;
        for (index, state, since) in heard.try_iter() {
            let worker = &mut workers[index];
            if worker.killed.is_none() {
                (worker.state, worker.since) = (state, since);
            }
        }
        for worker in workers.iter_mut().filter(|worker| worker.killed.is_none()) {
            if worker.child.try_wait()?.is_some() {
                return Err("a worker has ended unexpectedly".into());
            }
        }
        let picture = picture(&workers, held, is_terminal);
        if picture != last {
            if !is_terminal {
                write!(out, "{:5.1} s  ", start.elapsed().as_secs_f64())?;
            } else if !last.is_empty() {
                // Moves the cursor up to the first row of the previous table.
                write!(out, "\x1b[{}A", WORKERS + 1)?;
            }
            write!(out, "{picture}")?;
            out.flush()?;
            last = picture;
        }
        let holding = workers.iter().filter(|worker| worker.state == HOLDING);
        let holding = holding.count() as i64;
        match workers.iter().find_map(|worker| worker.killed) {
            // Living workers hold all slots of the limit, so the killed one does not hold one any more.
            Some(killed) if (held, holding) == (SLOTS, SLOTS) => return Ok(killed.elapsed()),
            None if start.elapsed() > KILL_AFTER => {
                // A worker that has held its slot for longer may be about to release it.
                let fresh = |worker: &&mut Worker| {
                    worker.state == HOLDING && worker.since.elapsed() < HOLD / 2
                };
                if let Some(worker) = workers.iter_mut().find(fresh) {
                    worker.child.kill()?;
                    (worker.state, worker.killed) = (KILLED, Some(Instant::now()));
                }
            }
            _ => {}
        }
    }
}

/// Returns rows for a terminal, which are drawn over the previous ones, or else one line.
fn picture(workers: &[Worker], held: i64, is_terminal: bool) -> String {
    let count = format!("held {held} of {SLOTS}");
    if !is_terminal {
        let states = workers.iter().map(|worker| format!("  {:7}", worker.state));
        return format!("{count}:{}\n", states.collect::<String>().trim_end());
    }
    let mut rows = String::new();
    for (number, worker) in (1..).zip(workers) {
        let (pid, age) = (worker.child.id(), worker.since.elapsed());
        let state = match worker.killed {
            // Its lease began when it took its slot, and was not renewed before the kill.
            Some(killed) => {
                let ago = killed.elapsed().as_secs();
                let left = LEASE.saturating_sub(age).as_secs();
                format!("\x1b[31m{KILLED} {ago} s ago, slot returns in about {left} s")
            }
            None => {
                let colour = if worker.state == HOLDING { 32 } else { 2 };
                let seconds = age.as_secs_f64();
                format!("\x1b[{colour}m{} {seconds:.1} s", worker.state)
            }
        };
        rows += &format!("\x1b[K{number}  pid {pid:<7}  {state}\x1b[0m\n");
    }
    format!("{rows}\x1b[K\x1b[1m{count}\x1b[0m\n")
}

/// A worker process, which is killed when this is dropped.
struct Worker {
    child: Child,
    state: &'static str,
    since: Instant,
    killed: Option<Instant>,
}

impl Worker {
    /// Starts the process; the states that it prints are sent to `said`, with its index.
    fn start(mut command: Command, index: usize, said: Sender<Said>) -> Result<Self> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut worker = Self {
            child: command.spawn()?,
            state: WAITING,
            since: Instant::now(),
            killed: None,
        };
        let stdout = worker.child.stdout.take().ok_or("no output")?;
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(io::Result::ok) {
                let mut states = [WAITING, HOLDING, FREE].into_iter();
                if let Some(state) = states.find(|state| *state == line) {
                    let _ = said.send((index, state, Instant::now()));
                }
            }
        });
        Ok(worker)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // These fail if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
