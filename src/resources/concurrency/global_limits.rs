//! Global concurrency limits: creating or updating one, and freeing its slots.

use super::generated::GlobalConcurrencyLimits;
use crate::error::Result;
use crate::resources::ensure::{self, Changes, Ensured, Matching, Plan, Wanted, compare};
use crate::types::{
    ConcurrencyLimitV2Create, ConcurrencyLimitV2Update, GlobalConcurrencyLimitResponse,
};

impl GlobalConcurrencyLimits<'_> {
    /// Creates the limit of this name, changes it where it differs, or leaves it alone:
    /// `GET /v2/concurrency_limits/{name}`, then `POST /v2/concurrency_limits/` or
    /// `PATCH /v2/concurrency_limits/{name}` and `GET` again, if need be. Fields that are not set are left as they are.
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
    ) -> Result<Ensured<GlobalConcurrencyLimitResponse>> {
        ensure::ensure(&WantedLimit {
            limits: self,
            limit,
        })
        .await
    }

    /// Returns what [`ensure`](Self::ensure) would do, and changes nothing: `GET /v2/concurrency_limits/{name}`.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    pub async fn plan(self, limit: &ConcurrencyLimitV2Create) -> Result<Plan> {
        ensure::plan(&WantedLimit {
            limits: self,
            limit,
        })
        .await
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

/// A limit that is wanted.
struct WantedLimit<'a> {
    limits: GlobalConcurrencyLimits<'a>,
    limit: &'a ConcurrencyLimitV2Create,
}

impl Wanted for WantedLimit<'_> {
    type Found = GlobalConcurrencyLimitResponse;

    fn title(&self) -> String {
        format!("the global limit {:?}", self.limit.name)
    }

    async fn read(&self) -> Result<Option<Self::Found>> {
        self.limits.get_opt(&self.limit.name).await
    }

    #[inline]
    fn differences(&self, found: &Self::Found) -> Result<Changes> {
        compare(self.limit, found, |field| match field {
            // No reply has the denied slots.
            "name" | "denied_slots" => None,
            _ => Some(Matching::Exact),
        })
    }

    async fn create(&self) -> Result<()> {
        self.limits.create(self.limit).await.map(drop)
    }

    async fn update(&self, _: &Self::Found, changes: &Changes) -> Result<()> {
        let update: ConcurrencyLimitV2Update = changes.update()?;
        self.limits.update(&self.limit.name, &update).await
    }
}
