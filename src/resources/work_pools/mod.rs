//! Work pools, their queues and their workers.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! use prefect_sdk::types::WorkPoolCreate;
//!
//! let pool = WorkPoolCreate::new("batch").type_("process").concurrency_limit(10);
//! let pool = client.work_pools().ensure(&pool).await?;
//! println!("{} has the type {}", pool.name, pool.type_);
//! # Ok(())
//! # }
//! ```

generated!("work_pools");

#[cfg(feature = "websocket")]
mod worker_channel;

use super::ensure::{self, Changes, Ensured, Matching, Plan, Wanted, compare};
pub use generated::{WorkPoolQueues, WorkPoolWorkers, WorkPools, WorkQueues};
#[cfg(feature = "websocket")]
pub use worker_channel::WorkerChannel;

use crate::error::Result;
use crate::types::{
    WorkPoolCreate, WorkPoolResponse, WorkPoolUpdate, WorkQueueCreate, WorkQueueResponse,
    WorkQueueUpdate,
};

impl WorkPools<'_> {
    /// Creates the work pool of this name, changes it where it differs, or leaves it alone:
    /// `GET /work_pools/{name}`, then `POST /work_pools/` or `PATCH /work_pools/{name}` and `GET` again, if need be. Fields
    /// that are not set are left as they are.
    ///
    /// The type of a pool cannot be changed: if another type is set, the pool keeps its type and its job template, which
    /// belongs to the type, and a warning is logged.
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::ErrorKind::Validation) for values that the server rejects, or any
    /// [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::types::WorkPoolCreate;
    ///
    /// let pool = WorkPoolCreate::new("batch").type_("process").concurrency_limit(10);
    /// let pool = client.work_pools().ensure(&pool).await?;
    /// println!("{} is of type {}", pool.name, pool.type_);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ensure(self, pool: &WorkPoolCreate) -> Result<Ensured<WorkPoolResponse>> {
        ensure::ensure(&WantedPool { pools: self, pool }).await
    }

    /// Returns what [`ensure`](Self::ensure) would do, and changes nothing: `GET /work_pools/{name}`.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    pub async fn plan(self, pool: &WorkPoolCreate) -> Result<Plan> {
        ensure::plan(&WantedPool { pools: self, pool }).await
    }
}

/// A work pool that is wanted.
struct WantedPool<'a> {
    pools: WorkPools<'a>,
    pool: &'a WorkPoolCreate,
}

impl Wanted for WantedPool<'_> {
    type Found = WorkPoolResponse;

    fn title(&self) -> String {
        format!("the work pool {:?}", self.pool.name)
    }

    async fn read(&self) -> Result<Option<Self::Found>> {
        self.pools.get_opt(&self.pool.name).await
    }

    #[inline]
    fn differences(&self, found: &Self::Found) -> Result<Changes> {
        let has_other_type = self.pool.type_.as_ref().is_some_and(|wanted| {
            let is_other = *wanted != found.type_;
            if is_other {
                let (pool, kept) = (&found.name, &found.type_);
                tracing::warn!(
                    work_pool = pool,
                    wanted,
                    kept,
                    "the type of a work pool cannot be changed"
                );
            }
            is_other
        });
        compare(self.pool, found, |field| match field {
            "name" | "type" => None,
            "base_job_template" if has_other_type => None,
            "storage_configuration" => Some(Matching::UpToDefaults),
            _ => Some(Matching::Exact),
        })
    }

    async fn create(&self) -> Result<()> {
        self.pools.create(self.pool).await.map(drop)
    }

    async fn update(&self, _: &Self::Found, changes: &Changes) -> Result<()> {
        let update: WorkPoolUpdate = changes.update()?;
        self.pools.update(&self.pool.name, &update).await
    }
}

impl WorkPoolQueues<'_> {
    /// Creates the queue of this name in the pool, changes it where it differs, or leaves it alone:
    /// `GET /work_pools/{work_pool_name}/queues/{name}`, then `POST /work_pools/{work_pool_name}/queues` or `PATCH` of the
    /// queue and `GET` again, if need be. Fields that are not set are left as they are.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such pool,
    /// [`Validation`](crate::ErrorKind::Validation) for values that the server rejects, or any
    /// [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::types::WorkQueueCreate;
    ///
    /// let queue = WorkQueueCreate::new("urgent").priority(1);
    /// let queue = client.work_pools().queues("batch").ensure(&queue).await?;
    /// println!("{} has priority {:?}", queue.name, queue.priority);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ensure(self, queue: &WorkQueueCreate) -> Result<Ensured<WorkQueueResponse>> {
        ensure::ensure(&WantedQueue {
            queues: self,
            queue,
        })
        .await
    }

    /// Returns what [`ensure`](Self::ensure) would do, and changes nothing: `GET /work_pools/{work_pool_name}/queues/{name}`.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    pub async fn plan(self, queue: &WorkQueueCreate) -> Result<Plan> {
        ensure::plan(&WantedQueue {
            queues: self,
            queue,
        })
        .await
    }
}

/// A queue that is wanted.
struct WantedQueue<'a> {
    queues: WorkPoolQueues<'a>,
    queue: &'a WorkQueueCreate,
}

impl Wanted for WantedQueue<'_> {
    type Found = WorkQueueResponse;

    fn title(&self) -> String {
        format!(
            "the queue {:?} of {:?}",
            self.queue.name, self.queues.work_pool
        )
    }

    async fn read(&self) -> Result<Option<Self::Found>> {
        self.queues.get_opt(&self.queue.name).await
    }

    #[inline]
    fn differences(&self, found: &Self::Found) -> Result<Changes> {
        compare(self.queue, found, |field| match field {
            "name" => None,
            "filter" => Some(Matching::UpToDefaults),
            "description" | "priority" => Some(Matching::ExactUnlessNull),
            _ => Some(Matching::Exact),
        })
    }

    async fn create(&self) -> Result<()> {
        self.queues.create(self.queue).await.map(drop)
    }

    async fn update(&self, _: &Self::Found, changes: &Changes) -> Result<()> {
        let update: WorkQueueUpdate = changes.update()?;
        self.queues.update(&self.queue.name, &update).await
    }
}
