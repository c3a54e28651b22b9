//! `WorkerOptions`: how a worker works.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::serve::Shutdown;

/// How long a process may take to end after it was asked to.
const DEFAULT_GRACE: Duration = Duration::from_secs(30);

/// How a worker works.
#[derive(Clone, Debug)]
pub(super) struct WorkerOptions {
    pub name: Option<String>,
    pub creates_pool: bool,
    pub queues: Vec<String>,
    pub limit: Option<u32>,
    pub shutdown: Shutdown,
    pub grace: Duration,
    pub catches_signals: bool,
    pub interval: Option<Duration>,
    pub prefetch: Option<Duration>,
    pub variables: BTreeMap<String, String>,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            name: None,
            creates_pool: false,
            queues: Vec::new(),
            limit: None,
            shutdown: Shutdown::default(),
            grace: DEFAULT_GRACE,
            catches_signals: true,
            interval: None,
            prefetch: None,
            variables: BTreeMap::new(),
        }
    }
}
