//! Holding slots of concurrency limits, and keeping to rates.

mod acquire;
mod demand;
mod keeper;
mod lease;
mod names;
mod rate_limit;
mod slot;
mod stuck;
mod throttle;
mod turns;

pub use acquire::Concurrency;
pub(crate) use keeper::Keeper;
pub use names::Names;
pub use rate_limit::RateLimit;
pub use slot::Slot;
pub use stuck::{HeldLimit, Holders, Remedy, StuckSlots};
pub use throttle::Throttled;
pub(crate) use turns::Turns;

use crate::client::Client;

impl Client {
    /// Slots of global concurrency limits, of all of these names at once: how many programs, wherever
    /// they run, may do something at the same time.
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
    pub fn concurrency(&self, names: impl Names) -> Concurrency {
        Concurrency::new(self.clone(), names.into_names())
    }

    /// Keeping to the rate of global concurrency limits whose slots decay (`slot_decay_per_second`), of
    /// all of these names at once.
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
    pub fn rate_limit(&self, names: impl Names) -> RateLimit {
        RateLimit::new(self.clone(), names.into_names())
    }
}
