//! Tag limits and global limits.

use prefect_sdk::types::*;
use uuid::Uuid;

use super::tour::Tour;

pub async fn visit(tour: &Tour) {
    let client = &tour.client;
    let tags = client.concurrency_limits();
    let task_run = Uuid::new_v4();
    let limit = tour
        .step("limit a tag", tags.create("tour", 2))
        .await
        .expect("a limit");
    tour.step("get", tags.get(limit.id)).await;
    tour.step("get by tag", tags.get_by_tag("tour")).await;
    tour.step("list", tags.list()).await;
    tour.step("take", tags.increment(["tour"], task_run)).await;
    tour.step("give back", tags.decrement(["tour"], task_run))
        .await;
    tour.step("reset", tags.reset("tour")).await;
    tour.step("delete", tags.delete(limit.id)).await;
    tour.step("limit a tag", tags.create("tour", 2)).await;
    tour.step("delete by tag", tags.delete_by_tag("tour")).await;

    let limits = client.global_concurrency_limits();
    tour.step(
        "create",
        limits.create(&ConcurrencyLimitV2Create::new("tour", 2)),
    )
    .await;
    tour.step("get", limits.get("tour")).await;
    tour.step("list", limits.list()).await;
    tour.step(
        "update",
        limits.update("tour", &ConcurrencyLimitV2Update::new().limit(3)),
    )
    .await;
    tour.step(
        "take",
        limits.increment(&BulkIncrementActiveSlotsRequest::new(1, ["tour"])),
    )
    .await;
    tour.step(
        "give back",
        limits.decrement(&BulkDecrementActiveSlotsRequest::new(1, ["tour"])),
    )
    .await;
    let lease = BulkIncrementActiveSlotsWithLeaseRequest::new(1, ["tour"]);
    let lease = tour
        .step("lease", limits.increment_with_lease(&lease))
        .await;
    // Servers without leases are called all the same, to see their answer.
    let lease = lease.map_or_else(Uuid::new_v4, |lease| lease.lease_id);
    tour.step(
        "renew",
        limits.renew_lease(lease, &RenewConcurrencyLeaseRequest::new()),
    )
    .await;
    tour.step(
        "end it",
        limits.decrement_with_lease(&BulkDecrementActiveSlotsWithLeaseRequest::new(lease)),
    )
    .await;
    tour.step("delete", limits.delete("tour")).await;
}
