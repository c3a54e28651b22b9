//! All parts together, round after round, while servers are killed at random.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::chaos::Chaos;
use crate::cluster::Cluster;
use crate::figures::{Figures, spread};
use crate::memory::Samples;
use crate::served::Served;
use crate::{events, leaks, operations, runs, slots};

/// What each round does.
const OPERATIONS: usize = 200;
const OPERATIONS_AT_ONCE: usize = 8;
const RUNS: usize = 200;
const TASKS: usize = 50;
const EVENTS: usize = 500;
const SERVED: usize = 50;

/// The rounds of one part so far.
#[derive(Default)]
struct Sum {
    count: usize,
    lost: usize,
    doubled: usize,
    leaked: usize,
    /// The operations a second of each round.
    rates: Vec<f64>,
}

/// Runs rounds for this long. Returns how many things went wrong; each is printed.
pub async fn run(cluster: &Arc<Cluster>, duration: Duration, seed: u64) -> usize {
    let begun = Instant::now();
    let minutes = || begun.elapsed().as_secs_f64() / 60.0;
    let mut wrong = 0;
    let mut sums = BTreeMap::<&str, Sum>::new();
    let served = Arc::new(Served::start(cluster).await);
    let samples = Samples::start();
    let chaos = Chaos::start(Arc::clone(cluster), seed);
    let mut round = 0;
    while begun.elapsed() < duration {
        round += 1;
        let mut parts = parts(cluster, &served, seed.wrapping_add(round));
        while let Some(figures) = parts.join_next().await {
            match figures {
                Ok(figures) => {
                    println!("{:5.1} min, round {round}: {figures}", minutes());
                    print!("{}", figures.findings);
                    wrong += figures.findings.all().count();
                    sums.entry(figures.part).or_default().add(&figures);
                }
                Err(error) => {
                    println!("{:5.1} min, round {round}: {error}", minutes());
                    wrong += 1;
                }
            }
        }
    }
    println!(
        "{:5.1} min, the last of {round} rounds has ended",
        minutes()
    );
    println!("{:?}", chaos.end().await);
    let (memory, is_flat) = samples.judge();
    println!("{memory}");
    let served = Arc::into_inner(served).expect("all rounds have ended");
    let (stats, mut findings) = served.stop().await;
    println!("served: {stats:?}");
    findings
        .leaked
        .extend(leaks::on_servers(&cluster.checker).await);
    print!("{findings}");
    println!("the sum of each part; its median, least and greatest rate");
    for (part, sum) in &sums {
        let [least, median, most] = spread(&sum.rates);
        println!(
            "{part:<11}{:>7}; lost {}, doubled {}, leaked {}; {median:.1}/s ({least:.1} to {most:.1})",
            sum.count, sum.lost, sum.doubled, sum.leaked
        );
    }
    wrong + findings.all().count() + usize::from(!is_flat)
}

/// Starts all parts at once.
fn parts(cluster: &Arc<Cluster>, served: &Arc<Served>, seed: u64) -> JoinSet<Figures> {
    let mut parts = JoinSet::new();
    let [one, two, three, four, five] = std::array::from_fn(|_| Arc::clone(cluster));
    let served = Arc::clone(served);
    parts.spawn(async move { operations::run(&one, OPERATIONS, OPERATIONS_AT_ONCE, seed).await });
    parts.spawn(async move { runs::run(&two, RUNS).await });
    parts.spawn(async move { slots::run(&three, TASKS, 1, seed).await });
    parts.spawn(async move { events::run(&four, EVENTS).await });
    parts.spawn(async move { served.run(&five, SERVED).await });
    parts
}

impl Sum {
    fn add(&mut self, figures: &Figures) {
        self.count += figures.count;
        self.lost += figures.findings.lost.len();
        self.doubled += figures.findings.doubled.len();
        self.leaked += figures.findings.leaked.len();
        self.rates
            .push(figures.count as f64 / figures.took.as_secs_f64());
    }
}
