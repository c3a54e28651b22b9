//! The resident memory during the soak, and whether it is flat.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use crate::figures::median;

const SAMPLE_INTERVAL: Duration = Duration::from_secs(60);

/// How much more memory the last quarter may need than the second: by factor, and in MiB.
const GROWTH: f64 = 1.1;
const GROWTH_MIB: f64 = 4.0;

/// Samples of the resident memory, one a minute, until this is dropped.
pub struct Samples {
    /// Of this process, in MiB.
    own: Arc<Mutex<Vec<f64>>>,
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
                let [own, servers] = resident();
                let minutes = begun.elapsed().as_secs_f64() / 60.0;
                println!("{minutes:5.1} min: memory {own:.1} MiB, servers {servers:.0} MiB");
                samples.lock().expect("not poisoned").push(own);
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
        let second = median(&own[quarter..2 * quarter]);
        let last = median(&own[own.len() - quarter..]);
        let is_flat = last <= second * GROWTH + GROWTH_MIB;
        let line = format!(
            "memory: {second:.1} MiB in the second quarter, {last:.1} MiB in the last: {:.3}",
            last / second
        );
        (line, is_flat)
    }
}

impl Drop for Samples {
    fn drop(&mut self) {
        self.sampling.abort();
    }
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
