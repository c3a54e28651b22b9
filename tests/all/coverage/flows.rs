//! Flows, deployments and their schedules.

use prefect_sdk::types::*;
use serde_json::json;

use super::tour::Tour;

pub async fn visit(tour: &Tour) {
    let client = &tour.client;
    let flows = client.flows();
    let flow = tour
        .step("create a flow", flows.create(&FlowCreate::new("etl")))
        .await;
    let flow = flow.expect("a flow").id;
    tour.step("get a flow", flows.get(flow)).await;
    tour.step("get by name", flows.get_by_name("etl")).await;
    tour.step("list", flows.list().name("etl")).await;
    tour.step("paginate", flows.paginate().name("etl")).await;
    tour.step("count", flows.count().tag("none")).await;
    tour.step("update", flows.update(flow, &FlowUpdate::new().tags(["a"])))
        .await;
    let ids = || [flow];
    tour.step(
        "deployment counts",
        flows.deployment_counts(&CountDeploymentsByFlowRequest::new(ids())),
    )
    .await;
    tour.step(
        "next runs",
        flows.next_runs(&NextRunsByFlowRequest::new(ids())),
    )
    .await;

    let deployments = client.deployments();
    let cron = || DeploymentScheduleCreate::new(Schedule::Cron(CronSchedule::new("0 6 * * *")));
    let nightly = DeploymentCreate::new("nightly", flow)
        .schedules([cron()])
        // Old servers cannot update a deployment without a schema.
        .parameter_openapi_schema(json!({ "type": "object", "properties": {} }))
        .paused(false);
    let nightly = tour
        .step("create a deployment", deployments.create(&nightly))
        .await;
    let id = nightly.expect("a deployment").id;
    tour.step("get", deployments.get(id)).await;
    tour.step("get by name", deployments.get_by_name("etl", "nightly"))
        .await;
    tour.step("list", deployments.list().flow_name("etl")).await;
    tour.step("paginate", deployments.paginate().name("nightly"))
        .await;
    tour.step("count", deployments.count().paused(false)).await;
    tour.step(
        "update",
        deployments.update(id, &DeploymentUpdate::new().description("d".to_owned())),
    )
    .await;
    tour.step(
        "run",
        deployments.create_flow_run(id, &DeploymentFlowRunCreate::new()),
    )
    .await;
    let runs = vec![DeploymentFlowRunCreate::new(); 3];
    let created = tour
        .step("run three", async {
            let created = deployments.run_many(id, runs).await;
            created.into_iter().collect::<prefect_sdk::Result<Vec<_>>>()
        })
        .await;
    assert!(created.is_none_or(|created| created.len() == 3));
    tour.step(
        "schedule",
        deployments.schedule(id, &ScheduleDeploymentRequest::new()),
    )
    .await;
    let due = GetScheduledFlowRunsForDeploymentsRequest::new([id]);
    tour.step("due", deployments.scheduled_flow_runs(&due))
        .await;
    tour.step("pause", deployments.pause(id)).await;
    tour.step("resume", deployments.resume(id)).await;
    tour.step("queues", deployments.work_queues(id)).await;

    let schedules = deployments.schedules(id);
    let hourly = IntervalSchedule::new(std::time::Duration::from_secs(3600));
    let hourly = DeploymentScheduleCreate::new(Schedule::Interval(hourly));
    tour.step("add a schedule", schedules.create(vec![hourly]))
        .await;
    let all = tour
        .step("schedules", schedules.list())
        .await
        .expect("schedules");
    tour.step(
        "update a schedule",
        schedules.update(all[0].id, &DeploymentScheduleUpdate::new().active(false)),
    )
    .await;
    tour.step("delete a schedule", schedules.delete(all[0].id))
        .await;

    let values = json!({ "type": "object", "properties": { "n": { "type": "integer" } } });
    tour.step(
        "validate",
        client
            .schemas()
            .validate(&ValidateObjRequest::new(values, json!({ "n": 1 }))),
    )
    .await;

    for name in ["one", "two", "three"] {
        tour.step(
            "create",
            deployments.create(&DeploymentCreate::new(name, flow)),
        )
        .await;
    }
    tour.step("delete", deployments.delete(id)).await;
    tour.step(
        "delete deployments",
        deployments.delete_many().name("one").name("two"),
    )
    .await;
    for name in ["old-1", "old-2"] {
        let old = FlowCreate::new(name).tags(["old"]);
        tour.step("create", flows.create(&old)).await;
    }
    tour.step("delete flows", flows.delete_many().tag("old"))
        .await;
    let old = tour
        .step("create", flows.create(&FlowCreate::new("old")))
        .await;
    tour.step("delete", flows.delete(old.expect("a flow").id))
        .await;
}
