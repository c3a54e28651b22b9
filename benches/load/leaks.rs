//! What must be gone when all is done: on the servers, and in this process.

use std::fs;
use std::time::{Duration, Instant};

use prefect_sdk::Client;
use prefect_sdk::types::StateType;

/// How long slots may be held that could not be given back: the longest lease is one of 300 s, and the servers look for those
/// that have ended every 15 s.
const LEASES_END: Duration = Duration::from_secs(360);

/// How long connections and tasks may take to end.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);

const LOOK_INTERVAL: Duration = Duration::from_secs(3);

/// The states in which nothing is left to do.
const TERMINAL: [StateType; 4] = [
    StateType::Completed,
    StateType::Failed,
    StateType::Crashed,
    StateType::Cancelled,
];

/// What is left on the servers: slots that are counted as held once all leases have ended, and runs that have not ended.
pub async fn on_servers(checker: &Client) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let mut left = Vec::new();
        for limit in checker
            .global_concurrency_limits()
            .list()
            .await
            .expect("listed")
        {
            if limit.active_slots != 0 {
                left.push(format!("{} slots of {}", limit.active_slots, limit.name));
            }
        }
        let all = checker.flow_runs().count().await.expect("counted");
        let mut ended = checker.flow_runs().count();
        for state in TERMINAL {
            ended = ended.state(state);
        }
        let running = all - ended.await.expect("counted");
        if running > 0 {
            left.push(format!("{running} flow runs that have not ended"));
        }
        if left.is_empty() || begun.elapsed() > LEASES_END {
            return left;
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// What this process has in use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InUse {
    /// The tasks of the program's runtime.
    tasks: usize,
    /// The threads of clients.
    threads: usize,
    files: usize,
}

impl InUse {
    pub fn now() -> Self {
        let entries = |path| fs::read_dir(path).expect("Linux").flatten();
        let name = |thread: &fs::DirEntry| fs::read_to_string(thread.path().join("comm"));
        let of_client = |thread: &fs::DirEntry| {
            let name = name(thread).unwrap_or_default();
            name.starts_with("prefect-sdk")
        };
        Self {
            tasks: tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks(),
            threads: entries("/proc/self/task").filter(of_client).count(),
            files: entries("/proc/self/fd").count(),
        }
    }

    /// What is in use beyond this when all should have ended.
    pub async fn left(self) -> Option<String> {
        let begun = Instant::now();
        loop {
            let now = Self::now();
            let is_left =
                now.tasks > self.tasks || now.threads > self.threads || now.files > self.files;
            if !is_left {
                return None;
            }
            if begun.elapsed() > SETTLE_TIMEOUT {
                return Some(format!("in use before: {self:?}, after: {now:?}"));
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
}
