//! `Assignment`: what an attempt is given, and what it tells the future that runs the function.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use super::attempts::UnderWay;
use super::context::RunContext;
use super::flow::FlowOptions;
use super::handover::Handover;
use super::heartbeat::{self, Heartbeat};
use super::obtain::NewRun;
use super::outcome::Ending;
use super::run::Run;
use super::served::{Order, ServedRun};
use super::states::BodyEnd;
use super::stop::Stop;
use crate::client::{Background, Client};
use crate::error::Result;
use crate::types::{Json, State};

/// What the supervisor tells the future that runs the function.
pub(super) enum Command {
    /// Read the parameters, and reply with the name of the run if the flow sets it, or what is wrong.
    Decode(
        Json,
        oneshot::Sender<std::result::Result<Option<String>, String>>,
    ),
    /// Run the function, for the time with this number.
    Begin(u32, Run),
    /// The attempt has ended.
    Ended(Result<Ended>),
}

/// How an attempt has ended.
pub(super) struct Ended {
    pub run_id: Uuid,
    pub ending: Ending,
    pub state: Option<Box<State>>,
    pub signal: Option<u8>,
}

/// What an attempt is given.
pub(super) struct Assignment {
    /// The client of the program, for the function.
    pub caller: Client,
    /// The same client with the connections of its own thread.
    pub client: Client,
    pub background: Arc<Background>,
    pub flow: Arc<str>,
    pub options: FlowOptions,
    pub run_id: Option<Uuid>,
    pub new_run: NewRun,
    pub handover: Handover,
    pub catches_signals: bool,
    /// The run, if this process serves its deployment.
    pub served: Option<ServedRun>,
    /// The end of the run that this is a sub-flow of.
    pub parent: Option<Arc<Stop>>,
    /// Dropped when the end of a sub-flow is reported: the run above it waits for that.
    #[allow(dead_code, reason = "it is there to be dropped")]
    pub reported: Option<watch::Receiver<()>>,
    pub commands: mpsc::UnboundedSender<Command>,
    /// The ends of the function, each with the number of its time.
    pub ends: mpsc::UnboundedReceiver<(u32, BodyEnd)>,
    pub under_way: UnderWay,
}

impl Assignment {
    /// The time between heartbeats; `None` for no heartbeats.
    fn heartbeat_interval(&self) -> Option<Duration> {
        let set = self
            .options
            .heartbeat
            .or(self.client.participant().heartbeat);
        Some(set.unwrap_or(heartbeat::DEFAULT_INTERVAL)).filter(|every| !every.is_zero())
    }

    /// Whether whoever serves the deployment stops.
    pub(super) fn is_ordered_to_stop(&self) -> bool {
        let served = self.served.as_ref();
        served.is_some_and(|served| !matches!(*served.orders.borrow(), Order::GoOn))
    }

    /// Starts the heartbeats of a run.
    pub(super) fn start_heartbeat(&self, context: &RunContext) -> Option<Heartbeat> {
        let every = self.heartbeat_interval()?;
        let (client, context) = (self.client.clone(), context.clone());
        Some(Heartbeat::start(&self.background, client, context, every))
    }
}
