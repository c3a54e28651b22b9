//! What holds for one holds for many. `PREFECT_SDK_TEST_SCALE=full` takes the full numbers, which need half an hour;
//! otherwise they fit into a build. Each test prints what it cost.

mod clock;
mod events;
mod idle;
mod lines;
mod runs;
mod slots;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use prefect_sdk::ClientBuilder;

use crate::support::counting;

/// The full number, or the one that fits into a build.
fn scaled<T>(full: T, small: T) -> T {
    let scale = std::env::var("PREFECT_SDK_TEST_SCALE");
    match scale.is_ok_and(|scale| scale == "full") {
        true => full,
        false => small,
    }
}

/// Counts the requests of a client.
#[derive(Clone)]
struct Requests {
    count: Arc<AtomicUsize>,
    start: Instant,
}

impl Requests {
    fn of(builder: ClientBuilder) -> (Self, ClientBuilder) {
        let (builder, count) = counting(builder, |_| true);
        let requests = Self {
            count,
            start: Instant::now(),
        };
        (requests, builder)
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Prints what something has cost so far. (The memory is that of all tests that run at once.)
    fn print(&self, what: &str) {
        let (count, seconds) = (self.count(), self.start.elapsed().as_secs_f64());
        let rate = count as f64 / seconds;
        let memory = peak_memory();
        println!("{what}: {count} requests in {seconds:.1} s, {rate:.2} a second, peak {memory}");
    }
}

/// The peak memory of this process, as the system says.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.unwrap_or("unknown").trim().to_owned()
}

/// How long what needs a moment may take on a slow machine.
const LONG: Duration = Duration::from_secs(120);
