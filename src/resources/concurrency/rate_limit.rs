//! `RateLimit`: keeping to a rate.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::slot_request::SlotRequest;
use super::waiter::Ask;
use crate::client::{Background, Client};
use crate::error::Result;
use crate::types::{BulkIncrementActiveSlotsRequest, MinimalConcurrencyLimitResponse, SlotMode};

/// A rate that is shared with all programs that use the same limits: see [`Client::rate_limit`].
///
/// Slots that decay become free by themselves, `slot_decay_per_second` of them per second, so there is
/// nothing to give back: a limit of 10 with a decay of 2 lets 10 callers go on at once, and then 2 per
/// second. (The server counts in whole slots, and from the last change of the limit.)
///
/// Waiting works as for [`Concurrency`](super::Concurrency). If a reply is lost, the request is repeated; the
/// slots that it may have been granted are a part of the rate that stays unused.
///
/// # Errors
///
/// [`acquire`](Self::acquire) and [`try_acquire`](Self::try_acquire) fail as those of
/// [`Concurrency`](super::Concurrency#errors) do, and with [`Validation`](crate::ErrorKind::Validation) also
/// when the slots of a limit do not decay.
#[derive(Clone)]
#[must_use = "nothing is sent until it is acquired"]
pub struct RateLimit {
    client: Client,
    request: SlotRequest,
}

impl RateLimit {
    pub(super) fn new(client: Client, names: Vec<String>) -> Self {
        let request = SlotRequest::new(names);
        Self { client, request }
    }

    /// The number of slots to take of each limit. Default: 1.
    pub fn slots(mut self, slots: u32) -> Self {
        self.request.slots = slots;
        self
    }

    /// How long to wait, including the requests. Default: forever.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.request.timeout = Some(timeout);
        self
    }

    /// Ignores limits that do not exist. Default: they are an error.
    pub fn lenient(mut self) -> Self {
        self.request.lenient = true;
        self
    }

    /// Waits until the rate allows the caller to go on: `POST /v2/concurrency_limits/increment` in the mode
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
        self.request.check()?;
        if self.request.names.is_empty() {
            return Ok(());
        }
        let granted = self.request.acquire(&self.client, self.ask()?).await?;
        self.request.check_granted(&granted)
    }

    /// Takes the slots if the rate allows it now, and returns whether it did: as [`acquire`](Self::acquire),
    /// without waiting.
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
        self.request.check()?;
        if self.request.names.is_empty() {
            return Ok(true);
        }
        let granted = self.request.try_acquire(&self.client, self.ask()?);
        match granted.await? {
            Some(granted) => self.request.check_granted(&granted).map(|()| true),
            None => Ok(false),
        }
    }

    /// Sends one request.
    fn ask(&self) -> Result<impl Ask<Vec<MinimalConcurrencyLimitResponse>>> {
        let once = self.client.service::<Background>()?;
        let once = Arc::new(once.raw_once(self.client.channel()));
        let slots = i64::from(self.request.slots);
        let body = BulkIncrementActiveSlotsRequest::new(slots, &self.request.names)
            .mode(SlotMode::RateLimit);
        let body = Arc::new(body);
        Ok(move || {
            let (once, body) = (Arc::clone(&once), Arc::clone(&body));
            async move {
                let granted = once.bulk_increment_active_slots(&body).await?;
                Ok(granted.into_inner())
            }
            .boxed()
        })
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}
