//! Giving slots back, on the client's own runtime.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::lease;
use super::lease_manager::{LeaseManager, Unsettled};
use crate::error::{Error, Result};
use crate::raw;

/// Slots that are no longer held, and are to be given back.
pub(super) struct EndedHold {
    pub lease: Uuid,
    /// The names of the limits.
    pub names: Vec<String>,
    /// Why the lease was lost, if it was: then there is nothing to give back.
    pub loss: Option<Error>,
    /// The time until which the lease is held.
    pub until: Instant,
    /// The client to give them back with.
    pub raw: Arc<raw::Client>,
    /// Counts the slots as unsettled until they are given back.
    pub unsettled: Unsettled,
}

/// Resolves when slots are given back. That goes on if this is dropped.
pub(super) struct GivenBack(oneshot::Receiver<Result<()>>);

impl LeaseManager {
    /// Stops renewing the lease, and gives its slots back, unless the lease is lost.
    #[inline]
    pub(super) fn give_back(&self, mut hold: EndedHold) -> GivenBack {
        self.forget(hold.lease);
        let (reply, given_back) = oneshot::channel();
        if let Some(lost) = hold.loss.take() {
            let _ = reply.send(Err(lost));
            return GivenBack(given_back);
        }
        let (permits, wait_queues) = (Arc::clone(&self.give_backs), Arc::clone(&self.wait_queues));
        self.background.spawn(async move {
            // This fails only if the semaphore is closed, which never happens.
            let permit = permits.acquire_owned().await;
            let result = hold.send().await;
            drop(permit);
            if result.is_ok() {
                wait_queues.returned(hold.names.iter().map(String::as_str));
            }
            if let Err(Err(error)) = reply.send(result) {
                tracing::warn!(lease = %hold.lease, %error, "slots are held until their lease ends");
            }
            drop(hold.unsettled);
        });
        GivenBack(given_back)
    }
}

impl EndedHold {
    async fn send(&self) -> Result<()> {
        let left = self
            .until
            .saturating_duration_since(self.raw.channel().clock().now());
        match left.is_zero() {
            true => Err(lease::lost(self.lease, None)),
            false => lease::give_back(&self.raw, self.lease, left).await,
        }
    }
}

impl Future for GivenBack {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let given_back = ready!(Pin::new(&mut self.0).poll(context));
        let panicked = |_| {
            Err(Error::hook_panicked(
                "slots are held until their lease ends",
            ))
        };
        Poll::Ready(given_back.unwrap_or_else(panicked))
    }
}
