//! Many tasks of several processes compete for a few slots.

use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use prefect_sdk::{Client, LocalServer, RetryPolicy};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{a_limit, held, until_held};
use crate::support::{Fault, FaultProxy, refusal, reply};

const PROCESSES: usize = 3;
const TASKS: usize = 50;
const SLOTS: i64 = 5;

/// How often each task takes a slot when no reply is lost.
const ROUNDS: usize = 20;

/// The same when replies are lost: each lost grant holds a slot for a minute. Overridden by
/// `PREFECT_SDK_TEST_ROUNDS`.
const ROUNDS_WITH_FAULTS: usize = 2;

#[tokio::test]
async fn never_more_holders_than_slots_and_nobody_starves() {
    let server = server().await;
    let client = server.client().expect("a client");
    let limit = a_limit(&client, SLOTS).await;
    let outcome = contend(&client, client.api_url(), &limit, ROUNDS).await;
    println!("{outcome:?}");
    // In grants, not in seconds: a slow machine makes nobody wait for more of them.
    assert!(outcome.longest_wait < TASKS * ROUNDS / 2, "{outcome:?}");
    assert_eq!(held(&client, &limit).await, 0);
}

pub async fn the_same_holds_when_every_fifth_request_is_spoilt() {
    let server = server().await;
    let client = server.client().expect("a client");
    let limit = a_limit(&client, SLOTS).await;
    let proxy = FaultProxy::start(client.api_url(), spoiling()).await;
    let rounds = std::env::var("PREFECT_SDK_TEST_ROUNDS").map(|rounds| rounds.parse());
    let rounds = rounds.map_or(ROUNDS_WITH_FAULTS, |rounds| rounds.expect("a number"));
    let outcome = contend(&client, &proxy.url, &limit, rounds).await;
    let leaked = held(&client, &limit).await;
    // The lease, plus the time that the server takes to notice that it has expired.
    let after = until_held(&client, &limit, 0, Duration::from_secs(62)).await;
    println!("{outcome:?}; {leaked} leaked, gone after {after:?}");
}

async fn server() -> LocalServer {
    let every = "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS";
    let server = LocalServer::builder()
        .env(every, "0.5")
        .database_url("sqlite+aiosqlite:///:memory:")
        .start()
        .await;
    server.expect("a server")
}

fn spoiling() -> impl FnMut(&crate::support::http::Message) -> Fault + Send {
    let (mut rng, mut requests) = (Rng::with_seed(6), 0);
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

#[derive(Debug)]
#[allow(dead_code, reason = "it is printed")]
struct Outcome {
    took: Duration,
    most_at_once: i64,
    /// The most grants to others for which one task waited.
    longest_wait: usize,
    acquisitions: usize,
}

/// Lets the processes contend for a limit, and watches them and the server.
async fn contend(server: &Client, url: &str, limit: &str, rounds: usize) -> Outcome {
    let umpire = Umpire::start().await;
    let start = Instant::now();
    let mut processes: Vec<_> = (0..PROCESSES)
        .map(|number| {
            // The 50 tasks are split into 17, 17 and 16.
            let tasks = (TASKS + PROCESSES - 1 - number) / PROCESSES;
            worker(url, limit, &umpire.address, tasks, rounds)
        })
        .collect();
    while processes.iter_mut().any(is_running) {
        let active = held(server, limit).await;
        assert!(active <= SLOTS, "the server counts {active}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for mut process in processes {
        assert!(
            process.wait().expect("ended").success(),
            "all acquisitions succeed"
        );
    }
    let state = &umpire.state;
    let outcome = Outcome {
        took: start.elapsed(),
        most_at_once: state.most.load(Ordering::SeqCst),
        longest_wait: state.longest.load(Ordering::SeqCst),
        acquisitions: state.entered.load(Ordering::SeqCst),
    };
    assert!(outcome.most_at_once <= SLOTS, "{outcome:?}");
    assert!(outcome.most_at_once > 1, "{outcome:?}");
    assert_eq!(outcome.acquisitions, TASKS * rounds, "{outcome:?}");
    outcome
}

fn is_running(process: &mut Child) -> bool {
    process.try_wait().expect("observed").is_none()
}

/// Counts the tasks that hold a slot. A task reports after taking a slot, and before giving it back.
struct Umpire {
    address: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    inside: AtomicI64,
    most: AtomicI64,
    entered: AtomicUsize,
    /// The longest wait for a slot, in grants to others.
    longest: AtomicUsize,
}

impl Umpire {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(watch(stream, Arc::clone(&shared)));
            }
        });
        Self { address, state }
    }
}

/// A task waits for a slot.
const WAITS: u8 = 0;
/// It has got one.
const ENTERS: u8 = 1;
/// It is about to give it back.
const LEAVES: u8 = 2;

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
            _ => drop(state.inside.fetch_sub(1, Ordering::SeqCst)),
        }
        stream.write_u8(0).await.expect("answered");
    }
}

async fn tell(umpire: &mut TcpStream, message: u8) {
    umpire.write_u8(message).await.expect("told");
    umpire.read_u8().await.expect("acknowledged");
}

const CONTENDER: &str = "PREFECT_SDK_TEST_CONTENDER";

fn worker(url: &str, limit: &str, umpire: &str, tasks: usize, rounds: usize) -> Child {
    Command::new(std::env::current_exe().expect("this test binary"))
        .args([
            "--exact",
            "resources::concurrency::contention::a_process_that_contends",
            "--nocapture",
        ])
        .env(
            CONTENDER,
            format!("{url} {limit} {umpire} {tasks} {rounds}"),
        )
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("runs")
}

/// Not a test by itself: those above run it in other processes.
#[tokio::test]
async fn a_process_that_contends() {
    let Ok(said) = std::env::var(CONTENDER) else {
        return;
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
                tokio::time::sleep(Duration::from_millis(20)).await;
                assert!(!slot.is_lost());
                tell(&mut umpire, LEAVES).await;
                // If this fails, the slot is free once its lease has expired.
                if let Err(error) = slot.release().await {
                    println!("not given back: {error}");
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
}
