//! `ProposalOutcome`: the server's decision on a proposed state.

use std::time::Duration;

use uuid::Uuid;

use super::generated::FlowRuns;
use crate::error::Result;
use crate::types::{
    Field, FlowRunOrchestrationResult, OrchestrationDetails, OrchestrationResult,
    SetFlowRunStateRequest, SetStateStatus, State, StateCreate,
};

/// The shortest pause between two proposals, even if the server asks for a shorter one.
const MIN_PROPOSAL_PAUSE: Duration = Duration::from_millis(100);

/// The operation that proposes a state.
pub(super) const SET_STATE: &str = "set_flow_run_state";

/// The server's decision on a state that is proposed for a run: see [`OrchestrationResult::outcome`].
///
/// ```no_run
/// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
/// use prefect_sdk::flow_runs::ProposalOutcome;
///
/// match client.flow_runs().suspend(id, None).await?.outcome() {
///     ProposalOutcome::Accepted(_) => println!("it is suspended"),
///     ProposalOutcome::Wait { delay, reason } => println!("not before {delay:?} from now: {reason}"),
///     answer => println!("no: {}", answer.reason()),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ProposalOutcome {
    /// The run is in the proposed state. This is that state as the server has stored it.
    Accepted(Option<State>),
    /// The run is not in the proposed state.
    Rejected {
        /// The state that the run is in: another one that the server has set instead, or the one that it was
        /// in before.
        state: Option<State>,
        /// The reason; empty if the server gives none.
        reason: String,
    },
    /// It is too early; the run is in the state that it was in before.
    Wait {
        /// How long to wait before the state is proposed again.
        delay: Duration,
        /// The reason; empty if the server gives none.
        reason: String,
    },
    /// The run can never enter the proposed state from its current one, in which it stays.
    Aborted {
        /// The reason; empty if the server gives none.
        reason: String,
    },
    /// A reply of a newer server. Whether the state was accepted is not known: read the run.
    Unknown {
        /// The `status` of the reply.
        status: String,
        /// The reason; empty if the server gives none.
        reason: String,
    },
}

impl ProposalOutcome {
    /// Whether the run is in the state that was proposed.
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted(_))
    }

    /// Why the state was not accepted; empty if it was, or if the server gives no reason.
    pub fn reason(&self) -> &str {
        match self {
            Self::Accepted(_) => "",
            Self::Rejected { reason, .. }
            | Self::Wait { reason, .. }
            | Self::Aborted { reason }
            | Self::Unknown { reason, .. } => reason,
        }
    }

    /// Reads the decision from the status alone: the details may be of another type, as in the reply to a
    /// request to resume a run that is not paused.
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
    /// Returns the server's decision on the proposed state.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let answer = client.flow_runs().resume(id).await?.outcome();
    /// println!("accepted: {} {}", answer.is_accepted(), answer.reason());
    /// # Ok(())
    /// # }
    /// ```
    pub fn outcome(&self) -> ProposalOutcome {
        ProposalOutcome::of(&self.status, &self.state, &self.details)
    }
}

impl FlowRunOrchestrationResult {
    /// Returns the server's decision on the state that was proposed for this run.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// for run in client.flow_runs().cancel_many().tag("temporary").await? {
    ///     println!("{}: {:?}", run.flow_run_id, run.outcome());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn outcome(&self) -> ProposalOutcome {
        ProposalOutcome::of(&self.status, &self.state, &self.details)
    }
}

/// Whether a state was made by the proposal with this transition.
pub(crate) fn has_transition(state: &State, transition: Uuid) -> bool {
    let details = state.state_details.as_ref();
    details.is_some_and(|details| *details.transition_id == Some(transition))
}

impl FlowRuns<'_> {
    /// Proposes a state until the server has decided on it: `POST /flow_runs/{id}/set_state`. When the server
    /// replies that it is too early, because the run is scheduled for later or no slot is free, this waits
    /// for as long as the server asks and proposes the state again. A program uses it to report that its own
    /// run begins.
    ///
    /// The outcome is never [`ProposalOutcome::Wait`]. The state in [`Rejected`](ProposalOutcome::Rejected)
    /// is the one that the run is in now; after [`Aborted`](ProposalOutcome::Aborted) the run must not go on.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such run, or any
    /// [call error](crate::Error#call-errors). It waits without a time limit: put a timeout around it.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::flow_runs::ProposalOutcome;
    /// use prefect_sdk::types::{StateCreate, StateType};
    ///
    /// match client.flow_runs().propose(id, StateCreate::new(StateType::Running)).await? {
    ///     ProposalOutcome::Accepted(_) => println!("working"),
    ///     other => println!("not to be run: {}", other.reason()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn propose(self, id: Uuid, state: StateCreate) -> Result<ProposalOutcome> {
        let proposal = SetFlowRunStateRequest::new(state);
        loop {
            match self.set_state(id, &proposal).await?.outcome() {
                ProposalOutcome::Wait { delay, .. } => {
                    let clock = self.client.raw().channel().clock();
                    clock.sleep(delay.max(MIN_PROPOSAL_PAUSE)).await;
                }
                decided => return Ok(decided),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::types::StateType;

    fn answer(status: &str, details: Value) -> ProposalOutcome {
        let state = json!({ "type": "RUNNING", "id": uuid::Uuid::nil() });
        let result = json!({ "state": state, "status": status, "details": details });
        let result: OrchestrationResult = serde_json::from_value(result).expect("a result");
        result.outcome()
    }

    fn type_of(state: Option<State>) -> Option<StateType> {
        state.map(|state| state.type_)
    }

    #[test]
    fn a_state_is_accepted_or_rejected() {
        let accepted = answer("ACCEPT", json!({ "type": "accept_details" }));
        assert!(accepted.is_accepted() && accepted.reason().is_empty());
        let ProposalOutcome::Accepted(state) = accepted else {
            panic!("{accepted:?}")
        };
        assert_eq!(type_of(state), Some(StateType::Running));

        let details = json!({ "type": "reject_details", "reason": "why" });
        let rejected = answer("REJECT", details);
        assert!(!rejected.is_accepted());
        assert_eq!(rejected.reason(), "why");
        let ProposalOutcome::Rejected { state, .. } = rejected else {
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
            assert_eq!(wait(seconds), ProposalOutcome::Wait { delay, reason });
        }
        let aborted = answer("ABORT", json!({ "type": "abort_details" }));
        let reason = String::new();
        assert_eq!(aborted, ProposalOutcome::Aborted { reason });
    }

    /// The server sends such replies to requests to resume a run.
    #[test]
    fn the_status_counts_and_not_the_type_of_the_details() {
        let rejected = answer("REJECT", json!({ "type": "abort_details", "reason": "no" }));
        assert!(matches!(&rejected, ProposalOutcome::Rejected { .. }) && rejected.reason() == "no");
        let (delay, reason) = (Duration::ZERO, String::new());
        let wait = answer("WAIT", json!({ "type": "accept_details" }));
        assert_eq!(wait, ProposalOutcome::Wait { delay, reason });
    }

    #[test]
    fn what_a_newer_server_says_is_kept() {
        let later = answer("LATER", json!({ "type": "later_details", "reason": "new" }));
        assert!(!later.is_accepted());
        assert_eq!(later.reason(), "new");
        assert!(matches!(&later, ProposalOutcome::Unknown { status, .. } if status == "LATER"));
        let details = json!({ "type": "later_details", "delay_seconds": 0.5 });
        let delay = Duration::from_millis(500);
        assert!(
            matches!(answer("WAIT", details), ProposalOutcome::Wait { delay: it, .. } if it == delay)
        );
    }
}
