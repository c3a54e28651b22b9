//! `RateLimit`: keeping to a rate.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use futures_core::Stream;

use super::demand::Demand;
use super::throttle::Throttled;
use crate::client::Client;
use crate::error::Result;
use crate::types::{BulkIncrementActiveSlotsRequest, MinimalConcurrencyLimitResponse, SlotMode};

/// A rate to keep to, with all programs that do: see [`Client::rate_limit`].
///
/// Slots of a limit that decay become free by themselves, `slot_decay_per_second` of them a second, so there is
/// nothing to give back: a limit of 10 with a decay of 2 lets 10 go on at once, and then 2 a
/// second. (The server counts in whole slots, and from the last change of the limit.)
///
/// Waiting is as for [`Concurrency`](super::Concurrency). If a reply is lost, the server is asked again: what it may
/// have granted is a part of the rate that nobody uses.
///
/// # Errors
///
/// [`acquire`](Self::acquire) and [`try_acquire`](Self::try_acquire) fail as those of
/// [`Concurrency`](super::Concurrency#errors) do; with [`Validation`](crate::ErrorKind::Validation) also when slots of
/// a limit do not decay.
#[derive(Clone)]
#[must_use = "nothing is asked for unless it is acquired"]
pub struct RateLimit {
    client: Client,
    demand: Demand,
}

impl RateLimit {
    pub(super) fn new(client: Client, names: Vec<String>) -> Self {
        let demand = Demand::new(names);
        Self { client, demand }
    }

    /// How many slots of each limit. Default: 1.
    pub fn slots(mut self, slots: u32) -> Self {
        self.demand.slots = slots;
        self
    }

    /// How long to wait, requests and all. Default: for ever.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.demand.timeout = Some(timeout);
        self
    }

    /// Limits that do not exist limit nothing. Default: they are an error.
    pub fn lenient(mut self) -> Self {
        self.demand.lenient = true;
        self
    }

    /// Waits until the rate allows to go on: `POST /v2/concurrency_limits/increment` in the mode
    /// `rate_limit`. Without names nothing is sent.
    ///
    /// # Errors
    ///
    /// See [above](RateLimit#errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// client.rate_limit("partner-api").acquire().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn acquire(&self) -> Result<()> {
        self.demand.check()?;
        if self.demand.names.is_empty() {
            return Ok(());
        }
        let granted = self.demand.acquire(&self.client, || self.once()).await?;
        self.demand.check_granted(&granted)
    }

    /// Whether the rate allows to go on now; if so, it counts: as [`acquire`](Self::acquire), without
    /// waiting.
    ///
    /// # Errors
    ///
    /// See [above](RateLimit#errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// if !client.rate_limit("partner-api").try_acquire().await? {
    ///     println!("not now");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn try_acquire(&self) -> Result<bool> {
        self.demand.check()?;
        if self.demand.names.is_empty() {
            return Ok(true);
        }
        let granted = self.demand.try_acquire(&self.client, || self.once());
        match granted.await? {
            Some(granted) => self.demand.check_granted(&granted).map(|()| true),
            None => Ok(false),
        }
    }

    /// The items of a stream at this rate: each comes when [`acquire`](Self::acquire) lets it.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use futures_util::{StreamExt as _, stream};
    ///
    /// let pages = stream::iter(0..100);
    /// let mut pages = client.rate_limit("partner-api").throttle(pages);
    /// while let Some(page) = pages.next().await {
    ///     println!("asking for page {}", page?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn throttle<S: Stream>(self, stream: S) -> Throttled<S> {
        Throttled::new(self, stream)
    }

    fn once(
        &self,
    ) -> impl Future<Output = Result<Vec<MinimalConcurrencyLimitResponse>>> + Send + 'static {
        let policy = self.client.raw().transport().retry().clone();
        let once = self.client.with_retry(policy.attempts(1));
        let slots = i64::from(self.demand.slots);
        let body = BulkIncrementActiveSlotsRequest::new(slots, &self.demand.names)
            .mode(SlotMode::RateLimit);
        async move {
            let granted = once.raw().bulk_increment_active_slots(&body).await?;
            Ok(granted.into_inner())
        }
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("demand", &self.demand)
            .finish_non_exhaustive()
    }
}
