//! Words for the states of runs.

use super::{State, StateCreate, StateType};

impl StateType {
    /// The states that end a run.
    pub const TERMINAL: [Self; 4] = [
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Crashed,
    ];

    /// Whether a run in this state has ended: COMPLETED, FAILED, CANCELLED or CRASHED.
    ///
    /// ```
    /// use prefect_sdk::types::StateType;
    ///
    /// assert!(StateType::Crashed.is_terminal() && !StateType::Cancelling.is_terminal());
    /// ```
    pub fn is_terminal(&self) -> bool {
        Self::TERMINAL.contains(self)
    }

    /// The same as [`is_terminal`](Self::is_terminal), by the name that Prefect's client has for it.
    pub fn is_final(&self) -> bool {
        self.is_terminal()
    }
}

impl State {
    /// Whether a run in this state has ended: see [`StateType::is_terminal`].
    pub fn is_terminal(&self) -> bool {
        self.type_.is_terminal()
    }

    /// The same as [`is_terminal`](Self::is_terminal), by the name that Prefect's client has for it.
    pub fn is_final(&self) -> bool {
        self.is_terminal()
    }
}

/// States to propose or to set. Each has the name that Prefect gives it by default.
///
/// ```
/// use prefect_sdk::types::{StateCreate, StateType};
///
/// let failed = StateCreate::failed("the disk is full");
/// assert_eq!(failed.type_, StateType::Failed);
/// assert_eq!(failed.message.as_deref(), Some("the disk is full"));
/// ```
impl StateCreate {
    /// PENDING: the run is about to begin.
    pub fn pending() -> Self {
        Self::new(StateType::Pending)
    }

    /// RUNNING.
    pub fn running() -> Self {
        Self::new(StateType::Running)
    }

    /// COMPLETED.
    pub fn completed() -> Self {
        Self::new(StateType::Completed)
    }

    /// FAILED, with the reason.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(StateType::Failed).message(message.into())
    }

    /// CRASHED, with the reason: what the run runs on has failed.
    pub fn crashed(message: impl Into<String>) -> Self {
        Self::new(StateType::Crashed).message(message.into())
    }

    /// CANCELLED.
    pub fn cancelled() -> Self {
        Self::new(StateType::Cancelled)
    }

    /// CANCELLING: whoever executes the run has to end it.
    pub fn cancelling() -> Self {
        Self::new(StateType::Cancelling)
    }
}
