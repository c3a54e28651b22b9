//! The concurrency limit of a deployment, as its runs are held to it.

use std::time::Duration;

use uuid::Uuid;

use super::row::Deployments;
use crate::testing::fake::concurrency::Limits;
use crate::testing::fake::flow_runs::DeploymentLimit;
use crate::types::ConcurrencyLimitStrategy;

/// How long the lease of a slot lasts at first (`PREFECT_SERVER_CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION`).
const LEASE: Duration = Duration::from_secs(300);

impl Deployments {
    /// The limit to which the runs of a deployment are held.
    pub(crate) fn limit_of(&self, deployment: Uuid, limits: &Limits) -> Option<DeploymentLimit> {
        let row = self.rows.get(deployment)?;
        let limit = limits.get(row.limit?)?;
        let options = row.shown.concurrency_options.as_ref();
        let grace = options.and_then(|options| *options.grace_period_seconds);
        let grace = grace.and_then(|seconds| u64::try_from(seconds).ok());
        Some(DeploymentLimit {
            id: limit.id,
            limit: limit.limit,
            cancels_new: options.is_some_and(|options| {
                options.collision_strategy == ConcurrencyLimitStrategy::CancelNew
            }),
            grace: grace
                .filter(|seconds| *seconds > 0)
                .map_or(LEASE, Duration::from_secs),
        })
    }
}
