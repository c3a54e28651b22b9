//! `ServedRun`: a run that this process has found because it serves the run's deployment.

use tokio::sync::{mpsc, watch};

use super::outcome::Ending;
use super::stop::{StopReason, StopSignal};
use crate::error::Error;
use crate::types::FlowRunResponse;

/// Called when an attempt has ended, with how, also if its function still blocks a thread.
pub(crate) type OnEnd = Box<dyn FnOnce(Result<&Ending, &Error>) + Send + Sync>;

/// A run that is due, and whoever serves its deployment.
pub(crate) struct ServedRun {
    /// The run as it was found: SCHEDULED, unless another process has taken it meanwhile.
    pub run: Box<FlowRunResponse>,
    pub orders: watch::Receiver<Order>,
    /// Dropped without being called if the attempt does not begin.
    pub on_end: Option<OnEnd>,
}

/// What whoever serves the deployment wants of its runs.
#[derive(Clone, Debug, Default)]
pub(crate) enum Order {
    #[default]
    GoOn,
    Stop(StopReason),
    /// The same, and functions are not to be waited for.
    Hurry(StopReason),
}

/// Passes orders on, until the stops are closed.
pub(super) async fn follow_orders(
    mut orders: watch::Receiver<Order>,
    stops: mpsc::UnboundedSender<StopSignal>,
) {
    let mut is_stopped = false;
    loop {
        let (reason, is_hurried) = match orders.borrow_and_update().clone() {
            Order::GoOn => (None, false),
            Order::Stop(reason) => (Some(reason), false),
            Order::Hurry(reason) => (Some(reason), true),
        };
        // The order before may not have been seen.
        let stop = reason.filter(|_| !std::mem::replace(&mut is_stopped, true));
        let stop = stop.map(StopSignal::Stop);
        let hurry = is_hurried.then_some(StopSignal::Hurry);
        if stop
            .into_iter()
            .chain(hurry)
            .any(|stop| stops.send(stop).is_err())
        {
            return;
        }
        // If this fails, nobody is left to give an order.
        if orders.changed().await.is_err() {
            return;
        }
    }
}
