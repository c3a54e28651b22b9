//! The beginning of a run in this process: it is claimed, and completed by what the server does not know of it.

use futures_util::FutureExt as _;
use uuid::Uuid;

use super::assignment::Ended;
use super::context::RunContext;
use super::life::Life;
use super::phase::Phase;
use super::proposer::Decision;
use super::{deployment_lease, obtain, states};
use crate::error::Result;
use crate::resources::flow_runs::ProposalOutcome;
use crate::types::{FlowRunResponse, StateCreate, StateType};

impl Life {
    /// Takes the run, and runs its function until the run has ended.
    pub(super) async fn begin(
        &mut self,
        mut run: FlowRunResponse,
        name: std::result::Result<Option<String>, String>,
    ) -> Result<Ended> {
        if let Some(state) = run.state.as_ref() {
            self.has_lease = deployment_lease::lease_of(state).is_some();
            // Before anything else: the run may be another process's.
            let claimed = match state.type_ {
                StateType::Scheduled if self.assignment.served.is_some() => {
                    self.claim_served(state.id).await
                }
                StateType::Scheduled => self.claim().await,
                _ => Ok(()),
            };
            if let Err(ended) = claimed {
                return Ok(self.end(ended).await);
            }
        }
        let name = match name {
            Ok(name) => name,
            Err(error) => return Ok(self.refuse(states::invalid_parameters(&error)).await),
        };
        let mut outage = None;
        while let Err(error) = self.prepare(&mut run, name.clone()).await {
            if error.is_permanent() || error.is_invalid_request() {
                let why = format!("Execution was aborted before it began: {error}");
                self.refuse(StateCreate::crashed(states::cut(why))).await;
                return Err(error);
            }
            if let Err(ended) = self.wait_out(&mut outage, error).await {
                return Ok(self.end(ended).await);
            }
        }
        let parameters = run.parameters.take();
        let parameters = parameters.unwrap_or_else(obtain::no_parameters);
        Ok(self.live(&parameters).await)
    }

    /// Tells the server what it does not know of the run yet, and learns what is not known here.
    async fn prepare(&mut self, run: &mut FlowRunResponse, name: Option<String>) -> Result<()> {
        let (assignment, is_new) = (&self.assignment, self.assignment.run_id.is_none());
        let (client, options) = (&assignment.client, &assignment.options);
        let name = name.filter(|_| !is_new);
        obtain::complete(client, run, options, &assignment.handover, name).await?;
        let flow_name = match is_new || assignment.served.is_some() {
            true => assignment.flow.to_string(),
            // A deployment may have named the flow otherwise.
            false => client.flows().get(run.flow_id).await?.name,
        };
        self.retry_delay = obtain::retry_delay(run, options);
        self.context = RunContext::new(run, &flow_name);
        self.span = self.context.span();
        Ok(())
    }

    /// Ends an attempt that cannot run its function.
    async fn refuse(&mut self, state: StateCreate) -> Ended {
        let next = self.conclude(state).await;
        self.end(self.last(next)).await
    }

    /// Takes the run, and with it a slot of its deployment.
    pub(super) async fn claim(&mut self) -> Phase<()> {
        loop {
            match self.propose(StateCreate::pending(), false).await? {
                Decision::Accepted(state) => {
                    self.has_lease = deployment_lease::lease_of(&state).is_some();
                    return Ok(());
                }
                Decision::Rejected(state) => self.adopt(state).await?,
                Decision::Aborted(reason) => return Err(self.superseded(reason)),
                Decision::Stopped(stop) => self.stopped(stop).await?,
            }
        }
    }

    /// Takes a run that was found because this process serves its deployment, if nobody else has.
    async fn claim_served(&mut self, scheduled: Uuid) -> Phase<()> {
        let client = self.assignment.client.clone();
        match client.flow_runs().claim(self.context.id, scheduled).await {
            Ok(ProposalOutcome::Accepted(state)) => {
                let lease = state.as_ref().and_then(deployment_lease::lease_of);
                self.has_lease = lease.is_some();
                self.proposer.know_state(state.map(|state| state.id));
                match self.stops.next().now_or_never() {
                    Some(stop) => self.stopped(stop).await,
                    None => Ok(()),
                }
            }
            // It is taken when there is a slot of its deployment, and other runs meanwhile.
            Ok(ProposalOutcome::Rejected {
                state: Some(state), ..
            }) => Err(self.ended_in(state)),
            Ok(refused) => Err(self.superseded(refused.reason().to_owned())),
            Err(error) => Err(self.unreported(error)),
        }
    }
}
