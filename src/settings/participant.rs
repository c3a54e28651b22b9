//! `ParticipantSettings`: the settings of programs whose work is itself a flow run.

use std::time::Duration;

/// The settings of a program that takes part; `None` where nothing is set.
#[derive(Clone, Debug, Default)]
#[cfg_attr(not(all(feature = "flows", feature = "logs")), allow(dead_code))]
pub(crate) struct ParticipantSettings {
    /// The time between heartbeats.
    pub heartbeat: Option<Duration>,
    /// Whether log lines are sent.
    pub logs_enabled: Option<bool>,
    /// The least level of lines that are sent: Prefect's name of it, or a number.
    pub log_level: Option<String>,
    /// The longest time that a line waits for others.
    pub log_interval: Option<Duration>,
    /// The most bytes of lines that are sent together.
    pub log_batch_bytes: Option<u32>,
    /// The most bytes of one line.
    pub log_line_bytes: Option<u32>,
    /// The most bytes of one line that Prefect Cloud takes.
    pub cloud_log_line_bytes: Option<u32>,
    /// What happens to lines outside of runs: `warn`, `error` or `ignore`.
    pub missing_flow: Option<String>,
}
