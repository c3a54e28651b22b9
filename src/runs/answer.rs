//! `Answer`: what the server says to a proposed state.

use std::time::Duration;

use crate::types::{
    Field, FlowRunOrchestrationResult, OrchestrationDetails, OrchestrationResult, SetStateStatus,
    State,
};

/// What the server says to a state that is proposed for a run: see [`OrchestrationResult::answer`].
///
/// ```no_run
/// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
/// use prefect_sdk::Answer;
///
/// match client.flow_runs().suspend(id, None).await?.answer() {
///     Answer::Accepted(_) => println!("it is suspended"),
///     Answer::Wait { delay, reason } => println!("not before {delay:?} from now: {reason}"),
///     answer => println!("no: {}", answer.reason()),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// The run is in the state that was proposed: this one, as the server keeps it.
    Accepted(Option<State>),
    /// The run is not in the state that was proposed.
    Rejected {
        /// The state that the run is in: another that the server has given it instead, or the one that it
        /// was in before.
        state: Option<State>,
        /// Why; empty if the server does not say.
        reason: String,
    },
    /// It is too early; the run is in the state that it was in before.
    Wait {
        /// When to propose it again.
        delay: Duration,
        /// Why; empty if the server does not say.
        reason: String,
    },
    /// The run can never come to this state from where it is, and is in the state that it was in before.
    Aborted {
        /// Why; empty if the server does not say.
        reason: String,
    },
    /// What a newer server says. Whether the state was accepted is not known: read the run.
    Unknown {
        /// The `status` of the reply.
        status: String,
        /// Why; empty if the server does not say.
        reason: String,
    },
}

impl Answer {
    /// Whether the run is in the state that was proposed.
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted(_))
    }

    /// Why it is not; empty if it is, or if the server does not say.
    pub fn reason(&self) -> &str {
        match self {
            Self::Accepted(_) => "",
            Self::Rejected { reason, .. }
            | Self::Wait { reason, .. }
            | Self::Aborted { reason }
            | Self::Unknown { reason, .. } => reason,
        }
    }

    /// By the status alone: the details may be of another type, as with a run that is not paused and is to
    /// resume.
    fn of(status: &SetStateStatus, state: &Field<State>, details: &OrchestrationDetails) -> Self {
        let state = state.clone().into_option();
        let reason = reason(details);
        match status {
            SetStateStatus::Accept => Self::Accepted(state),
            SetStateStatus::Reject => Self::Rejected { state, reason },
            SetStateStatus::Wait => Self::Wait {
                delay: delay(details),
                reason,
            },
            SetStateStatus::Abort => Self::Aborted { reason },
            status => Self::Unknown {
                status: status.to_string(),
                reason,
            },
        }
    }
}

fn reason(details: &OrchestrationDetails) -> String {
    let reason = match details {
        OrchestrationDetails::AcceptDetails(_) => None,
        OrchestrationDetails::WaitDetails(details) => details.reason.clone().into_option(),
        OrchestrationDetails::RejectDetails(details) => details.reason.clone().into_option(),
        OrchestrationDetails::AbortDetails(details) => details.reason.clone().into_option(),
        OrchestrationDetails::Unknown(details) => {
            let reason = details.get("reason");
            reason.and_then(|reason| reason.parse().ok())
        }
    };
    reason.unwrap_or_default()
}

fn delay(details: &OrchestrationDetails) -> Duration {
    let seconds = match details {
        OrchestrationDetails::WaitDetails(details) => details.delay_seconds as f64,
        OrchestrationDetails::Unknown(details) => {
            let seconds = details.get("delay_seconds");
            seconds
                .and_then(|seconds| seconds.parse().ok())
                .unwrap_or_default()
        }
        _ => 0.0,
    };
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

impl OrchestrationResult {
    /// What the server says to the state that was proposed.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let answer = client.flow_runs().resume(id).await?.answer();
    /// println!("accepted: {} {}", answer.is_accepted(), answer.reason());
    /// # Ok(())
    /// # }
    /// ```
    pub fn answer(&self) -> Answer {
        Answer::of(&self.status, &self.state, &self.details)
    }
}

impl FlowRunOrchestrationResult {
    /// What the server says to the state that was proposed for this run.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// for run in client.flow_runs().cancel_many().tag("temporary").await? {
    ///     println!("{}: {:?}", run.flow_run_id, run.answer());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn answer(&self) -> Answer {
        Answer::of(&self.status, &self.state, &self.details)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::types::StateType;

    fn answer(status: &str, details: Value) -> Answer {
        let state = json!({ "type": "RUNNING", "id": uuid::Uuid::nil() });
        let result = json!({ "state": state, "status": status, "details": details });
        let result: OrchestrationResult = serde_json::from_value(result).expect("a result");
        result.answer()
    }

    fn type_of(state: Option<State>) -> Option<StateType> {
        state.map(|state| state.type_)
    }

    #[test]
    fn a_state_is_accepted_or_rejected() {
        let accepted = answer("ACCEPT", json!({ "type": "accept_details" }));
        assert!(accepted.is_accepted() && accepted.reason().is_empty());
        let Answer::Accepted(state) = accepted else {
            panic!("{accepted:?}")
        };
        assert_eq!(type_of(state), Some(StateType::Running));

        let details = json!({ "type": "reject_details", "reason": "why" });
        let rejected = answer("REJECT", details);
        assert!(!rejected.is_accepted());
        assert_eq!(rejected.reason(), "why");
        let Answer::Rejected { state, .. } = rejected else {
            panic!("{rejected:?}")
        };
        assert_eq!(type_of(state), Some(StateType::Running));
    }

    #[test]
    fn it_is_too_early_or_impossible() {
        let wait = |seconds: Value| {
            let details = json!({ "type": "wait_details", "delay_seconds": seconds });
            answer("WAIT", details)
        };
        for (seconds, delay) in [(json!(7), 7), (json!(7.0), 7), (json!(-1), 0)] {
            let (delay, reason) = (Duration::from_secs(delay), String::new());
            assert_eq!(wait(seconds), Answer::Wait { delay, reason });
        }
        let aborted = answer("ABORT", json!({ "type": "abort_details" }));
        let reason = String::new();
        assert_eq!(aborted, Answer::Aborted { reason });
    }

    /// As resuming is answered.
    #[test]
    fn the_status_counts_and_not_the_type_of_the_details() {
        let rejected = answer("REJECT", json!({ "type": "abort_details", "reason": "no" }));
        assert!(matches!(&rejected, Answer::Rejected { .. }) && rejected.reason() == "no");
        let (delay, reason) = (Duration::ZERO, String::new());
        let wait = answer("WAIT", json!({ "type": "accept_details" }));
        assert_eq!(wait, Answer::Wait { delay, reason });
    }

    #[test]
    fn what_a_newer_server_says_is_kept() {
        let later = answer("LATER", json!({ "type": "later_details", "reason": "new" }));
        assert!(!later.is_accepted());
        assert_eq!(later.reason(), "new");
        assert!(matches!(&later, Answer::Unknown { status, .. } if status == "LATER"));
        let details = json!({ "type": "later_details", "delay_seconds": 0.5 });
        let delay = Duration::from_millis(500);
        assert!(matches!(answer("WAIT", details), Answer::Wait { delay: it, .. } if it == delay));
    }
}
