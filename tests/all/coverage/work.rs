//! Work pools, queues and workers.

use prefect_sdk::types::*;

use super::tour::Tour;

pub async fn visit(tour: &Tour) {
    let client = &tour.client;
    let pools = client.work_pools();
    let pool = WorkPoolCreate::new("tour").type_("process");
    tour.step("create a pool", pools.create(&pool)).await;
    tour.step("get", pools.get("tour")).await;
    tour.step("list", pools.list().of_type("process")).await;
    tour.step("count", pools.count().name("tour")).await;
    tour.step(
        "update",
        pools.update("tour", &WorkPoolUpdate::new().concurrency_limit(3)),
    )
    .await;
    tour.step("status", pools.concurrency_status("tour")).await;
    tour.step(
        "due",
        pools.scheduled_flow_runs("tour", &GetScheduledFlowRunsRequest::new()),
    )
    .await;

    let queues = pools.queues("tour");
    tour.step(
        "create a queue",
        queues.create(&WorkQueueCreate::new("urgent")),
    )
    .await;
    tour.step("get", queues.get("urgent")).await;
    tour.step("list", queues.list().name_prefix("urg")).await;
    tour.step(
        "update",
        queues.update("urgent", &WorkQueueUpdate::new().priority(1)),
    )
    .await;
    tour.step("delete", queues.delete("urgent")).await;

    let workers = pools.workers("tour");
    tour.step(
        "heartbeat",
        workers.heartbeat(&WorkerHeartbeatRequest::new("w")),
    )
    .await;
    let found = tour
        .step("workers", workers.list().status(WorkerStatus::Online))
        .await;
    assert_eq!(found.map(|found| found.len()), Some(1));
    tour.step("delete", workers.delete("w")).await;

    let queues = client.work_queues();
    let queue = tour
        .step(
            "create a queue",
            queues.create(&WorkQueueCreate::new("tour")),
        )
        .await;
    let id = queue.expect("a queue").id;
    tour.step("get", queues.get(id)).await;
    tour.step("get by name", queues.get_by_name("tour")).await;
    tour.step("list", queues.list().name("tour")).await;
    tour.step(
        "update",
        queues.update(id, &WorkQueueUpdate::new().priority(9)),
    )
    .await;
    tour.step("status", queues.status(id)).await;
    tour.step("concurrency", queues.concurrency_status(id))
        .await;
    tour.step(
        "runs",
        queues.flow_runs(id, &ReadWorkQueueRunsRequest::new()),
    )
    .await;
    tour.step("delete", queues.delete(id)).await;
    tour.step("delete the pool", pools.delete("tour")).await;
}
