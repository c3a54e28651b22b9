//! `Transition`: a proposed state on its way through the rules.

use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::Caller;
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::row;
use crate::types::{FlowRunPolicy, OrchestrationDetails, SetStateStatus, State, StateType};

/// A proposed state on its way through the rules.
///
/// A rule is asked only while the transition is still the one that was intended: when one has replaced or withdrawn the proposed
/// state, those behind it are passed by.
pub(super) struct Transition {
    pub run: Uuid,
    pub initial: Option<State>,
    /// What will be written; `None` when nothing is.
    pub proposed: Option<State>,
    intended: StateType,
    pub status: SetStateStatus,
    details: Value,
    /// The policy of the run, which rules change.
    pub policy: FlowRunPolicy,
    pub caller: Caller,
    /// What is to be done when the state has been written.
    pub after: After,
}

/// What rules do after a transition.
#[derive(Default)]
pub(super) struct After {
    /// The pause that is remembered.
    pub pause: Option<Pause>,
    /// The pause is left.
    pub leaves_pause: bool,
    /// The policy to restore if another rule has changed the transition.
    pub original_policy: Option<FlowRunPolicy>,
    /// The limit and the lease whose slot was taken for the proposed state.
    pub acquired: Option<(Uuid, Uuid)>,
    /// The client does not renew leases: that of the initial state is revoked.
    pub revokes_lease: bool,
}

/// A pause that begins.
pub(super) struct Pause {
    pub key: String,
    /// The keys of the inputs that it asks for: those that there are belong to an earlier attempt.
    pub inputs: Vec<String>,
}

impl Transition {
    pub(super) fn new(
        run: Uuid,
        initial: Option<State>,
        proposed: State,
        policy: FlowRunPolicy,
        caller: Caller,
    ) -> Self {
        Self {
            run,
            initial,
            intended: proposed.type_.clone(),
            proposed: Some(proposed),
            status: SetStateStatus::Accept,
            details: json!({"type": "accept_details"}),
            policy,
            caller,
            after: After::default(),
        }
    }

    /// The initial and the proposed state, if the transition is still the intended one and of these types.
    pub(super) fn between(
        &mut self,
        from: &[StateType],
        to: &[StateType],
    ) -> Option<(&State, &mut State)> {
        let (initial, proposed) = (self.initial.as_ref()?, self.proposed.as_mut()?);
        let applies = proposed.type_ == self.intended
            && (from.is_empty() || from.contains(&initial.type_))
            && (to.is_empty() || to.contains(&proposed.type_));
        applies.then_some((initial, proposed))
    }

    /// Whether the proposed state is still of the type that was intended.
    pub(super) fn is_as_intended(&self) -> bool {
        self.proposed
            .as_ref()
            .is_some_and(|proposed| proposed.type_ == self.intended)
    }

    /// Puts another state into the place of the proposed one; without one, the run stays as it is.
    pub(super) fn reject(&mut self, instead: Option<State>, reason: impl Into<String>) {
        self.proposed = instead;
        self.status = SetStateStatus::Reject;
        self.details = json!({"type": "reject_details", "reason": reason.into()});
    }

    pub(super) fn abort(&mut self, reason: impl Into<String>) {
        self.proposed = None;
        self.status = SetStateStatus::Abort;
        self.details = json!({"type": "abort_details", "reason": reason.into()});
    }

    pub(super) fn wait(&mut self, seconds: i64, reason: impl Into<String>) {
        self.proposed = None;
        self.status = SetStateStatus::Wait;
        self.details =
            json!({"type": "wait_details", "delay_seconds": seconds, "reason": reason.into()});
    }

    pub(super) fn details(&self) -> Result<OrchestrationDetails, Refusal> {
        row(self.details.clone())
    }
}
