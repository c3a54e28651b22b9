//! Concurrency limits: holding slots, keeping to rates, and finding slots that are stuck.
//!
//! [`GlobalConcurrencyLimits`] and [`ConcurrencyLimits`] (of tags) manage the limits themselves;
//! [`Client::concurrency`](crate::Client::concurrency) holds slots of them.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! let guard = client.concurrency(["database", "gpu"]).acquire().await?;
//! println!("holding {} limits", guard.limits().len());
//! guard.release().await?;
//! # Ok(())
//! # }
//! ```

generated!("concurrency");

mod acquire;
mod ensure_tag_limit;
mod give_back;
mod global_limits;
mod lease;
mod lease_manager;
mod limit_names;
mod rate_limit;
#[cfg(feature = "flows")]
mod renewed_lease;
mod slot_guard;
mod slot_request;
mod stuck_slots;
mod tag_limits;
mod throttled_stream;
mod wait_queue;
mod waiter;

pub use acquire::Concurrency;
pub use generated::{ConcurrencyLimits, GlobalConcurrencyLimits};
pub use limit_names::IntoLimitNames;
pub use rate_limit::RateLimit;
#[cfg(feature = "flows")]
pub(crate) use renewed_lease::RenewedLease;
pub use slot_guard::SlotGuard;
pub use stuck_slots::{HeldLimit, Holders, Remedy, StuckSlots};
pub use throttled_stream::Throttled;

use crate::client::Client;

impl Client {
    /// Slots of the global concurrency limits with these names, taken of all of them at once. The limits
    /// bound how many programs, wherever they run, do something at the same time.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use std::time::Duration;
    ///
    /// let slot = client
    ///     .concurrency(["database", "gpu"])
    ///     .slots(2)
    ///     .lease(Duration::from_secs(60))
    ///     .timeout(Duration::from_secs(30))
    ///     .acquire()
    ///     .await?;
    /// println!("holding {} limits", slot.limits().len());
    /// slot.release().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn concurrency(&self, names: impl IntoLimitNames) -> Concurrency {
        Concurrency::new(self.clone(), names.into_limit_names())
    }

    /// The rate of the global concurrency limits with these names, of all of them at once; their slots must
    /// decay (`slot_decay_per_second`).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let api = client.rate_limit("partner-api");
    /// for page in 0..100 {
    ///     api.acquire().await?;
    ///     println!("asking for page {page}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn rate_limit(&self, names: impl IntoLimitNames) -> RateLimit {
        RateLimit::new(self.clone(), names.into_limit_names())
    }
}
