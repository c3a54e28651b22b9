//! What it costs to be a flow run: 10,000 tasks and 100,000 log lines in one run, on a real server that this starts.
//!
//! `cargo bench -p prefect-sdk-benches --bench participant` prints, for each: what one costs the function, in CPU time of its
//! thread, against the same function that reports nothing; how long the run takes until everything is recorded; and the peak
//! memory of the process (VmHWM; Linux only). It checks that all are there once, and the lines in order. Python's `@task` runs on the same
//! server, 200 times.

use std::hint::black_box;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prefect_sdk::flow::{BoxError, Run};
use prefect_sdk::{Client, Flow, LocalServer, logs};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

const TASKS: u32 = 10_000;
const LINES: u32 = 100_000;
const PYTHON_TASKS: u32 = 200;

/// The work of one task: about two milliseconds.
const ROUNDS: u64 = 1_000_000;

fn work(seed: u32) -> u64 {
    let mix = |value: u64, n| value.rotate_left(5) ^ n;
    (0..ROUNDS).fold(u64::from(seed), |value, n| black_box(mix(value, n)))
}

const PYTHON: &str = "
import time
from prefect import flow, task

@task
def nothing(n):
    return n

@flow
def many():
    begun = time.perf_counter()
    for n in range(200):
        nothing(n)
    print('SECONDS', time.perf_counter() - begun)

many()
";

#[tokio::main]
async fn main() {
    let server = LocalServer::start().await.expect("a server");
    let client = server.client().expect("a client");
    tracing_subscriber::registry()
        .with(logs::layer(&client))
        .init();
    println!(
        "{:<28}{:>14}{:>14}{:>12}{:>14}",
        "", "each", "of its work", "recorded", "peak memory"
    );

    let alone = time(|| {
        (0..TASKS).for_each(|n| {
            black_box(work(n));
        })
    });
    let took = Arc::new(Mutex::new(Duration::ZERO));
    let seen = Arc::clone(&took);
    let flow = Flow::new("tasks", move |run: Run, _: ()| {
        let seen = Arc::clone(&seen);
        async move {
            let begun = cpu();
            for n in 0..TASKS {
                run.task("work")
                    .run(|_| async { Ok::<_, BoxError>(work(n)) })
                    .await?;
            }
            *seen.lock().expect("not poisoned") = cpu() - begun;
            Ok::<_, BoxError>(())
        }
    });
    let (id, whole) = attempt(&client, &flow).await;
    let body = *took.lock().expect("not poisoned");
    report("10,000 tasks", TASKS, alone, body, whole);
    let tasks = client
        .task_runs()
        .list()
        .flow_run_id(id)
        .at_most(2 * TASKS as usize)
        .await
        .expect("listed");
    let mut ids: Vec<_> = tasks.iter().map(|task| task.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), tasks.len()), (TASKS as usize, TASKS as usize));
    assert!(
        tasks
            .iter()
            .all(|task| task.state_name.as_deref() == Some("Completed"))
    );
    drop(tasks);

    let alone = time(|| {
        (0..LINES / 10).for_each(|n| {
            black_box(work(n));
        })
    });
    let seen = Arc::clone(&took);
    let flow = Flow::new("lines", move |_: Run, _: ()| {
        let seen = Arc::clone(&seen);
        async move {
            let begun = cpu();
            for n in 0..LINES {
                if n % 10 == 0 {
                    black_box(work(n / 10));
                }
                tracing::info!(target: "line", "{n}");
            }
            *seen.lock().expect("not poisoned") = cpu() - begun;
            Ok::<_, BoxError>(())
        }
    });
    let (id, whole) = attempt(&client, &flow).await;
    let body = *took.lock().expect("not poisoned");
    report("100,000 lines", LINES, alone, body, whole);
    let mut lines = client.logs().list().flow_run_id(id).pager();
    let mut next = 0;
    while let Some(line) = lines.next().await {
        let line = line.expect("a line");
        if line.name == "line" {
            assert_eq!(line.message, next.to_string());
            next += 1;
        }
    }
    assert_eq!(next, LINES);

    let output = Command::new(server.python())
        .args(["-c", PYTHON])
        .env("PREFECT_API_URL", server.api_url())
        .env("PREFECT_LOGGING_LEVEL", "WARNING")
        .output()
        .expect("Python");
    let text = String::from_utf8_lossy(&output.stdout);
    let seconds = text
        .lines()
        .find_map(|line| line.strip_prefix("SECONDS ")?.parse().ok());
    let each = Duration::from_secs_f64(seconds.expect("the time")) / PYTHON_TASKS;
    println!("{:<28}{each:>14.1?}", "Python's @task, in sequence");
}

fn time(work: impl FnOnce()) -> Duration {
    let begun = cpu();
    work();
    cpu() - begun
}

/// The CPU time of this thread, on which the function runs too: the server has the other core, and more.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = stat
        .split_whitespace()
        .next()
        .and_then(|it| it.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a time"))
}

/// Runs the flow, and returns the run and how long all of it took.
async fn attempt(client: &Client, flow: &Flow<(), ()>) -> (uuid::Uuid, Duration) {
    let begun = Instant::now();
    let outcome = client.attempt(flow).new_run().await.expect("a run");
    assert!(outcome.is_completed(), "{outcome:?}");
    (outcome.run_id(), begun.elapsed())
}

fn report(what: &str, count: u32, alone: Duration, body: Duration, whole: Duration) {
    let each = body.saturating_sub(alone) / count;
    let share = body.as_secs_f64() / alone.as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.unwrap_or("?").trim();
    println!(
        "{what:<28}{each:>14.1?}{share:>14.3}{:>12.1?}{peak:>14}",
        whole - body
    );
}
