//! `Proposer`: proposes the states of one run, each once, whatever happens to a request or its reply.

use std::time::Duration;

use uuid::Uuid;

use super::stop::{StopSignal, Stops};
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::raw;
use crate::resources::flow_runs::{ProposalOutcome, has_transition};
use crate::retry::RetryPolicy;
use crate::runtime::Backoff;
use crate::types::{
    FlowRunResponse, SetFlowRunStateRequest, State, StateCreate, StateDetails, StateType,
};

/// The waits while the server is out of reach.
pub(super) const OUTAGE_BACKOFF: Backoff =
    Backoff::new(Duration::from_secs(1), Duration::from_secs(30)).floor(Duration::from_millis(200));

/// The shortest wait before a proposal for which it is too early is made again.
const MIN_WAIT: Duration = Duration::from_millis(100);

/// The `User-Agent` for which the server keeps the lease of a deployment's slot. It revokes the lease of a run whose
/// client it does not know to renew it, and goes by this header alone.
const RENEWING_CLIENT: &str = concat!("prefect/", env!("PREFECT_VERSION"), " (API 0.8.4)");

/// Proposes the states of one run.
pub(super) struct Proposer {
    client: Client,
    id: Uuid,
    /// The state that the run was last known to be in.
    state_id: Option<Uuid>,
}

/// The server's decision, or why there is none.
#[derive(Debug)]
pub(super) enum Decision {
    Accepted(State),
    /// The run is in this state instead.
    Rejected(State),
    /// The run must not go on.
    Aborted(String),
    /// Nothing was decided before this.
    Stopped(StopSignal),
}

/// How a state is proposed.
pub(super) struct Terms<'a> {
    /// How long the server may be out of reach.
    pub patience: Duration,
    /// What ends the wait for a time or a server; a request under way is always waited for.
    pub stops: &'a mut Stops,
    /// Whether the lease of the deployment's slot is to be kept.
    pub keeps_lease: bool,
    /// By which the server knows the proposal again.
    pub transition: Uuid,
}

impl Proposer {
    pub(super) fn new(client: Client, id: Uuid) -> Self {
        Self {
            client,
            id,
            state_id: None,
        }
    }

    /// Reads the run, and remembers its state.
    pub(super) async fn read(&mut self) -> Result<FlowRunResponse> {
        let run = self.client.flow_runs().get(self.id).await?;
        self.know(&run);
        Ok(run)
    }

    /// Remembers the state of a run that was read or created.
    pub(super) fn know(&mut self, run: &FlowRunResponse) {
        self.know_state(run.state.as_ref().map(|state| state.id));
    }

    /// Remembers the state that the run is in.
    pub(super) fn know_state(&mut self, id: Option<Uuid>) {
        self.state_id = id;
    }

    /// Proposes a state until the server has decided: `POST /flow_runs/{id}/set_state`.
    pub(super) async fn propose(
        &mut self,
        mut state: StateCreate,
        terms: Terms<'_>,
    ) -> Result<Decision> {
        let transition = terms.transition;
        let details: &mut StateDetails = state.state_details.get_or_insert_default();
        details.transition_id = transition.into();
        let proposal = SetFlowRunStateRequest::new(state);
        let once = self.once(terms.keeps_lease);
        let client = self.client.clone();
        let clock = client.channel().clock();
        let (mut begun, mut failures) = (clock.now(), 0);
        loop {
            let error = match once.set_flow_run_state(&self.id, &proposal).await {
                Ok(reply) => match self.decision(reply.into_inner().outcome(), transition) {
                    Ok(decision) => return Ok(decision),
                    Err(Undecided::Wait(delay)) => {
                        let sleep = clock.sleep(delay.max(MIN_WAIT));
                        if let Some(stop) = terms.stops.before(sleep).await {
                            return Ok(Decision::Stopped(stop));
                        }
                        (begun, failures) = (clock.now(), 0);
                        continue;
                    }
                    Err(Undecided::NoState) => missing_state(self.id),
                },
                Err(error) => error,
            };
            if error.is_permanent() || !error.is_retryable() && !error.may_have_happened() {
                return Err(error);
            }
            failures += 1;
            // Proposed again, it might count twice, or undo what the server has decided.
            if error.may_have_happened()
                && let Some(decision) = self.find_decision(&proposal, transition).await?
            {
                return Ok(decision);
            }
            let delay = OUTAGE_BACKOFF.delay(failures, error.retry_after());
            if clock.now().saturating_duration_since(begun) + delay > terms.patience {
                return Err(error);
            }
            if failures == 1 {
                tracing::warn!(flow_run = %self.id, %error, "a state cannot be reported now; retrying");
            }
            let sleep = clock.sleep(delay);
            if let Some(stop) = terms.stops.before(sleep).await {
                return Ok(Decision::Stopped(stop));
            }
        }
    }

    /// One attempt a call: whether it was executed is found out here.
    fn once(&self, keeps_lease: bool) -> raw::Client {
        let once = self.client.raw().with_retry(RetryPolicy::none());
        match keeps_lease {
            true => once.with_user_agent(RENEWING_CLIENT),
            false => once,
        }
    }

    fn decision(
        &mut self,
        outcome: ProposalOutcome,
        transition: Uuid,
    ) -> std::result::Result<Decision, Undecided> {
        let decision = match outcome {
            ProposalOutcome::Accepted(Some(state)) => Decision::Accepted(state),
            ProposalOutcome::Rejected {
                state: Some(state), ..
            } => match has_transition(&state, transition) {
                true => Decision::Accepted(state),
                false => Decision::Rejected(state),
            },
            ProposalOutcome::Accepted(None) | ProposalOutcome::Rejected { .. } => {
                return Err(Undecided::NoState);
            }
            ProposalOutcome::Wait { delay, .. } => return Err(Undecided::Wait(delay)),
            ProposalOutcome::Aborted { reason } | ProposalOutcome::Unknown { reason, .. } => {
                Decision::Aborted(reason)
            }
        };
        if let Decision::Accepted(state) | Decision::Rejected(state) = &decision {
            self.state_id = Some(state.id);
        }
        Ok(decision)
    }

    /// What the server has decided on a proposal whose reply was lost; `None` if it did not execute it.
    async fn find_decision(
        &mut self,
        proposal: &SetFlowRunStateRequest,
        transition: Uuid,
    ) -> Result<Option<Decision>> {
        let before = self.state_id;
        let run = match self.read().await {
            Ok(run) => run,
            Err(error) if error.is_not_found() => return Err(error),
            // The server is out of reach: the next attempt will tell, by the id of the transition.
            Err(_) => return Ok(None),
        };
        let Some(state) = run.state.into_option().filter(|it| Some(it.id) != before) else {
            return Ok(None);
        };
        let made_by = state
            .state_details
            .as_ref()
            .and_then(|it| *it.transition_id);
        if made_by == Some(transition) {
            return Ok(Some(Decision::Accepted(state)));
        }
        Ok(match (&proposal.state.type_, &state.type_) {
            // The server's own rules leave the transition out.
            (proposed, now) if proposed == now && made_by.is_none() => {
                Some(Decision::Accepted(state))
            }
            (StateType::Running, StateType::Running) => {
                Some(Decision::Aborted("another process runs it".to_owned()))
            }
            // Others have made it go on meanwhile, as by resuming it: that is no decision on the proposal.
            (_, StateType::Running | StateType::Pending | StateType::Paused) => None,
            _ => Some(Decision::Rejected(state)),
        })
    }
}

/// Why a reply is no decision.
enum Undecided {
    Wait(Duration),
    NoState,
}

fn missing_state(id: Uuid) -> Error {
    let what = format!("the decision on the flow run {id} does not contain its state");
    Error::new(ErrorKind::UnexpectedBody, what).with_outcome(true, true)
}
