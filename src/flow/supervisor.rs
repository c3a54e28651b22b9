//! The life of one attempt, as a job of the client's own thread. It alone proposes states.

use futures_core::future::BoxFuture;
use tokio::sync::oneshot;

use super::assignment::{Assignment, Command, Ended};
use super::context::RunContext;
use super::control_channel::{self, ControlChannel, Receipt};
use super::life::Life;
use super::obtain;
use super::proposer::Proposer;
use super::states;
use super::stop::{StopReason, StopSignal, Stops};
use super::{signals, watcher};
use crate::error::{Error, Result};
use crate::types::{FlowRunResponse, Json, StateType};

impl Assignment {
    /// Supervises the attempt to its end.
    pub(super) async fn supervise(self) {
        let (commands, under_way) = (self.commands.clone(), self.under_way.clone());
        let ended = self.follow().await;
        // If this fails, the program has dropped the attempt, and needs no outcome.
        let _ = commands.send(Command::Ended(ended));
        drop(under_way);
    }

    async fn follow(mut self) -> Result<Ended> {
        let (mut run, name) = self.obtain().await?;
        let mut proposer = Proposer::new(self.client.clone(), run.id);
        proposer.know(&run);
        let stops = Stops::new();
        let control = self.start_sources(&run, &stops).await;
        let is_new = self.run_id.is_none();
        if !is_over(&run) && name.is_ok() {
            let name = name.as_ref().ok().and_then(|name| name.clone());
            let name = name.filter(|_| !is_new);
            obtain::complete(&self.client, &mut run, &self.options, &self.handover, name).await?;
        }
        let flow_name = match is_new {
            true => self.flow.to_string(),
            // A deployment may have named the flow otherwise.
            false => self.client.flows().get(run.flow_id).await?.name,
        };
        let context = RunContext::new(&run, &flow_name);
        let span = context.span();
        let delay = obtain::retry_delay(&run, &self.options);
        let mut life = Life::new(self, proposer, stops, context, span, delay);
        let ended = match name {
            _ if is_over(&run) => life.leave(run).await,
            Err(error) => life.refuse(states::invalid_parameters(&error)).await,
            Ok(_) => life.live(run).await,
        };
        if let Some(mut control) = control {
            match &ended.state {
                Some(state) => control.send_receipt(Receipt::Reported(state)).await,
                None => control.send_receipt(Receipt::Aborted).await,
            }
        }
        Ok(ended)
    }

    /// Reads or creates the run, and has its parameters read.
    async fn obtain(
        &mut self,
    ) -> Result<(FlowRunResponse, std::result::Result<Option<String>, String>)> {
        let Some(id) = self.run_id else {
            let new = std::mem::take(&mut self.new_run);
            let parameters = new.parameters.clone().unwrap_or_else(obtain::no_parameters);
            let decoded = self.decode(parameters).await?;
            let name = decoded.as_ref().ok().cloned().flatten();
            let run = obtain::create(&self.client, &self.flow, &self.options, new, name).await?;
            return Ok((run, decoded));
        };
        let run = self.client.flow_runs().get(id).await?;
        if is_over(&run) {
            return Ok((run, Ok(None)));
        }
        let parameters = run.parameters.clone().unwrap_or_else(obtain::no_parameters);
        let decoded = self.decode(parameters).await?;
        Ok((run, decoded))
    }

    async fn decode(
        &self,
        parameters: Json,
    ) -> Result<std::result::Result<Option<String>, String>> {
        let (reply, decoded) = oneshot::channel();
        // If one of these fails, the program has dropped the attempt before it began.
        let _ = self.commands.send(Command::Decode(parameters, reply));
        let dropped = |_| Error::invalid_request("the attempt was dropped before it began");
        decoded.await.map_err(dropped)
    }

    /// Starts what may stop the run; each ends with the attempt.
    async fn start_sources(&self, run: &FlowRunResponse, stops: &Stops) -> Option<ControlChannel> {
        let spawn = |source: BoxFuture<'static, ()>| {
            let stops = stops.sender();
            self.background.spawn(async move {
                futures_util::future::select(source, std::pin::pin!(stops.closed())).await;
            });
        };
        if is_over(run) {
            return None;
        }
        spawn(Box::pin(watcher::watch(
            self.client.clone(),
            run.id,
            stops.sender(),
        )));
        if self.catches_signals {
            spawn(Box::pin(signals::watch(stops.sender())));
        }
        let (commands, dropped) = (self.commands.clone(), stops.sender());
        spawn(Box::pin(async move {
            commands.closed().await;
            let _ = dropped.send(StopSignal::Stop(StopReason::Dropped));
        }));
        if let Some(parent) = self.parent.clone() {
            let stops = stops.sender();
            spawn(Box::pin(async move {
                let reason = parent.stopped().await;
                let _ = stops.send(StopSignal::Stop(reason));
            }));
        }
        let (channel, serve) =
            control_channel::open(self.handover.control.as_ref()?, stops.sender()).await?;
        spawn(Box::pin(serve));
        Some(channel)
    }
}

/// Whether nothing of a run is left to be done.
fn is_over(run: &FlowRunResponse) -> bool {
    let state = run.state.as_ref();
    state.is_some_and(|state| {
        matches!(
            state.type_,
            StateType::Completed | StateType::Cancelled | StateType::Cancelling | StateType::Paused
        )
    })
}
