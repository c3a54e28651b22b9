//! Whether much is done at once without loss: on several servers behind a balancer, which this starts.
//!
//! `cargo bench -p prefect-sdk-benches --bench load` does each part once: 2,000 mixed operations of which every fifth request is
//! spoilt, 10,000 runs by `run_many` that `wait_all` awaits, 50 × 20 acquisitions of slots from three processes with spoilt
//! requests, 10,000 events, 1,000 served runs. `-- operations`, `runs`, `slots`, `events` or `served` does one of them.
//! `-- soak --minutes 60` does less of all of them at a time, round after round, while servers are killed at random. `--scale 0.1`
//! does a tenth of the parts, `--seed N` makes other faults.
//!
//! Each part prints its figures. The program fails when something was lost, done twice or left behind.

mod chaos;
mod cluster;
mod events;
mod figures;
mod leaks;
mod memory;
mod operations;
mod runs;
mod served;
mod slots;
mod soak;
mod support;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::served::Served;

/// The numbers of the parts.
const OPERATIONS: usize = 2_000;
const OPERATIONS_AT_ONCE: usize = 32;
const RUNS: usize = 10_000;
const TASKS: usize = 50;
const ROUNDS: usize = 20;
const EVENTS: usize = 10_000;
const SERVED: usize = 1_000;

const PARTS: [&str; 5] = ["operations", "runs", "slots", "events", "served"];

/// What is asked for on the command line.
struct Options {
    parts: Vec<String>,
    is_soak: bool,
    minutes: u64,
    scale: f64,
    seed: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    if support::contend_if_asked().await {
        return ExitCode::SUCCESS;
    }
    let options = match Options::read() {
        Ok(options) => options,
        Err(unknown) => {
            eprintln!("{unknown}: the parts are {PARTS:?} and soak; see benches/load/main.rs");
            return ExitCode::FAILURE;
        }
    };
    let cluster = Arc::new(Cluster::start().await);
    println!("{cluster}");
    // What lives as long as the program is in use from here on.
    cluster.checker.admin().version().await.expect("a version");
    let before = leaks::InUse::now();
    let mut wrong = 0;
    if options.is_soak {
        let duration = Duration::from_secs(60 * options.minutes);
        wrong += soak::run(&cluster, duration, options.seed).await;
    }
    for part in &options.parts {
        let figures = options.run(part, &cluster).await;
        println!("{figures}");
        print!("{}", figures.findings);
        wrong += figures.findings.all().count();
    }
    let mut left = leaks::on_servers(&cluster.checker).await;
    left.extend(before.left().await);
    println!("left behind at the end: {left:?}");
    wrong += left.len();
    let cluster = Arc::into_inner(cluster).expect("nobody else uses it");
    cluster.stop().await;
    match wrong {
        0 => ExitCode::SUCCESS,
        _ => {
            println!("{wrong} things went wrong");
            ExitCode::FAILURE
        }
    }
}

impl Options {
    fn read() -> Result<Self, String> {
        let mut options = Self {
            parts: Vec::new(),
            is_soak: false,
            minutes: 60,
            scale: 1.0,
            seed: 20,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || arguments.next().unwrap_or_default();
            match argument.as_str() {
                // Cargo adds it.
                "--bench" => {}
                "soak" => options.is_soak = true,
                "--minutes" => options.minutes = number().parse().map_err(|_| argument)?,
                "--scale" => options.scale = number().parse().map_err(|_| argument)?,
                "--seed" => options.seed = number().parse().map_err(|_| argument)?,
                part if PARTS.contains(&part) => options.parts.push(argument),
                _ => return Err(argument),
            }
        }
        if options.parts.is_empty() && !options.is_soak {
            options.parts = PARTS.map(str::to_owned).into();
        }
        Ok(options)
    }

    async fn run(&self, part: &str, cluster: &Cluster) -> Figures {
        let scaled = |count: usize| (count as f64 * self.scale).ceil() as usize;
        match part {
            "operations" => {
                let count = scaled(OPERATIONS);
                operations::run(cluster, count, OPERATIONS_AT_ONCE, self.seed).await
            }
            "runs" => runs::run(cluster, scaled(RUNS)).await,
            "slots" => slots::run(cluster, TASKS, scaled(ROUNDS), self.seed).await,
            "events" => events::run(cluster, scaled(EVENTS)).await,
            _ => {
                let served = Served::start(cluster).await;
                let mut figures = served.run(cluster, scaled(SERVED)).await;
                let (_, findings) = served.stop().await;
                figures.findings.leaked.extend(findings.leaked);
                figures
            }
        }
    }
}
