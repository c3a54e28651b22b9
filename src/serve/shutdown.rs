//! `Shutdown`: what becomes of the runs in progress when a process is asked to end.

use std::time::Duration;

/// What becomes of the runs in progress when a process that [serves](crate::Client::serve) deployments, or a
/// [worker](crate::Client::worker), is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shutdown {
    /// They have this time to end; those that have not ended then are rescheduled.
    Drain(Duration),
    /// They are stopped, and scheduled again: another process, or this one when it is started again, begins them anew.
    Reschedule,
    /// They are stopped and CANCELLED.
    Cancel,
}

impl Default for Shutdown {
    /// 15 s to end. Then a function that watches for its end has its grace, of 15 s, too; so let systemd (90 s by default)
    /// and Kubernetes (30 s by default) wait for a minute.
    fn default() -> Self {
        Self::Drain(Duration::from_secs(15))
    }
}
