//! Claiming a scheduled run: of several processes that want it, one gets it.

use std::future::Future;
use std::time::Duration;

use uuid::Uuid;

use super::generated::FlowRuns;
use super::proposal::{ProposalOutcome, has_transition};
use crate::error::Result;
use crate::raw;
use crate::resources::outage;
use crate::retry::RetryPolicy;
use crate::runtime::Backoff;
use crate::types::{
    FlowRunPolicyRetryType, FlowRunResponse, SetFlowRunStateRequest, State, StateCreate,
    StateDetails, StateType,
};

/// How often a claim is tried that was certainly not executed.
const MAX_TRIES: u32 = 6;

/// The waits between these, and while the server is out of reach.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(30));

impl FlowRuns<'_> {
    /// Claims a scheduled run, so that no other process begins it: `GET /flow_runs/{id}`, and if its state is still the one
    /// with this id, `POST /flow_runs/{id}/set_state` (PENDING). Only who is answered
    /// [`Accepted`](ProposalOutcome::Accepted) has the run, and with it a slot of its deployment's limit.
    ///
    /// The server accepts PENDING also for a run that has ended, and a claim may wait in a loaded server for longer than another
    /// process needs to run the run. So its states are read afterwards (`GET /flow_run_states/`): if it has ended meanwhile, its
    /// final state is put back, and the claim is [`Aborted`](ProposalOutcome::Aborted). If the reply is lost, this waits until the
    /// run can be read, and tells whether it was claimed.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such run, or any [call error](crate::Error#call-errors); then
    /// the run is not claimed.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, deployment: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let run = client.deployments().due_runs([deployment]).next().await?;
    /// if let Some(state) = *run.state_id
    ///     && client.flow_runs().claim(run.id, state).await?.is_accepted()
    /// {
    ///     println!("{:?} is ours", run.name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn claim(self, id: Uuid, state: Uuid) -> Result<ProposalOutcome> {
        let clock = self.client.channel().clock();
        let claim = Claim::new(self, id, state);
        let mut tries = 1;
        loop {
            let run = self.get(id).await?;
            if claim.is_made(&run) {
                // The server has executed it after the request had failed here.
                return claim.verified(run.state.into_option()).await;
            }
            if !is_unchanged(&run, state) {
                return Ok(taken(&run));
            }
            let error = match claim.once().await {
                Ok(ProposalOutcome::Accepted(state)) => return claim.verified(state).await,
                // Executed before, as above.
                Ok(ProposalOutcome::Rejected {
                    state: Some(now), ..
                }) if claim.is_mine(&now) => {
                    return claim.verified(Some(now)).await;
                }
                Ok(refused) => return Ok(refused),
                Err(error) if error.may_have_happened() => {
                    let now = claim.through_outages(|| self.get(id)).await?;
                    match claim.is_made(&now) {
                        true => return claim.verified(now.state.into_option()).await,
                        false if !is_unchanged(&now, state) => return Ok(taken(&now)),
                        false => error,
                    }
                }
                Err(error) => error,
            };
            if tries == MAX_TRIES || error.is_permanent() || !error.is_retryable() {
                return Err(error);
            }
            clock.sleep(BACKOFF.delay(tries, error.retry_after())).await;
            tries += 1;
        }
    }
}

/// Whether a run is still in this scheduled state, or the server has only found it to be late.
fn is_unchanged(run: &FlowRunResponse, scheduled: Uuid) -> bool {
    let policy = run.empirical_policy.as_ref();
    let has_owner = policy.is_some_and(|it| it.retry_type == FlowRunPolicyRetryType::InProcess);
    run.state.as_ref().is_some_and(|now| {
        let is_late = now.type_ == StateType::Scheduled && now.name.as_deref() == Some("Late");
        now.id == scheduled || is_late && !has_owner
    })
}

/// The outcome for a run that is not scheduled any more as it was.
fn taken(run: &FlowRunResponse) -> ProposalOutcome {
    let name = run.state_name.as_deref().unwrap_or("in no state");
    let reason = format!("it is {name} now");
    ProposalOutcome::Aborted { reason }
}

/// One claim, by which the server knows it again.
struct Claim<'a> {
    runs: FlowRuns<'a>,
    once: raw::Client,
    id: Uuid,
    /// The state that it was found in.
    scheduled: Uuid,
    transition: Uuid,
    proposal: SetFlowRunStateRequest,
}

impl<'a> Claim<'a> {
    fn new(runs: FlowRuns<'a>, id: Uuid, scheduled: Uuid) -> Self {
        let transition = Uuid::new_v4();
        let details = StateDetails::new().transition_id(transition);
        Self {
            runs,
            once: runs.client.raw().with_retry(RetryPolicy::none()),
            id,
            scheduled,
            transition,
            proposal: SetFlowRunStateRequest::new(StateCreate::pending().state_details(details)),
        }
    }

    async fn once(&self) -> Result<ProposalOutcome> {
        let reply = self.once.set_flow_run_state(&self.id, &self.proposal);
        Ok(reply.await?.into_inner().outcome())
    }

    /// The outcome of a claim that was accepted, unless another process has run the run since it was scheduled: the claim
    /// may have waited in the server for longer than that took, and is accepted all the same.
    async fn verified(&self, state: Option<State>) -> Result<ProposalOutcome> {
        let states = self.through_outages(|| self.runs.states(self.id)).await?;
        let others = self.since_scheduled(states);
        if others.is_empty() {
            return Ok(ProposalOutcome::Accepted(state));
        }
        let run = self.through_outages(|| self.runs.get(self.id)).await?;
        if !self.is_made(&run) {
            return Ok(taken(&run));
        }
        let ended = others.into_iter().filter(|it| it.type_.is_terminal());
        match ended.max_by_key(|it| it.timestamp) {
            Some(end) => {
                self.through_outages(|| self.put_back(&end)).await?;
                let reason = "another process has run it meanwhile".to_owned();
                Ok(ProposalOutcome::Aborted { reason })
            }
            // It has failed there, and waited for a retry.
            None => Ok(ProposalOutcome::Accepted(state)),
        }
    }

    /// The states of others since the run was scheduled.
    fn since_scheduled(&self, states: Vec<State>) -> Vec<State> {
        let scheduled = states.iter().find(|it| it.id == self.scheduled);
        let since = scheduled.and_then(|it| it.timestamp);
        let is_other = |it: &State| {
            it.type_ != StateType::Scheduled && it.timestamp > since && !self.is_mine(it)
        };
        states.into_iter().filter(is_other).collect()
    }

    /// Puts a final state back.
    async fn put_back(&self, state: &State) -> Result<()> {
        let mut again = StateCreate::new(state.type_.clone());
        again.name = state.name.clone();
        again.message = state.message.clone();
        again.data = state.data.clone();
        let forced = SetFlowRunStateRequest::new(again).force(true);
        self.runs.set_state(self.id, &forced).await.map(drop)
    }

    fn is_mine(&self, state: &State) -> bool {
        has_transition(state, self.transition)
    }

    /// Whether the run is in the state that this claim has proposed.
    fn is_made(&self, run: &FlowRunResponse) -> bool {
        run.state.as_ref().is_some_and(|state| self.is_mine(state))
    }

    /// Repeats a call, however long the server is out of reach: the run may be claimed, and nobody else would begin it.
    async fn through_outages<T, F>(&self, call: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        outage::through_outages(self.runs.client, BACKOFF, call).await
    }
}
