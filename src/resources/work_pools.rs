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

use super::ensure::ensure;
pub use generated::{WorkPoolQueues, WorkPoolWorkers, WorkPools, WorkQueues};

use crate::error::Result;
use crate::types::{
    WorkPoolCreate, WorkPoolResponse, WorkPoolUpdate, WorkQueueCreate, WorkQueueResponse,
    WorkQueueUpdate,
};

impl WorkPools<'_> {
    /// Updates the work pool of this name, or creates it if there is none:
    /// `GET /work_pools/{name}`, then `PATCH` of it, else `POST /work_pools/`; then `GET` again.
    ///
    /// Fields that are not set are left as they are. The type of a pool cannot be changed: if another type is
    /// set, the pool keeps its type and its job template, which belongs to the type, and a warning is logged.
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
    pub async fn ensure(self, pool: &WorkPoolCreate) -> Result<WorkPoolResponse> {
        let mut update = WorkPoolUpdate::new();
        update.description = pool.description.clone();
        update.concurrency_limit = pool.concurrency_limit;
        update.is_paused = pool.is_paused;
        update.base_job_template = pool.base_job_template.clone();
        update.storage_configuration = pool.storage_configuration.clone();
        if let Some(found) = self.get_opt(&pool.name).await?
            && let Some(wanted) = &pool.type_
            && *wanted != found.type_
        {
            tracing::warn!(
                work_pool = found.name,
                wanted,
                kept = found.type_,
                "the type of a work pool cannot be changed"
            );
            update.base_job_template = None;
        }
        ensure(|| self.update(&pool.name, &update), || self.create(pool)).await?;
        self.get(&pool.name).await
    }
}

impl WorkPoolQueues<'_> {
    /// Updates the queue of this name in the pool, or creates it if there is none:
    /// `PATCH /work_pools/{work_pool_name}/queues/{name}`, else
    /// `POST /work_pools/{work_pool_name}/queues`; then `GET` of the queue.
    ///
    /// Fields that are not set are left as they are.
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
    pub async fn ensure(self, queue: &WorkQueueCreate) -> Result<WorkQueueResponse> {
        let mut update = WorkQueueUpdate::new();
        update.description = queue.description.as_ref().cloned();
        update.concurrency_limit = queue.concurrency_limit;
        update.filter = queue.filter.clone();
        update.is_paused = queue.is_paused;
        update.priority = *queue.priority;
        ensure(|| self.update(&queue.name, &update), || self.create(queue)).await?;
        self.get(&queue.name).await
    }
}
