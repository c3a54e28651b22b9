//! `Slot`: slots that are held.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use uuid::Uuid;

use super::keeper::Keeper;
use super::lease::{self, Standing};
use crate::detached::Detached;
use crate::error::{Error, Result};
use crate::raw;
use crate::types::{ConcurrencyLimitWithLeaseResponse, MinimalConcurrencyLimitResponse};

/// Slots that are held, of all limits that were asked for: see
/// [`Client::concurrency`](crate::Client::concurrency).
///
/// The lease is renewed until [`release`](Self::release), or until this is dropped. Then the slots are
/// given back in the background, as far as the process lives that long: else they are free when the
/// lease has ended.
///
/// The time of a lease is counted by a clock that stands still while a machine sleeps. A program that
/// was asleep learns that it has lost a lease when it is next to be renewed, within a third of it.
#[must_use = "slots are given back when this is dropped"]
pub struct Slot {
    limits: Vec<MinimalConcurrencyLimitResponse>,
    /// Nothing is held of limits that do not exist.
    held: Option<Held>,
}

struct Held {
    lease: Uuid,
    raw: Arc<raw::Client>,
    keeper: Arc<Keeper>,
    standing: watch::Receiver<Standing>,
}

impl Slot {
    /// What is held when no limit was asked for.
    pub(super) fn of_nothing() -> Self {
        Self {
            limits: Vec::new(),
            held: None,
        }
    }

    /// What was granted when it was asked for at this time, and is to be renewed for this duration.
    pub(super) fn new(
        granted: ConcurrencyLimitWithLeaseResponse,
        raw: Arc<raw::Client>,
        keeper: &Arc<Keeper>,
        asked_at: Instant,
        duration: Duration,
    ) -> Self {
        let limits = granted.limits;
        if limits.is_empty() {
            return Self::of_nothing();
        }
        let lease = granted.lease_id;
        let held = Some(Held {
            lease,
            raw,
            keeper: Arc::clone(keeper),
            standing: keeper.keep(lease, asked_at, duration),
        });
        Self { limits, held }
    }

    /// The limits of which slots are held. Lenient, they may be fewer than were asked for.
    pub fn limits(&self) -> &[MinimalConcurrencyLimitResponse] {
        &self.limits
    }

    /// The id of the lease; `None` if no limit was there to hold a slot of.
    pub fn lease_id(&self) -> Option<Uuid> {
        self.held.as_ref().map(|held| held.lease)
    }

    /// Whether the lease can be kept no more: others may hold the slots now, or soon.
    pub fn is_lost(&self) -> bool {
        self.held
            .as_ref()
            .is_some_and(|held| held.why_lost().is_some())
    }

    /// Resolves when the lease cannot be kept: when the server does not know it any more, or has not been
    /// reached for nine tenths of it. The last tenth is for stopping: until it is over, nobody else
    /// has the slots. Never resolves if nothing is held.
    ///
    /// The error is a [`Gone`](crate::ErrorKind::Gone) one. It can be awaited again, and by several.
    ///
    /// ```no_run
    /// # async fn example(slot: prefect_sdk::Slot) -> prefect_sdk::Result<()> {
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
        let mut standing = held.standing.clone();
        loop {
            if let Some(lost) = held.why_lost() {
                return lost;
            }
            // Whatever becomes of the one who renews: when the time is over, it is over.
            let _ = tokio::time::timeout(held.left(), standing.changed()).await;
        }
    }

    /// Gives the slots back: `POST /v2/concurrency_limits/decrement-with-lease`. If this is cancelled,
    /// it is done in the background, as far as the runtime goes on.
    ///
    /// # Errors
    ///
    /// [`Gone`](crate::ErrorKind::Gone) when the lease was lost: work under it may have run beside
    /// that of others. Nothing is sent then, and nothing is left to be given back. Else those of
    /// any call; the slots are then free when the lease has ended, which is renewed no more.
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
        let Some(held) = self.held.take() else {
            return Ok(());
        };
        held.keeper.forget(held.lease);
        if let Some(lost) = held.why_lost() {
            return Err(lost);
        }
        let (patience, Held { lease, raw, .. }) = (held.left(), held);
        Detached::new(async move { lease::give_back(&raw, lease, patience).await }).await
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            match held.why_lost() {
                None => held.keeper.give_back(held.lease, held.left()),
                Some(_) => held.keeper.forget(held.lease),
            }
        }
    }
}

impl Held {
    /// Also when the one who renews has not noticed yet.
    fn why_lost(&self) -> Option<Error> {
        if let Some(lost) = &self.standing.borrow().lost {
            return Some(lost.copy());
        }
        self.left().is_zero().then(|| lease::lost(self.lease, None))
    }

    /// The time until work under the lease has to end.
    fn left(&self) -> Duration {
        let until = self.standing.borrow().until;
        until.saturating_duration_since(self.raw.transport().clock().now())
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.limits.iter().map(|limit| &limit.name).collect();
        f.debug_struct("Slot")
            .field("limits", &names)
            .field("lease_id", &self.lease_id())
            .finish_non_exhaustive()
    }
}
