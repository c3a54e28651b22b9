//! Global concurrency limits: creating or updating one, and freeing its slots.

use super::generated::GlobalConcurrencyLimits;
use crate::error::Result;
use crate::resources::ensure::ensure;
use crate::types::{
    ConcurrencyLimitV2Create, ConcurrencyLimitV2Update, GlobalConcurrencyLimitResponse,
};

impl GlobalConcurrencyLimits<'_> {
    /// Updates the limit of this name, or creates it if there is none:
    /// `PATCH /v2/concurrency_limits/{name}`, else `POST /v2/concurrency_limits/`; then
    /// `GET /v2/concurrency_limits/{name}`.
    ///
    /// Fields that are not set are left as they are, and so are held slots, unless `active_slots` is set.
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::ErrorKind::Validation) for a negative limit, or any
    /// [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::types::ConcurrencyLimitV2Create;
    ///
    /// let limit = ConcurrencyLimitV2Create::new("database", 5).slot_decay_per_second(0.5);
    /// let limit = client.global_concurrency_limits().ensure(&limit).await?;
    /// println!("{} of {} slots are held", limit.active_slots, limit.limit);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ensure(
        self,
        limit: &ConcurrencyLimitV2Create,
    ) -> Result<GlobalConcurrencyLimitResponse> {
        let mut update = ConcurrencyLimitV2Update::new().limit(limit.limit);
        update.active = limit.active;
        update.active_slots = limit.active_slots;
        update.denied_slots = limit.denied_slots;
        update.slot_decay_per_second = limit.slot_decay_per_second;
        ensure(|| self.update(&limit.name, &update), || self.create(limit)).await?;
        self.get(&limit.name).await
    }

    /// Counts all slots of a limit as free: `PATCH /v2/concurrency_limits/{name}`.
    ///
    /// Present holders go on, in addition to those that take the freed slots; and when an existing lease
    /// ends, it gives back its slots, whoever holds them then. So do this only when nobody holds any, for
    /// example after a restart of a server that has forgotten its leases: see
    /// [`Client::stuck_slots`](crate::Client::stuck_slots).
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such limit, or any
    /// [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// client.global_concurrency_limits().reset_and_free("database").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reset_and_free(self, name: &str) -> Result<()> {
        let update = ConcurrencyLimitV2Update::new()
            .active_slots(0)
            .denied_slots(0);
        self.update(name, &update).await
    }
}
