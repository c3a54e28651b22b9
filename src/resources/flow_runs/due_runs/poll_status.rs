//! `PollStatus`: when runs were last looked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};

/// When a [`DueRuns`](super::DueRuns) was last answered: see [`DueRuns::status`](super::DueRuns::status).
#[derive(Clone, Debug, Default)]
pub struct PollStatus(Arc<AtomicI64>);

impl PollStatus {
    /// When the server last answered a poll, by this machine's clock. If that is long ago, it is out of reach.
    pub fn last_poll(&self) -> Option<DateTime<Utc>> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            millis => DateTime::from_timestamp_millis(millis),
        }
    }

    pub(super) fn set(&self, at: DateTime<Utc>) {
        self.0.store(at.timestamp_millis(), Ordering::Relaxed);
    }
}
