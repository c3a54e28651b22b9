//! Every future and stream of the SDK is `Send`, so that `tokio::spawn` accepts it. This is checked when the tests are
//! compiled. The generated methods are alike, and so one of each kind stands for them.

use std::time::Duration;

use prefect_sdk::events::{Emitter, Subscription, SubscriptionBuilder};
use prefect_sdk::flow_runs::{FlowRunHandle, Watch};
use prefect_sdk::local_server::LocalCluster;
use prefect_sdk::query::Pages;
use prefect_sdk::raw::ByteStream;
use prefect_sdk::types::*;
use prefect_sdk::{Client, LocalServer, Pager, concurrency};
use serde_json::json;
use uuid::Uuid;

macro_rules! assert_send {
    ($($future:expr,)*) => {{
        fn is_send<T: Send>(_: T) {}
        // Nothing is sent: none of them is polled.
        $(is_send($future);)*
    }};
}

#[allow(dead_code, clippy::too_many_arguments, reason = "it is only compiled")]
fn futures(
    client: &Client,
    id: Uuid,
    run: &FlowRunHandle,
    guard: &concurrency::SlotGuard,
    released: concurrency::SlotGuard,
    emitter: &Emitter,
    event: Event,
    server: LocalServer,
    cluster: LocalCluster,
    automation: &AutomationCreate,
) {
    let runs = client.flow_runs();
    let pool = WorkPoolCreate::new("pool");
    let queue = WorkQueueCreate::new("queue");
    let limit = ConcurrencyLimitV2Create::new("limit", 1);
    let deployment = DeploymentCreate::new("deployment", id);
    let (flow, variable) = (FlowCreate::new("flow"), VariableCreate::new("name", 1));
    let slots = client.concurrency("limit");
    let rate = client.rate_limit("limit");
    assert_send! {
        client.health(), client.ready(), client.version(), client.doctor(), client.stuck_slots(),
        client.flows().get(id), client.flows().list().into_future(), client.flows().count().into_future(),
        client.flows().delete_many().all().into_future(), client.flows().delete_many().all().dry_run(),
        client.flows().list().first(), client.flows().list().at_most(3),
        client.flows().list().pager().try_collect(), client.raw().read_flow(&id),
        client.variables().set("name", 1), client.variables().value::<i64>("name"),
        client.work_pools().ensure(&pool), client.work_pools().queues("pool").ensure(&queue),
        client.global_concurrency_limits().ensure(&limit), client.work_pools().plan(&pool),
        client.deployments().ensure(&deployment), client.deployments().plan(&deployment),
        client.flows().ensure(&flow), client.variables().ensure(&variable),
        client.concurrency_limits().ensure("tag", 1), client.automations().ensure(automation),
        client.block_types().ensure("secret", "name", json!({})),
        client.global_concurrency_limits().reset_and_free("limit"),
        client.concurrency_limits().create("tag", 1), client.concurrency_limits().list(),
        client.concurrency_limits().reset_and_free("tag"),
        client.block_types().save("secret", "name", json!({})),
        client.block_types().document::<serde_json::Value>("secret", "name"),
        client.automations().get_by_name("name"), client.automations().set_enabled(id, true),
        client.deployments().run("a/b").check_parameters().send(),
        client.deployments().run_many(id, []).into_future(),
        client.deployments().schedules(id).update(id, &DeploymentScheduleUpdate::new()),
        runs.wait(id).into_future(), runs.wait_all([id]).into_future(), runs.wait_any([id]).into_future(),
        runs.propose(id, StateCreate::new(StateType::Running)), runs.cancel(id),
        runs.cancel_many().all().into_future(), runs.pause(id, Duration::ZERO), runs.suspend(id, None),
        runs.resume(id), runs.resume_with(id, 1), runs.retry(id), runs.download_logs(id),
        runs.inputs(id).get("key"), runs.graph_since(id, chrono::Utc::now()),
        run.state(), run.get(), run.wait().into_future(), run.logs().into_future(), run.cancel(),
        slots.acquire(), slots.try_acquire(), slots.run(async {}), guard.lost(), released.release(),
        rate.acquire(), rate.try_acquire(),
        client.events().emit(event.clone()), client.events().subscribe().start(),
        emitter.send(event), emitter.flush(), emitter.clone().close(),
        LocalServer::start(), server.stop(), LocalCluster::start(), cluster.stop(),
    }
}

#[allow(dead_code, reason = "it is only compiled")]
fn streams(
    watch: Watch,
    subscription: Subscription,
    builder: SubscriptionBuilder,
    pager: Pager<Flow>,
    pages: Pages<Flow>,
    bytes: ByteStream,
) {
    assert_send! { watch, subscription, builder, pager, pages, bytes, }
}

#[tokio::test]
async fn a_call_of_several_requests_can_be_spawned() {
    let client = crate::support::live().await;
    let name = crate::support::unique("spawned");
    let spawned = tokio::spawn(async move { client.variables().set(&name, 5).await });
    spawned.await.expect("joined").expect("set");
}
