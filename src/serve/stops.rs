//! `Stops`: the wishes that a process that serves, or works, should end.

use std::future::Future;
use std::pin::pin;

use futures_util::future::{Either, select};
use tokio::sync::mpsc;

use crate::client::{Background, Client};
use crate::error::Result;
use crate::flow::{StopReason, StopSignal, watch_signals};

/// The wishes that a process should end: by a signal, or by its handle.
pub(crate) struct Stops {
    sender: StopSender,
    receiver: mpsc::UnboundedReceiver<StopSignal>,
}

/// Wishes that the process should end.
#[derive(Clone)]
pub(crate) struct StopSender(mpsc::UnboundedSender<StopSignal>);

impl StopSender {
    pub(crate) fn send(&self) {
        // If this fails, it has ended.
        let _ = self.0.send(StopSignal::Stop(StopReason::Terminated));
    }
}

impl Stops {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let sender = StopSender(sender);
        Self { sender, receiver }
    }

    pub(crate) fn sender(&self) -> StopSender {
        self.sender.clone()
    }

    /// Takes SIGTERM and Ctrl-C for such wishes, on the client's own thread, until this is dropped.
    pub(crate) fn catch_signals(&self, client: &Client) -> Result<()> {
        let (stop, ended) = (self.sender.0.clone(), self.sender.0.clone());
        client.service::<Background>()?.spawn(async move {
            select(pin!(watch_signals(stop)), pin!(ended.closed())).await;
        });
        Ok(())
    }

    /// Resolves with the next wish.
    pub(crate) async fn next(&mut self) {
        // It does not end, because this has a sender.
        self.receiver.recv().await;
    }

    /// What a future returns, unless such a wish comes before.
    pub(crate) async fn before<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        match select(pin!(self.next()), pin!(future)).await {
            Either::Left(_) => None,
            Either::Right((value, _)) => Some(value),
        }
    }
}
