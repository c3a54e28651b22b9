//! The life of one attempt, as a job of the client's own thread. It alone proposes states.

use futures_core::future::BoxFuture;
use tokio::sync::oneshot;

use super::assignment::{Assignment, Command, Ended};
use super::context::RunContext;
use super::control_channel::{self, ControlChannel, Receipt};
use super::life::Life;
use super::obtain;
use super::outcome::Ending;
use super::proposer::Proposer;
use super::stop::{StopReason, StopSignal, Stops};
use super::{served, signals, watcher};
use crate::error::{Error, Result};
use crate::types::{FlowRunResponse, Json, StateType};

impl Assignment {
    /// Supervises the attempt to its end.
    pub(super) async fn supervise(mut self) {
        let (commands, under_way) = (self.commands.clone(), self.under_way.clone());
        let on_end = self.served.as_mut().and_then(|served| served.on_end.take());
        let ended = self.follow().await;
        if let Some(on_end) = on_end {
            on_end(ended.as_ref().map(|ended| &ended.ending));
        }
        // If this fails, the program has dropped the attempt, and needs no outcome.
        let _ = commands.send(Command::Ended(ended));
        drop(under_way);
    }

    async fn follow(mut self) -> Result<Ended> {
        let (run, name) = self.obtain().await?;
        let mut proposer = Proposer::new(self.client.clone(), run.id);
        proposer.know(&run);
        let stops = Stops::new();
        let control = self.start_sources(&run, &stops).await;
        let context = RunContext::new(&run, &self.flow);
        let mut life = Life::new(self, proposer, stops, context);
        let ended = match is_over(&run) {
            true => life.leave(run).await,
            false => life.begin(run, name).await?,
        };
        if let Some(mut control) = control {
            match (&ended.state, &ended.ending) {
                (Some(state), _) => control.send_receipt(Receipt::Reported(state)).await,
                // The supervisor is to judge by the exit code.
                (None, Ending::Unreported(_) | Ending::Relinquished) => {}
                (None, _) => control.send_receipt(Receipt::Aborted).await,
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
        let run = match &self.served {
            Some(served) => FlowRunResponse::clone(&served.run),
            None => self.client.flow_runs().get(id).await?,
        };
        if is_over(&run) {
            return Ok((run, Ok(None)));
        }
        let parameters = run.parameters.clone().unwrap_or_else(obtain::no_parameters);
        // If the program has dropped the attempt, the run is to be CRASHED for that.
        let decoded = self.decode(parameters).await.unwrap_or(Ok(None));
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
        if let Some(served) = &self.served {
            let orders = served.orders.clone();
            spawn(Box::pin(served::follow_orders(orders, stops.sender())));
        }
        let (commands, dropped) = (self.commands.clone(), stops.sender());
        spawn(Box::pin(async move {
            commands.closed().await;
            let _ = dropped.send(StopSignal::Stop(StopReason::Dropped));
        }));
        if let Some(parent) = self.parent.clone() {
            let stops = stops.sender();
            spawn(Box::pin(async move {
                let reason = parent.stopped().await.of_child();
                let _ = stops.send(StopSignal::Stop(reason));
            }));
        }
        let control = self.handover.control.as_ref()?;
        let (channel, serve) = control_channel::open(control, stops.sender()).await?;
        // It ends with the channel, which is used after the stops are closed.
        self.background.spawn(serve);
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
