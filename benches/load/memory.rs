//! The memory during the soak, and whether it is flat.

use std::alloc::System;
use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::task::AbortHandle;

use crate::figures::median;

/// Resident memory also holds what the allocator keeps; what is allocated tells a leak from that.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SAMPLE_INTERVAL: Duration = Duration::from_secs(60);

/// How much more memory the last quarter may need than the second: by factor, and in MiB.
const GROWTH: f64 = 1.1;
const GROWTH_MIB: f64 = 4.0;

/// Samples of the memory of this process, one a minute, until this is dropped.
pub struct Samples {
    /// What is resident, and what is allocated, in MiB.
    own: Arc<Mutex<Vec<[f64; 2]>>>,
    sampling: AbortHandle,
}

impl Samples {
    pub fn start() -> Self {
        let own = Arc::new(Mutex::new(Vec::new()));
        let samples = Arc::clone(&own);
        let begun = Instant::now();
        let sampling = tokio::spawn(async move {
            loop {
                tokio::time::sleep(SAMPLE_INTERVAL).await;
                let ([own, servers], allocated) = (resident(), allocated());
                let minutes = begun.elapsed().as_secs_f64() / 60.0;
                println!(
                    "{minutes:5.1} min: memory {own:.1} MiB, {allocated:.2} MiB allocated, servers {servers:.0} MiB"
                );
                let sample = [own, allocated];
                samples.lock().expect("not poisoned").push(sample);
            }
        });
        Self {
            own,
            sampling: sampling.abort_handle(),
        }
    }

    /// A line about the memory, and whether it was flat.
    pub fn judge(&self) -> (String, bool) {
        let own = self.own.lock().expect("not poisoned");
        let quarter = own.len() / 4;
        if quarter == 0 {
            return ("too short to judge the memory".to_owned(), true);
        }
        let of = |kind: usize| {
            let values: Vec<_> = own.iter().map(|sample| sample[kind]).collect();
            let second = median(&values[quarter..2 * quarter]);
            [second, median(&values[values.len() - quarter..])]
        };
        let ([second, last], [before, after]) = (of(0), of(1));
        let is_flat = last <= second * GROWTH + GROWTH_MIB;
        let line = format!(
            "memory: {second:.1} MiB in the second quarter, {last:.1} MiB in the last; allocated {before:.2} and {after:.2}"
        );
        (line, is_flat)
    }
}

impl Drop for Samples {
    fn drop(&mut self) {
        self.sampling.abort();
    }
}

/// What this process has allocated, in MiB.
fn allocated() -> f64 {
    let stats = ALLOCATOR.stats();
    let bytes = stats.bytes_allocated - stats.bytes_deallocated;
    bytes as f64 / 1024.0 / 1024.0
}

/// The resident memory of this process and of its descendants (the servers), in MiB.
fn resident() -> [f64; 2] {
    let mut parents = HashMap::new();
    let mut sizes = HashMap::new();
    for entry in fs::read_dir("/proc").expect("Linux").flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|it| it.parse::<u32>().ok())
        else {
            continue;
        };
        // It may have ended meanwhile.
        let read = |name: &str| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        let stat = read("stat");
        // The name, which may have spaces, ends at the last parenthesis.
        let parent = stat
            .rsplit(')')
            .next()
            .and_then(|it| it.split_whitespace().nth(1));
        let pages = read("statm")
            .split_whitespace()
            .nth(1)
            .and_then(|it| it.parse::<f64>().ok());
        if let (Some(Ok(parent)), Some(pages)) = (parent.map(str::parse::<u32>), pages) {
            parents.insert(pid, parent);
            sizes.insert(pid, pages * 4096.0 / 1024.0 / 1024.0);
        }
    }
    let own = std::process::id();
    let descends = |mut pid: u32| {
        while let Some(parent) = parents.get(&pid) {
            pid = *parent;
            if pid == own {
                return true;
            }
        }
        false
    };
    let servers = sizes.iter().filter(|(pid, _)| descends(**pid));
    [sizes[&own], servers.map(|(_, size)| size).sum()]
}
