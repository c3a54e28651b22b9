//! Global concurrency limits: the one that should be there.

use super::GlobalConcurrencyLimits;
use super::ensure::{ensure, said};
use crate::error::Result;
use crate::types::{
    ConcurrencyLimitV2Create, ConcurrencyLimitV2Update, GlobalConcurrencyLimitResponse,
};

impl GlobalConcurrencyLimits<'_> {
    /// Sees to it that there is a limit of this name, and that it is as said:
    /// `PATCH /v2/concurrency_limits/{name}`, else `POST /v2/concurrency_limits/`; then
    /// `GET /v2/concurrency_limits/{name}`.
    ///
    /// What is not said is left as it is; so are slots that are held, unless `active_slots` is said.
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::ErrorKind::Validation) for a negative limit; those of any call.
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
        update.active = said(&limit.active);
        update.active_slots = said(&limit.active_slots);
        update.denied_slots = said(&limit.denied_slots);
        update.slot_decay_per_second = said(&limit.slot_decay_per_second);
        ensure(
            async || self.update(&limit.name, &update).await,
            async || self.create(limit).await,
        )
        .await?;
        self.get(&limit.name).await
    }

    /// Counts all slots of a limit as free: `PATCH /v2/concurrency_limits/{name}`.
    ///
    /// Whoever holds one goes on, beside those that take them anew; and leases that there are give
    /// their slots back when they end, of whoever has them then. So do this when nobody holds any,
    /// as after a restart of a server that has forgotten its leases: see
    /// [`Client::stuck_slots`](crate::Client::stuck_slots).
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such limit; those of any call.
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
