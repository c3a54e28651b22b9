//! `ServeOptions`: how a process serves its deployments.

use std::time::Duration;

use super::shutdown::Shutdown;

/// How many runs are in progress at once unless it is set, as in Prefect's own runner.
const DEFAULT_LIMIT: u32 = 5;

/// How a process serves its deployments.
#[derive(Clone, Debug)]
pub(super) struct ServeOptions {
    pub limit: u32,
    pub shutdown: Shutdown,
    /// Whether the deployments are paused at the end.
    pub pauses: bool,
    pub catches_signals: bool,
    pub interval: Option<Duration>,
    pub prefetch: Option<Duration>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            limit: DEFAULT_LIMIT,
            shutdown: Shutdown::default(),
            pauses: false,
            catches_signals: true,
            interval: None,
            prefetch: None,
        }
    }
}
