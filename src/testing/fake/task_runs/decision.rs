//! `Decision`: what the rules have made of a proposed state.

use serde_json::{Value, json};

use super::state::TaskRow;
use crate::types::{SetStateStatus, State, StateDetails};

/// What the rules have made of a proposed state.
pub(super) struct Decision {
    /// What is written; `None` when nothing is.
    pub state: Option<State>,
    pub status: SetStateStatus,
    pub details: Value,
    /// How often the task run has run, by what the rules know.
    pub run_count: i64,
    /// The task run is now one of this attempt at its flow run.
    pub attempt: Option<i64>,
    /// The key by which other task runs will find the state.
    pub caches: bool,
}

impl Decision {
    pub(super) fn rejected(mut self, instead: Option<State>, reason: impl Into<String>) -> Self {
        self.state = instead;
        self.status = SetStateStatus::Reject;
        self.details = json!({"type": "reject_details", "reason": reason.into()});
        self
    }

    pub(super) fn aborted(mut self, reason: impl Into<String>) -> Self {
        self.state = None;
        self.status = SetStateStatus::Abort;
        self.details = json!({"type": "abort_details", "reason": reason.into()});
        self
    }

    pub(super) fn waits(mut self, seconds: i64, reason: impl Into<String>) -> Self {
        self.state = None;
        self.status = SetStateStatus::Wait;
        self.details =
            json!({"type": "wait_details", "delay_seconds": seconds, "reason": reason.into()});
        self
    }
}

/// Accepts a state whatever it is.
pub(super) fn forced(row: &TaskRow, proposed: State) -> Decision {
    Decision {
        state: Some(proposed),
        status: SetStateStatus::Accept,
        details: json!({"type": "accept_details"}),
        run_count: row.shown.run_count.unwrap_or(0),
        attempt: None,
        caches: false,
    }
}

/// The details of a state.
pub(super) fn details(state: &State) -> StateDetails {
    state.state_details.clone().unwrap_or_default()
}
