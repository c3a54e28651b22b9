//! The signals that ask the process to end.

use tokio::sync::mpsc;

use super::stop::{StopReason, StopSignal};

/// Reports SIGTERM and Ctrl-C, and the second of them as a wish to hurry, until the stops are closed.
pub(crate) async fn watch(stops: mpsc::UnboundedSender<StopSignal>) {
    let mut is_first = true;
    let Ok(mut signals) = Signals::new() else {
        tracing::warn!("signals cannot be received: SIGTERM and Ctrl-C end the process at once");
        return;
    };
    loop {
        let reason = signals.next().await;
        let stop = match std::mem::replace(&mut is_first, false) {
            true => StopSignal::Stop(reason),
            false => StopSignal::Hurry,
        };
        if stops.send(stop).is_err() {
            return;
        }
    }
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> StopReason {
        use futures_util::future::{Either, select};
        use std::pin::pin;

        let terminate = pin!(self.terminate.recv());
        match select(terminate, pin!(self.interrupt.recv())).await {
            Either::Left(_) => StopReason::Terminated,
            Either::Right(_) => StopReason::Interrupted,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> StopReason {
        match tokio::signal::ctrl_c().await {
            Ok(()) => StopReason::Interrupted,
            Err(_) => std::future::pending().await,
        }
    }
}
