//! The deployments that a process makes of its flows.

use std::sync::atomic::Ordering;
use std::time::Duration;

use prefect_sdk::automations::event;
use prefect_sdk::flow::{BoxError, Run};
use prefect_sdk::types::{DeploymentResponse, DeploymentUpdate, WorkPoolCreate};
use prefect_sdk::{Client, Flow};
use serde_json::json;

use super::{Serving, a_kit, served};
use crate::flow::a_deployment_of;
use crate::support::{counting, live, live_builder, unique};

fn a_flow() -> Flow {
    Flow::new(unique("flow"), |_: Run, _: ()| async {
        Ok::<_, BoxError>(())
    })
}

async fn deployment(client: &Client, flow: &Flow) -> DeploymentResponse {
    let found = client.deployments().get_by_name(flow.name(), "d").await;
    found.expect("a deployment")
}

#[tokio::test]
async fn a_restart_that_changes_nothing_sends_no_changes() {
    const CHANGES: [&str; 4] = ["create_", "update_", "delete_", "pause_"];
    let (builder, changes) = counting(live_builder().await, |attempt| {
        let operation = attempt.operation();
        operation != "create_flow" && CHANGES.iter().any(|it| operation.starts_with(it))
    });
    let client = builder.build().expect("a client");
    let flow = a_flow();
    let serve = || {
        let deployment = flow
            .deployment("d")
            .cron("0 4 * * *")
            .expect("valid")
            .interval(Duration::from_secs(3600))
            .expect("valid")
            .tags(["rust"])
            .description("Every night")
            .parameters(json!({ "day": 1 }))
            .parameter_schema(
                json!({ "type": "object", "properties": { "day": { "type": "integer" } } }),
            )
            .concurrency_limit(2)
            .trigger(event("shop.file.uploaded"));
        client.serve().add(deployment)
    };
    Serving::start(serve()).await.stop().await;
    let before = deployment(&client, &flow).await;
    assert_eq!(before.schedules.as_ref().map(Vec::len), Some(2));
    assert_eq!(before.tags.as_deref(), Some(&["rust".to_owned()][..]));
    let name = format!("{}/d: trigger 1", flow.name());
    let automation = client
        .automations()
        .get_by_name(&name)
        .await
        .expect("a trigger");

    let made = changes.load(Ordering::SeqCst);
    assert!(made > 0);
    Serving::start(serve()).await.stop().await;
    assert_eq!(changes.load(Ordering::SeqCst), made);
    let after = deployment(&client, &flow).await;
    assert_eq!((before.id, before.updated), (after.id, after.updated));
    assert_eq!(before.schedules, after.schedules);

    // Without its trigger it has none any more.
    let serve = client.serve().add(flow.deployment("d"));
    Serving::start(serve).await.stop().await;
    let found = client.automations().get_opt(automation.id).await;
    assert!(found.expect("an answer").is_none());
    // What is not set is left alone.
    assert_eq!(deployment(&client, &flow).await.schedules, after.schedules);
}

#[tokio::test]
async fn a_deployment_that_had_a_pool_has_none_any_more() {
    let client = live().await;
    let (flow, pool) = (a_flow(), unique("pool"));
    let made = WorkPoolCreate::new(&pool).type_("process");
    client.work_pools().create(&made).await.expect("a pool");
    a_deployment_of(&client, flow.name(), |it| it.work_pool_name(pool.as_str())).await;
    let before = deployment(&client, &flow).await;
    assert_eq!(before.work_pool_name, pool.as_str());
    let serving = Serving::start(client.serve().add(flow.deployment("d"))).await;
    let after = deployment(&client, &flow).await;
    assert_eq!(after.id, before.id);
    assert!(after.work_pool_name.is_none() && after.work_queue_name.is_none());
    serving.stop().await;
}

#[tokio::test]
async fn deployments_are_paused_at_the_end_and_resumed_at_the_start() {
    let kit = a_kit();
    let client = kit.client();
    let flow = a_flow();
    let serve = || client.serve().add(flow.deployment("d")).pause_on_shutdown();
    for _ in 0..2 {
        let serving = Serving::start(serve()).await;
        assert_eq!(deployment(&client, &flow).await.paused, Some(false));
        serving.stop().await;
        assert_eq!(deployment(&client, &flow).await.paused, Some(true));
    }
    // Otherwise they are left as they are.
    let update = DeploymentUpdate::new().paused(true);
    let id = served(&client, &flow).await;
    client
        .deployments()
        .update(id, &update)
        .await
        .expect("paused");
    Serving::start(client.serve().add(flow.deployment("d")))
        .await
        .stop()
        .await;
    assert_eq!(deployment(&client, &flow).await.paused, Some(true));
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_before_anything_is_sent() {
    let (builder, requests) = counting(live_builder().await, |_| true);
    let client = builder.build().expect("a client");
    let flow = a_flow();
    let twice = client
        .serve()
        .add(flow.deployment("d"))
        .add(flow.deployment("d"));
    let nothing = client.serve();
    let no_slot = client.serve().add(flow.deployment("d")).limit(0);
    let no_name = client
        .serve()
        .add(Flow::new("", |_: Run, _: ()| async { Ok::<_, BoxError>(()) }).deployment("d"));
    for serve in [twice, nothing, no_slot, no_name] {
        let error = serve.run().await.expect_err("refused");
        assert!(error.is_invalid_request(), "{error}");
    }
    assert_eq!(requests.load(Ordering::SeqCst), 0);
}
