//! Many tasks of several processes compete for a few slots, and an umpire counts who holds one.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use prefect_sdk::{Client, RetryPolicy};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::http::Message;
use super::{Fault, refusal, reply};

const PROCESSES: usize = 3;

/// How long a task holds a slot.
const HOLD: Duration = Duration::from_millis(20);

/// Tasks that contend for the slots of a limit.
#[derive(Clone, Copy, Debug)]
pub struct Contention<'a> {
    /// The URL of the API for the processes.
    pub url: &'a str,
    pub limit: &'a str,
    /// How many tasks there are, in all processes together.
    pub tasks: usize,
    /// How often each task takes a slot.
    pub rounds: usize,
    /// The arguments with which this program calls [`contend_if_asked`].
    pub arguments: &'a [&'a str],
}

/// What the umpire and the server have seen.
#[derive(Debug)]
#[allow(dead_code, reason = "it is printed")]
pub struct Outcome {
    pub took: Duration,
    /// The most slots that were held at once, by the umpire, and by the server.
    pub most_at_once: i64,
    pub most_counted: i64,
    /// The most grants to others for which one task waited.
    pub longest_wait: usize,
    pub acquisitions: usize,
    /// How many slots could not be given back, so that their leases had to end.
    pub not_given_back: usize,
    /// How many of the processes have failed.
    pub failed: usize,
}

impl Contention<'_> {
    /// Lets the processes contend, and watches them and the server.
    pub async fn run(self, server: &Client) -> Outcome {
        let umpire = Umpire::start().await;
        let start = Instant::now();
        let processes = (0..PROCESSES).map(|number| self.process(number, &umpire.address));
        let mut processes: Vec<_> = processes.collect();
        let mut most_counted = 0;
        while processes.iter_mut().any(is_running) {
            let limit = server.global_concurrency_limits().get(self.limit).await;
            most_counted = most_counted.max(limit.expect("there").active_slots);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let ended = processes.iter_mut().map(|it| it.wait().expect("ended"));
        let state = &umpire.state;
        Outcome {
            failed: ended.filter(|status| !status.success()).count(),
            took: start.elapsed(),
            most_at_once: state.most.load(Ordering::SeqCst),
            most_counted,
            longest_wait: state.longest.load(Ordering::SeqCst),
            acquisitions: state.entered.load(Ordering::SeqCst),
            not_given_back: state.not_given_back.load(Ordering::SeqCst),
        }
    }

    fn process(self, number: usize, umpire: &str) -> Child {
        let Self {
            url, limit, rounds, ..
        } = self;
        // 50 tasks are split into 17, 17 and 16.
        let tasks = (self.tasks + PROCESSES - 1 - number) / PROCESSES;
        Command::new(std::env::current_exe().expect("this program"))
            .args(self.arguments)
            .env(
                CONTENDER,
                format!("{url} {limit} {umpire} {tasks} {rounds}"),
            )
            .stdout(Stdio::null())
            .spawn()
            .expect("runs")
    }
}

fn is_running(process: &mut Child) -> bool {
    process.try_wait().expect("observed").is_none()
}

/// A plan that spoils one request in five at random, and loses not many grants: each holds its slot for a minute.
pub fn spoiling_slots(seed: u64) -> impl FnMut(&Message) -> Fault + Send {
    let (mut rng, mut requests) = (Rng::with_seed(seed), 0);
    move |_| {
        requests += 1;
        match rng.u8(..50) {
            // A client whose very first connection is refused assumes that the address is wrong.
            0 if requests > 100 => Fault::Refuse,
            1 | 2 => Fault::ResetBefore,
            3 | 4 => Fault::ResetAfter,
            5 => Fault::HalfReply,
            6 => Fault::Delay(Duration::from_millis(rng.u64(1..50))),
            7 => Fault::Answer(reply(429, json!({})).header("retry-after", "0.02")),
            8 | 9 => Fault::Answer(refusal(503)),
            _ => Fault::None,
        }
    }
}

/// Counts the tasks that hold a slot. A task reports after taking a slot, and before giving it back.
struct Umpire {
    address: String,
    state: Arc<State>,
    accepting: AbortHandle,
}

impl Drop for Umpire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

#[derive(Default)]
struct State {
    inside: AtomicI64,
    most: AtomicI64,
    entered: AtomicUsize,
    /// The longest wait for a slot, in grants to others.
    longest: AtomicUsize,
    not_given_back: AtomicUsize,
}

impl Umpire {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(watch(stream, Arc::clone(&shared)));
            }
        });
        Self {
            address,
            state,
            accepting: accepting.abort_handle(),
        }
    }
}

/// A task waits for a slot.
const WAITS: u8 = 0;
/// It has got one.
const ENTERS: u8 = 1;
/// It is about to give it back.
const LEAVES: u8 = 2;
/// It could not give it back.
const FAILS: u8 = 3;

/// Acknowledges each message of a task.
async fn watch(mut stream: TcpStream, state: Arc<State>) {
    let mut before = 0;
    while let Ok(message) = stream.read_u8().await {
        match message {
            WAITS => before = state.entered.load(Ordering::SeqCst),
            ENTERS => {
                let inside = state.inside.fetch_add(1, Ordering::SeqCst) + 1;
                state.most.fetch_max(inside, Ordering::SeqCst);
                let entered = state.entered.fetch_add(1, Ordering::SeqCst);
                state.longest.fetch_max(entered - before, Ordering::SeqCst);
            }
            LEAVES => drop(state.inside.fetch_sub(1, Ordering::SeqCst)),
            _ => drop(state.not_given_back.fetch_add(1, Ordering::SeqCst)),
        }
        stream.write_u8(0).await.expect("answered");
    }
}

async fn tell(umpire: &mut TcpStream, message: u8) {
    umpire.write_u8(message).await.expect("told");
    umpire.read_u8().await.expect("acknowledged");
}

const CONTENDER: &str = "PREFECT_SDK_TEST_CONTENDER";

/// In a process that [`Contention::run`] has started, contends, and returns `true`.
pub async fn contend_if_asked() -> bool {
    let Ok(said) = std::env::var(CONTENDER) else {
        return false;
    };
    let [url, limit, umpire, tasks, rounds] = said.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{said}");
    };
    let retry = RetryPolicy::default()
        .base_delay(Duration::from_millis(50))
        .attempts(10);
    let client = Client::builder()
        .api_url(url)
        .csrf(false)
        .version_check(false)
        .retry(retry)
        .build()
        .expect("a client");
    let rounds: usize = rounds.parse().expect("a number");
    let tasks = (0..tasks.parse().expect("a number")).map(|_: usize| {
        let (limit, umpire) = (client.concurrency(limit), umpire.to_owned());
        tokio::spawn(async move {
            let mut umpire = TcpStream::connect(umpire).await.expect("there");
            for _ in 0..rounds {
                tell(&mut umpire, WAITS).await;
                let slot = limit.acquire().await.expect("granted");
                tell(&mut umpire, ENTERS).await;
                tokio::time::sleep(HOLD).await;
                assert!(!slot.is_lost());
                tell(&mut umpire, LEAVES).await;
                // If this fails, the slot is free once its lease has expired.
                if let Err(error) = slot.release().await {
                    eprintln!("not given back: {error}");
                    tell(&mut umpire, FAILS).await;
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
    true
}
