//! The cost of a long list: 100,000 flow runs are read by the SDK's `Pager`, 100 at a time, and by raw reqwest with hand-written
//! serde structs, 200 at a time: what each gets by default. The two take turns, each in a process of its own.
//!
//! `cargo bench -p prefect-sdk-benches --bench memory` prints the peak memory of the whole process (VmHWM; Linux only) and the
//! time of each.

#[path = "../overhead/clients.rs"]
#[allow(dead_code)]
mod clients;
#[path = "../decode/floor.rs"]
mod floor;
#[path = "../overhead/server.rs"]
mod server;

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Instant;

use clients::Client;

const RUNS: usize = 100_000;
const ROUNDS: usize = 5;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [mode, kind, server] if mode == "list" => {
            let server = server.parse().expect("an address");
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().expect("a runtime");
            runtime.block_on(list(kind, server));
        }
        _ => compare(),
    }
}

/// Reads the runs with one client, and prints the peak memory in kB and the time in seconds.
async fn list(kind: &str, server: SocketAddr) {
    let begun = Instant::now();
    match (kind, Client::sdk(server)) {
        ("sdk", Client::Sdk(client)) => {
            let mut pager = client.flow_runs().list().pager();
            for _ in 0..RUNS {
                let run = pager.next().await.expect("more").expect("a run");
                std::hint::black_box(run.id);
            }
        }
        _ => {
            let client = Client::raw(server);
            for page in 0..RUNS / 200 {
                assert_eq!(client.page(page as i64 * 200).await, 200);
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.split_whitespace().next());
    println!("{} {seconds}", peak.expect("a peak"));
}

fn compare() {
    let server = server::start().to_string();
    let own = std::env::current_exe().expect("this program");
    let mut taken: [(&str, Vec<(f64, f64)>); 2] = [("raw", Vec::new()), ("sdk", Vec::new())];
    for _ in 0..ROUNDS {
        for (kind, taken) in &mut taken {
            let output = Command::new(&own)
                .args(["list", kind, &server])
                .stderr(Stdio::inherit())
                .output();
            let text = String::from_utf8(output.expect("it runs").stdout).expect("text");
            let mut numbers = text
                .split_whitespace()
                .map(|number| number.parse().expect("a number"));
            let mut next = || numbers.next().expect("two numbers");
            taken.push((next() / 1024.0, next()));
        }
    }
    println!("{RUNS} flow runs, medians of {ROUNDS} processes:");
    for (kind, taken) in taken {
        let (peaks, seconds): (Vec<_>, Vec<_>) = taken.into_iter().unzip();
        let (peak, seconds) = (median(peaks), median(seconds));
        println!("{kind}: peak {peak:.1} MiB, {seconds:.2} s");
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
