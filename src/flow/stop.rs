//! `Stop`: telling the function of a run to end, and why.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{mpsc, watch};

use crate::error::Error;

/// Why a run is to end before its function has returned: see [`Run::cancelled`](super::Run::cancelled).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StopReason {
    /// The run is to be cancelled: it is CANCELLING, or a supervisor has said so.
    Cancelled,
    /// The run was suspended from outside: it will start anew when it is resumed.
    Suspended,
    /// The process was asked to end (SIGTERM).
    Terminated,
    /// The process was interrupted (Ctrl-C).
    Interrupted,
    /// The run is to be left to another process: it is scheduled again.
    Rescheduled,
    /// The infrastructure starts the run anew: nothing is reported.
    Relinquished,
    /// The timeout of the flow is over.
    TimedOut,
    /// The slot of the deployment's concurrency limit is lost: another run may have it.
    LeaseLost(Arc<Error>),
    /// The server does not have the run any more, or has told this process not to go on.
    Superseded(String),
    /// The future that ran the function was dropped.
    Dropped,
}

/// The numbers of the signals, for exit codes.
const SIGINT: u8 = 2;
const SIGTERM: u8 = 15;

impl StopReason {
    /// What it means for a sub-flow: it ends with the run above it, and only that one may begin anew.
    pub(super) fn of_child(self) -> Self {
        match self {
            Self::Terminated | Self::Interrupted | Self::LeaseLost(_) | Self::Dropped => self,
            _ => Self::Cancelled,
        }
    }

    /// The number of the signal that this is.
    pub(super) fn signal(&self) -> Option<u8> {
        match self {
            Self::Terminated => Some(SIGTERM),
            Self::Interrupted => Some(SIGINT),
            _ => None,
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the run was cancelled"),
            Self::Suspended => f.write_str("the run was suspended"),
            Self::Terminated => f.write_str("the process was asked to end"),
            Self::Interrupted => f.write_str("the process was interrupted"),
            Self::Rescheduled => f.write_str("the run was rescheduled"),
            Self::Relinquished => f.write_str("the run was relinquished"),
            Self::TimedOut => f.write_str("the timeout is over"),
            Self::LeaseLost(error) => error.fmt(f),
            Self::Superseded(reason) => f.write_str(reason),
            Self::Dropped => f.write_str("the attempt was dropped"),
        }
    }
}

/// What a source of stops reports.
#[derive(Debug)]
pub(crate) enum StopSignal {
    Stop(StopReason),
    /// The run is CANCELLED already: nothing is left to be proposed.
    AlreadyCancelled,
    /// The second signal: the function is not to be waited for.
    Hurry,
}

/// The stops of an attempt, in the order in which they come.
pub(super) struct Stops {
    receiver: mpsc::UnboundedReceiver<StopSignal>,
    /// Keeps the channel open while no source is left.
    sender: mpsc::UnboundedSender<StopSignal>,
}

impl Stops {
    pub(super) fn new() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { receiver, sender }
    }

    pub(super) fn sender(&self) -> mpsc::UnboundedSender<StopSignal> {
        self.sender.clone()
    }

    pub(super) async fn next(&mut self) -> StopSignal {
        match self.receiver.recv().await {
            Some(stop) => stop,
            None => std::future::pending().await,
        }
    }

    /// The stop that comes before a sleep is over, if one does.
    pub(super) async fn before(
        &mut self,
        sleep: impl Future<Output = ()> + Unpin,
    ) -> Option<StopSignal> {
        match select(sleep, pin!(self.next())).await {
            Either::Left(_) => None,
            Either::Right((stop, _)) => Some(stop),
        }
    }

    /// Refuses further stops, which ends their sources.
    pub(super) fn close(&mut self) {
        self.receiver.close();
    }
}

/// What the function of a run sees of its end. The attempts of one process at a run share it.
pub(super) struct Stop {
    reason: watch::Sender<Option<StopReason>>,
    is_dropped: watch::Sender<bool>,
    /// Whether the function has ever asked.
    is_watched: AtomicBool,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            reason: watch::Sender::new(None),
            is_dropped: watch::Sender::new(false),
            is_watched: AtomicBool::new(false),
        }
    }
}

impl Stop {
    /// Tells the function to end; how long it may take is `grace` if it watches.
    pub(super) fn begin(&self, reason: StopReason, grace: Duration) -> Duration {
        self.reason.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert(reason);
            is_first
        });
        match self.is_watched.load(Ordering::SeqCst) {
            true => grace,
            false => Duration::ZERO,
        }
    }

    /// Has the function dropped.
    pub(super) fn drop_body(&self) {
        self.is_dropped.send_replace(true);
    }

    /// Resolves when the function is to be dropped.
    pub(super) async fn body_dropped(&self) {
        // This fails only if the sender is dropped, which lives as long as this.
        let _ = self.is_dropped.subscribe().wait_for(|it| *it).await;
    }

    /// Why the function is to end, if it is. The function is known to watch from now on.
    pub(super) fn watched_reason(&self) -> Option<StopReason> {
        self.is_watched.store(true, Ordering::SeqCst);
        self.reason()
    }

    /// Why the function is to end, if it is.
    pub(super) fn reason(&self) -> Option<StopReason> {
        self.reason.borrow().clone()
    }

    /// Resolves when the function is to end.
    pub(super) async fn stopped(&self) -> StopReason {
        let mut reasons = self.reason.subscribe();
        loop {
            if let Some(reason) = reasons.borrow_and_update().clone() {
                return reason;
            }
            // This fails only if the sender is dropped, which lives as long as this.
            if reasons.changed().await.is_err() {
                std::future::pending().await
            }
        }
    }
}
