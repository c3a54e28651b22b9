//! `WorkerStats`: what a worker has done.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

/// What a worker has done: see [`WorkerHandle::stats`](super::WorkerHandle::stats).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WorkerStats {
    /// How many runs are in progress.
    pub running: u64,
    /// How many infrastructures were started.
    pub started: u64,
    /// How many of them have ended with the code 0.
    pub succeeded: u64,
    /// How many of them have ended with another code.
    pub failed: u64,
    /// How many could not be started.
    pub not_started: u64,
    /// How many runs were cancelled.
    pub cancelled: u64,
    /// How many runs were scheduled again, by a shutdown.
    pub rescheduled: u64,
    /// How many runs another worker has taken, or wait for a slot of their deployment.
    pub superseded: u64,
    /// When runs were last looked for, and the server has answered. If that is long ago, it is out of reach.
    pub last_poll: Option<DateTime<Utc>>,
}

/// The counters, which all runs share.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters(Arc<Mutex<WorkerStats>>);

impl Counters {
    pub(super) fn read(&self) -> WorkerStats {
        self.lock().clone()
    }

    pub(super) fn count(&self, counter: impl FnOnce(&mut WorkerStats) -> &mut u64) {
        *counter(&mut self.lock()) += 1;
    }

    /// Counts a run as one in progress until the returned value is dropped.
    pub(super) fn begin(&self) -> InProgress {
        self.lock().running += 1;
        InProgress(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, WorkerStats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run in progress.
pub(super) struct InProgress(Counters);

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
    }
}
