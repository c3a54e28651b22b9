//! `Outcome`: how an attempt at a run has ended, which is also the exit code of the process.

use std::fmt;
use std::process::{ExitCode, Termination};

use uuid::Uuid;

use super::flow::BoxError;
use crate::error::Error;
use crate::types::State;

/// How an attempt at a flow run has ended: see [`Client::attempt`](crate::Client::attempt).
///
/// A `main` that returns it ends with the right exit code: 0 if the run is COMPLETED, CANCELLED, suspended or
/// rescheduled, or was not this process's to run; 1 if it is FAILED, or its end could not be reported; 143 after
/// SIGTERM and 130 after Ctrl-C if it is CRASHED for that.
#[must_use = "it has the result of the run, and the exit code"]
pub struct Outcome<T = ()> {
    pub(super) run_id: Uuid,
    pub(super) ending: Ending,
    pub(super) state: Option<Box<State>>,
    pub(super) value: Option<T>,
    pub(super) error: Option<BoxError>,
    pub(super) signal: Option<u8>,
}

/// The ways in which an attempt ends.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ending {
    /// The function has returned a value: COMPLETED.
    Completed,
    /// The function has failed, panicked or timed out: FAILED.
    Failed,
    /// The process was asked to end, or lost what the run needs: CRASHED.
    Crashed,
    /// The run was cancelled.
    Cancelled,
    /// The run is suspended: it will start anew when it is resumed.
    Suspended,
    /// The run is scheduled again, for another process.
    Rescheduled,
    /// The infrastructure starts the run anew; nothing was reported.
    Relinquished,
    /// The run was not this process's to run, or no longer: why.
    Superseded(String),
    /// The end of the run could not be reported; the server shows the state before.
    Unreported(Error),
}

impl<T> Outcome<T> {
    /// The id of the flow run.
    pub fn run_id(&self) -> Uuid {
        self.run_id
    }

    /// How the attempt has ended.
    pub fn ending(&self) -> &Ending {
        &self.ending
    }

    /// The last state of the run that the server has told this process, if any.
    pub fn state(&self) -> Option<&State> {
        self.state.as_deref()
    }

    /// Whether the run is COMPLETED by this attempt.
    pub fn is_completed(&self) -> bool {
        matches!(self.ending, Ending::Completed)
    }

    /// What the function has returned, if it has, whatever became of the run.
    pub fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// What the function has returned, if it has, whatever became of the run.
    pub fn into_value(self) -> Option<T> {
        self.value
    }

    /// The error of the function, if it has failed, or what it has panicked with.
    pub fn error(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.error.as_deref()
    }

    /// The value if the run is COMPLETED, and otherwise the error of the function, or one that says how the run has
    /// ended.
    pub fn into_result(self) -> Result<T, BoxError> {
        match (self.value, self.error) {
            (Some(value), _) if matches!(self.ending, Ending::Completed) => Ok(value),
            (_, Some(error)) => Err(error),
            _ => Err(format!("the flow run {} {}", self.run_id, self.ending).into()),
        }
    }

    /// The exit code of a process that was started for the run.
    pub fn exit_code(&self) -> u8 {
        /// What shells report of a process that a signal has ended.
        const ENDED_BY_SIGNAL: u8 = 128;

        match (&self.ending, self.signal) {
            (Ending::Crashed | Ending::Relinquished, Some(signal)) => ENDED_BY_SIGNAL + signal,
            (
                Ending::Failed | Ending::Crashed | Ending::Relinquished | Ending::Unreported(_),
                _,
            ) => 1,
            _ => 0,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => f.write_str("is completed"),
            Self::Failed => f.write_str("has failed"),
            Self::Crashed => f.write_str("has crashed"),
            Self::Cancelled => f.write_str("was cancelled"),
            Self::Suspended => f.write_str("is suspended"),
            Self::Rescheduled => f.write_str("is scheduled again"),
            Self::Relinquished => f.write_str("was relinquished"),
            Self::Superseded(reason) => write!(f, "is not run: {reason}"),
            Self::Unreported(error) => write!(f, "could not be reported: {error}"),
        }
    }
}

impl<T> From<Outcome<T>> for ExitCode {
    fn from(outcome: Outcome<T>) -> Self {
        outcome.exit_code().into()
    }
}

impl<T> Termination for Outcome<T> {
    fn report(self) -> ExitCode {
        self.into()
    }
}

/// Without the value, which may be of any type.
impl<T> fmt::Debug for Outcome<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("run_id", &self.run_id)
            .field("ending", &self.ending)
            .field("state", &self.state.as_ref().map(|state| &state.name))
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}
