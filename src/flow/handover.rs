//! `Handover`: what the environment says of the run that this process was started for.

use std::env;
use std::sync::atomic::{AtomicBool, Ordering};

use uuid::Uuid;

use crate::error::{Error, Result};

/// What a supervisor, such as a Prefect worker, has put into the environment.
#[derive(Clone, Default)]
pub(super) struct Handover {
    /// The run to be run.
    pub run_id: Option<Uuid>,
    /// Whether a supervisor has started this process, which knows its id.
    pub is_supervised: bool,
    pub control: Option<Control>,
    pub on_sigterm: SigtermBehavior,
}

/// Where the supervisor listens, and the token that it expects.
#[derive(Clone)]
pub(super) struct Control {
    pub port: u16,
    pub token: String,
}

/// What SIGTERM means for a run that is not being cancelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SigtermBehavior {
    /// The run is CRASHED.
    #[default]
    Crash,
    /// A run of a deployment is scheduled again.
    Reschedule,
    /// Nothing is reported.
    Relinquish,
}

/// Whether an attempt of this process has taken the run that was handed over to it.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

impl Handover {
    /// Takes the run for the one attempt that may have it; `false` if it was taken before.
    pub(super) fn take() -> bool {
        !IS_TAKEN.swap(true, Ordering::SeqCst)
    }

    /// Reads the environment of this process.
    pub(super) fn from_env() -> Result<Self> {
        Self::read(|name| env::var(name).ok())
    }

    /// What still holds for another run than the one that was handed over.
    pub(super) fn of_no_run(self) -> Self {
        Self {
            on_sigterm: self.on_sigterm,
            ..Self::default()
        }
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let run_id = set("PREFECT__FLOW_RUN_ID").map(|id| {
            id.trim().parse().map_err(|_| {
                Error::configuration(format!("PREFECT__FLOW_RUN_ID={id} is not the id of a run"))
            })
        });
        let port = set("PREFECT__CONTROL_PORT").and_then(|port| port.trim().parse().ok());
        let control = port.zip(set("PREFECT__CONTROL_TOKEN"));
        let hooks = set("PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS");
        let behavior = set("PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR");
        Ok(Self {
            run_id: run_id.transpose()?,
            is_supervised: hooks.is_some()
                || control.is_some()
                || set("PREFECT__WORKER_NAME").is_some(),
            control: control.map(|(port, token)| Control { port, token }),
            on_sigterm: match behavior.as_deref().map(str::to_lowercase).as_deref() {
                Some("reschedule") => SigtermBehavior::Reschedule,
                Some("relinquish") => SigtermBehavior::Relinquish,
                _ => SigtermBehavior::Crash,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Handover> {
        Handover::read(|name| {
            let mut found = variables.iter().filter(|(it, _)| *it == name);
            found.next().map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_process_that_nobody_has_started_has_no_run() {
        let handover = read(&[("PREFECT__FLOW_RUN_ID", "")]).expect("read");
        assert!(handover.run_id.is_none() && !handover.is_supervised);
        assert_eq!(handover.on_sigterm, SigtermBehavior::Crash);
    }

    #[test]
    fn a_worker_hands_over_a_run_and_a_channel() {
        let id = Uuid::new_v4().to_string();
        let handover = read(&[
            ("PREFECT__FLOW_RUN_ID", &id),
            ("PREFECT__CONTROL_PORT", "4201"),
            ("PREFECT__CONTROL_TOKEN", "secret"),
            ("PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS", "false"),
            ("PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR", "Reschedule"),
        ]);
        let handover = handover.expect("read");
        assert_eq!(handover.run_id.map(|id| id.to_string()), Some(id));
        assert!(handover.is_supervised);
        assert_eq!(handover.control.map(|control| control.port), Some(4201));
        assert_eq!(handover.on_sigterm, SigtermBehavior::Reschedule);
    }

    #[test]
    fn an_id_that_is_none_is_refused() {
        let error = read(&[("PREFECT__FLOW_RUN_ID", "nightly")])
            .err()
            .expect("refused");
        assert!(error.is_configuration(), "{error}");
    }
}
