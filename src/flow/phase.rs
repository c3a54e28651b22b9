//! How the phases of a run end.

use super::assignment::Ended;
use super::stop::StopReason;
use crate::types::State;

/// The end of an attempt, as the error of its phases.
pub(super) type Phase<T> = std::result::Result<T, Box<Ended>>;

/// What comes after the proposal of an end.
pub(super) enum Next {
    /// The server wants the run to be tried again: it is in this state.
    Retry(Box<State>),
    Ended(Box<Ended>),
}

/// What a stop means, once the run was read.
pub(super) enum Verdict {
    Stop(StopReason),
    /// Others have set the terminal state.
    AlreadyCancelled,
}

impl Verdict {
    /// Whether the server has the run in a state in which nobody expects heartbeats.
    pub(super) fn is_at_rest(&self) -> bool {
        matches!(
            self,
            Self::AlreadyCancelled | Self::Stop(StopReason::Suspended)
        )
    }

    /// What the function is told.
    pub(super) fn reason(&self) -> StopReason {
        match self {
            Self::Stop(reason) => reason.clone(),
            Self::AlreadyCancelled => StopReason::Cancelled,
        }
    }
}
