//! Ratios from rounds in which the two clients take turns, so that a disturbance affects both.

use std::alloc::System;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::runtime::Runtime;

use crate::clients::Client;
use crate::{PAGES, holds, holds_together, pages, posts, small_calls, together, words};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ROUNDS: usize = 31;

/// The environment variable that names the client whose peak memory this process prints.
const CHILD: &str = "PREFECT_SDK_BENCH_CHILD";

/// The cost of one round.
#[derive(Clone, Copy)]
struct Cost {
    latency: Duration,
    /// The CPU time of the threads that the client runs on; the server has its own threads.
    cpu: Duration,
    allocations: usize,
}

pub fn print(runtime: &Runtime, server: SocketAddr) {
    let clients = [Client::sdk(server), Client::raw(server)];
    println!("ratios to raw reqwest, medians of {ROUNDS} rounds by turns");
    println!(
        "{:<32}{:>10}{:>10}{:>14}",
        "", "latency", "CPU", "allocations"
    );
    let row = |name: &str, round: &dyn Fn(&Client)| {
        let rounds: Vec<[Cost; 2]> = (0..=ROUNDS)
            .map(|number| {
                // The client that goes first alternates, too.
                let [mut one, mut two] = [0, 1].map(|turn| (turn + number) % 2);
                let first = measure(|| round(&clients[one]));
                let second = measure(|| round(&clients[two]));
                if one == 1 {
                    std::mem::swap(&mut one, &mut two);
                    return [second, first];
                }
                [first, second]
            })
            .skip(1)
            .collect();
        let ratio = |of: &dyn Fn(&Cost) -> f64| {
            let mut ratios: Vec<f64> = rounds.iter().map(|[sdk, raw]| of(sdk) / of(raw)).collect();
            ratios.sort_by(f64::total_cmp);
            ratios[ratios.len() / 2]
        };
        println!(
            "{name:<32}{:>10.3}{:>10.3}{:>14.3}",
            ratio(&|cost| cost.latency.as_secs_f64()),
            ratio(&|cost| cost.cpu.as_secs_f64()),
            ratio(&|cost| cost.allocations as f64),
        );
    };
    row("500 calls, a word each", &|client| {
        runtime.block_on(words(client, 500))
    });
    row("500 calls, a run each", &|client| {
        runtime.block_on(small_calls(client, 500))
    });
    row("500 calls, a small body each", &|client| {
        runtime.block_on(posts(client, 500))
    });
    row("64 in flight, 2000 calls", &|client| {
        runtime.block_on(together(client, 2000))
    });
    row("250 slots held", &|client| {
        runtime.block_on(holds(client, 250))
    });
    row("64 in flight, 1000 slots held", &|client| {
        runtime.block_on(holds_together(client, 1000))
    });
    row("50 pages of 200 flow runs", &|client| {
        runtime.block_on(pages(client, PAGES))
    });
    let [sdk, raw] = ["sdk", "raw"].map(peak_of_child);
    println!(
        "peak memory of {PAGES} pages: {sdk} kB, raw {raw} kB: {:.3}",
        sdk as f64 / raw as f64
    );
}

fn measure(round: impl FnOnce()) -> Cost {
    let region = Region::new(ALLOCATOR);
    let (start, cpu) = (Instant::now(), client_cpu());
    round();
    Cost {
        latency: start.elapsed(),
        cpu: client_cpu() - cpu,
        allocations: region.change().allocations,
    }
}

/// The CPU time of this thread and of the SDK's own, as Linux reports it.
fn client_cpu() -> Duration {
    let this = std::fs::read_link("/proc/thread-self").expect("Linux");
    let of = |task: &std::path::Path| {
        let stat = std::fs::read_to_string(task.join("schedstat")).ok()?;
        let nanos = stat.split(' ').next()?.parse().ok()?;
        Some(Duration::from_nanos(nanos))
    };
    let mut sum = of(&std::path::Path::new("/proc").join(this)).expect("of this thread");
    for task in std::fs::read_dir("/proc/self/task").expect("Linux") {
        let task = task.expect("a thread").path();
        let name = std::fs::read_to_string(task.join("comm")).unwrap_or_default();
        if name.trim() == "prefect-sdk" {
            sum += of(&task).unwrap_or_default();
        }
    }
    sum
}

/// Fetches the pages with one of the clients in a separate process, and returns its peak memory in kB.
fn peak_of_child(client: &str) -> u64 {
    let program = std::env::current_exe().expect("a path");
    let output = Command::new(program).env(CHILD, client).output();
    let output = output.expect("a process").stdout;
    String::from_utf8_lossy(&output)
        .trim()
        .parse()
        .expect("a number")
}

/// In such a process, fetches the pages, prints the peak of the resident memory in kB, and returns `true`.
pub fn is_child(runtime: &Runtime, server: SocketAddr) -> bool {
    let Ok(client) = std::env::var(CHILD) else {
        return false;
    };
    let client = match client.as_str() {
        "sdk" => Client::sdk(server),
        _ => Client::raw(server),
    };
    runtime.block_on(pages(&client, PAGES));
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().split(' ').next());
    println!("{}", peak.expect("a peak"));
    true
}
