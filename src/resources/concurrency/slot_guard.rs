//! `SlotGuard`: slots that are held.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use uuid::Uuid;

use super::give_back::{EndedHold, GivenBack};
use super::lease::{self, LeaseStatus};
use super::lease_manager::{LeaseManager, Unsettled};
use crate::error::{Error, Result};
use crate::raw;
use crate::types::{ConcurrencyLimitWithLeaseResponse, MinimalConcurrencyLimitResponse};

/// Slots that are held, of all limits that were requested: see
/// [`Client::concurrency`](crate::Client::concurrency).
///
/// The lease is renewed until [`release`](Self::release) is called or this is dropped. When it is dropped,
/// the slots are given back by the client's own thread, which needs no runtime of the program's;
/// [`Client::shutdown`](crate::Client::shutdown) waits for that before the process ends. Otherwise they are
/// free when the lease has ended.
///
/// The duration of a lease is measured by a clock that stands still while the machine sleeps. A program that
/// was asleep learns within 100 s that it has lost a lease.
#[must_use = "slots are given back when this is dropped"]
pub struct SlotGuard {
    limits: Vec<MinimalConcurrencyLimitResponse>,
    /// `None` if nothing is held, because no limit was named or none exists.
    held: Option<Held>,
}

struct Held {
    lease: Uuid,
    raw: Arc<raw::Client>,
    lease_manager: Arc<LeaseManager>,
    status: watch::Receiver<LeaseStatus>,
    unsettled: Unsettled,
}

impl SlotGuard {
    /// A guard that holds no slots.
    pub(super) fn empty() -> Self {
        Self {
            limits: Vec::new(),
            held: None,
        }
    }

    /// The guard of slots that were requested at `requested_at`; their lease is renewed for `duration`.
    pub(super) fn new(
        granted: ConcurrencyLimitWithLeaseResponse,
        raw: Arc<raw::Client>,
        lease_manager: Arc<LeaseManager>,
        requested_at: Instant,
        duration: Duration,
        unsettled: Unsettled,
    ) -> Self {
        let limits = granted.limits;
        if limits.is_empty() {
            return Self::empty();
        }
        let lease = granted.lease_id;
        let held = Some(Held {
            lease,
            raw,
            status: lease_manager.manage(lease, requested_at, duration),
            lease_manager,
            unsettled,
        });
        Self { limits, held }
    }

    /// The limits of which slots are held. A lenient request may have been granted fewer than it named.
    pub fn limits(&self) -> &[MinimalConcurrencyLimitResponse] {
        &self.limits
    }

    /// The id of the lease; `None` if there was no limit to take a slot of.
    pub fn lease_id(&self) -> Option<Uuid> {
        self.held.as_ref().map(|held| held.lease)
    }

    /// Whether the lease is lost: others may hold the slots now, or soon.
    pub fn is_lost(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.loss().is_some())
    }

    /// Waits until the lease is lost: when the server no longer knows it, or has not been reached for nine
    /// tenths of it. The last tenth is for stopping the work: until it is over, nobody else has the slots.
    /// Never resolves if nothing is held.
    ///
    /// The error is of the kind [`Gone`](crate::ErrorKind::Gone). Several tasks may wait, and again.
    ///
    /// ```no_run
    /// # async fn example(slot: prefect_sdk::concurrency::SlotGuard) -> prefect_sdk::Result<()> {
    /// # async fn work() {}
    /// tokio::select! {
    ///     lost = slot.lost() => return Err(lost),
    ///     () = work() => {}
    /// }
    /// slot.release().await
    /// # }
    /// ```
    pub async fn lost(&self) -> Error {
        let Some(held) = &self.held else {
            return std::future::pending().await;
        };
        let mut status = held.status.clone();
        loop {
            if let Some(lost) = held.loss() {
                return lost;
            }
            // Whatever happens to the renewal loop, the lease is lost when its time is over.
            let _ = tokio::time::timeout(held.left(), status.changed()).await;
        }
    }

    /// Gives the slots back: `POST /v2/concurrency_limits/decrement-with-lease`. If this is cancelled, the
    /// request goes on in the background.
    ///
    /// # Errors
    ///
    /// [`Gone`](crate::ErrorKind::Gone) when the lease was lost: work under it may have run at the same time
    /// as that of others. Nothing is sent then, and nothing is left to give back. Otherwise any
    /// [call error](crate::Error#call-errors); the slots are then free when the lease has ended, which is no
    /// longer renewed.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let slot = client.concurrency("database").acquire().await?;
    /// println!("working");
    /// slot.release().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn release(mut self) -> Result<()> {
        match self.give_back() {
            Some(given_back) => given_back.await,
            None => Ok(()),
        }
    }

    /// Begins to give the slots back, if any are held.
    fn give_back(&mut self) -> Option<GivenBack> {
        let held = self.held.take()?;
        let names = std::mem::take(&mut self.limits).into_iter();
        Some(held.lease_manager.give_back(EndedHold {
            lease: held.lease,
            names: names.map(|limit| limit.name).collect(),
            loss: held.loss(),
            until: held.status.borrow().until,
            raw: held.raw,
            unsettled: held.unsettled,
        }))
    }
}

impl Drop for SlotGuard {
    fn drop(&mut self) {
        drop(self.give_back());
    }
}

impl Held {
    /// Why the lease is lost, if it is, even if the renewal loop has not noticed yet.
    fn loss(&self) -> Option<Error> {
        if let Some(lost) = &self.status.borrow().lost {
            return Some(lost.copy());
        }
        self.left().is_zero().then(|| lease::lost(self.lease, None))
    }

    /// The time until work under the lease has to end.
    fn left(&self) -> Duration {
        let until = self.status.borrow().until;
        until.saturating_duration_since(self.raw.channel().clock().now())
    }
}

impl fmt::Debug for SlotGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.limits.iter().map(|limit| &limit.name).collect();
        f.debug_struct("SlotGuard")
            .field("limits", &names)
            .field("lease_id", &self.lease_id())
            .finish_non_exhaustive()
    }
}
