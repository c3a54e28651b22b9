//! `TaskOptions`: what a task is, and how it is run.

use std::collections::BTreeMap;
use std::time::Duration;

use super::input::Source;
use crate::flow::run::Run;

/// The options of a task.
#[derive(Clone)]
pub(super) struct TaskOptions {
    pub run: Run,
    pub name: String,
    pub retries: u32,
    pub retry_delay: Duration,
    pub timeout: Option<Duration>,
    pub tags: Vec<String>,
    pub version: Option<String>,
    pub inputs: BTreeMap<String, Vec<Source>>,
}
