//! `RunUpdate`: what a run does.

use crate::types::{Log, State};

/// One update of a run: a new state or a log line.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RunUpdate {
    /// The run entered this state.
    State(Box<State>),
    /// The run logged this line.
    Log(Box<Log>),
}
