//! Servers that are killed at random, one after the other, and started again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use prefect_sdk::Result;
use tokio::task::JoinHandle;

use crate::cluster::Cluster;

/// The time between two kills, and the time that a server is down, in seconds.
const KILL_AFTER: std::ops::Range<u64> = 20..60;
const DOWN_FOR: std::ops::Range<u64> = 2..15;

/// The balancer is restarted instead as often as one time in so many.
const BALANCER_EVERY: u32 = 6;

/// The wait after a start that has failed.
const START_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Kills servers until it is ended.
pub struct Chaos {
    is_ending: Arc<AtomicBool>,
    killing: JoinHandle<Done>,
}

#[derive(Debug, Default)]
#[allow(dead_code, reason = "it is printed")]
pub struct Done {
    servers_killed: u32,
    balancer_restarted: u32,
    failed: Vec<String>,
}

impl Done {
    fn note(&mut self, result: Result<()>) -> bool {
        let failed = result.err().map(|error| error.to_string());
        if let Some(error) = &failed {
            println!("{error}");
        }
        let is_done = failed.is_none();
        self.failed.extend(failed);
        is_done
    }
}

impl Chaos {
    pub fn start(cluster: Arc<Cluster>, seed: u64) -> Self {
        let is_ending = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_ending);
        let killing = tokio::spawn(async move {
            let (mut done, mut rng) = (Done::default(), Rng::with_seed(seed));
            while !ends.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_secs(rng.u64(KILL_AFTER))).await;
                if rng.u32(..BALANCER_EVERY) == 0 {
                    println!("the balancer is restarted");
                    let restarted = cluster.restart_balancer().await;
                    done.note(restarted);
                    done.balancer_restarted += 1;
                    continue;
                }
                let server = rng.usize(..cluster.servers());
                println!("server {server} is killed");
                let killed = cluster.kill_server(server).await;
                done.note(killed);
                tokio::time::sleep(Duration::from_secs(rng.u64(DOWN_FOR))).await;
                // On a busy machine it may take longer than the cluster waits.
                while !done.note(cluster.start_server(server).await) {
                    tokio::time::sleep(START_AGAIN_AFTER).await;
                }
                println!("server {server} is back");
                done.servers_killed += 1;
            }
            done
        });
        Self { is_ending, killing }
    }

    /// Waits until all servers are back, and returns what was done to them.
    pub async fn end(self) -> Done {
        self.is_ending.store(true, Ordering::Relaxed);
        self.killing.await.expect("no panic")
    }
}
