//! `ServeStats`: what a process that serves deployments has done.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use crate::error::Error;
use crate::flow::Ending;

/// What a process that serves deployments has done: see [`ServerHandle::stats`](super::ServerHandle::stats).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServeStats {
    /// How many runs are in progress.
    pub running: u64,
    /// How many runs have become COMPLETED.
    pub completed: u64,
    /// How many runs have become FAILED.
    pub failed: u64,
    /// How many runs have become CRASHED.
    pub crashed: u64,
    /// How many runs have become CANCELLED.
    pub cancelled: u64,
    /// How many runs were suspended.
    pub suspended: u64,
    /// How many runs were scheduled again, by a shutdown or because their deployment's limit was reached.
    pub rescheduled: u64,
    /// How many runs were not to be run here, mostly because another process had taken them.
    pub superseded: u64,
    /// How many runs have ended in a way that could not be reported.
    pub unreported: u64,
    /// When runs were last looked for, and the server has answered. If that is long ago, it is out of reach.
    pub last_poll: Option<DateTime<Utc>>,
}

/// The counters, which all runs share.
#[derive(Clone, Default)]
pub(super) struct Counters(Arc<Mutex<ServeStats>>);

impl Counters {
    pub(super) fn read(&self) -> ServeStats {
        self.lock().clone()
    }

    pub(super) fn begin(&self) {
        self.lock().running += 1;
    }

    pub(super) fn end(&self) {
        self.lock().running -= 1;
    }

    pub(super) fn count(&self, ending: Result<&Ending, &Error>) {
        let mut stats = self.lock();
        let counter = match ending {
            Ok(Ending::Completed) => &mut stats.completed,
            Ok(Ending::Failed) => &mut stats.failed,
            Ok(Ending::Crashed) => &mut stats.crashed,
            Ok(Ending::Cancelled) => &mut stats.cancelled,
            Ok(Ending::Suspended) => &mut stats.suspended,
            Ok(Ending::Rescheduled | Ending::Relinquished) => &mut stats.rescheduled,
            Ok(Ending::Superseded(_)) => &mut stats.superseded,
            Ok(Ending::Unreported(_)) | Err(_) => &mut stats.unreported,
        };
        *counter += 1;
    }

    fn lock(&self) -> MutexGuard<'_, ServeStats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
