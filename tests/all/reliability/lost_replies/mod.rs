//! A real server executes a request and the reply is lost: what the repetition does.

mod runs;

use prefect_sdk::types::*;
use prefect_sdk::{Client, Error};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Fault, FaultProxy, a_run, live, unique};

/// A client that loses the first successful reply to a request with this method and path.
async fn losing(method: &'static str, path: &'static str) -> (Client, FaultProxy) {
    let server = live().await;
    let proxy = FaultProxy::losing_one_reply(server.api_url(), method, path).await;
    (proxy.builder().build().expect("a client"), proxy)
}

/// Asserts that such a request was delivered to the server at least twice.
fn repeated(proxy: &FaultProxy, method: &str, path: &str) {
    let delivered = proxy.delivered();
    let same = |request: &&crate::support::http::Message| {
        request.method() == method && request.target().ends_with(path)
    };
    assert!(delivered.iter().filter(same).count() >= 2);
}

async fn flow() -> Uuid {
    let flow = FlowCreate::new(unique("lost"));
    let flow = live().await.raw().create_flow(&flow).await;
    flow.expect("created").into_inner().id
}

async fn flow_run() -> Uuid {
    let run = FlowRunCreate::new(flow().await);
    let run = live().await.raw().create_flow_run(&run).await;
    run.expect("created").into_inner().id
}

async fn runs_of(flow: Uuid) -> i64 {
    let body = CountFlowRunsRequest::new()
        .flows(FlowFilter::new().id(FlowFilterId::new().any_(vec![flow])));
    let count = live().await.raw().count_flow_runs(&body).await;
    count.expect("counted").into_inner()
}

async fn states_of(run: Uuid) -> Vec<String> {
    let states = live().await.raw().read_flow_run_states(&run).await;
    let states = states.expect("read").into_inner();
    states
        .into_iter()
        .map(|state| state.type_.to_string())
        .collect()
}

/// Asserts that the call may have happened, and that the error is not retryable.
fn open(error: &Error) {
    assert!(
        error.may_have_happened() && !error.is_retryable(),
        "{error:?}"
    );
}

#[tokio::test]
async fn what_bears_a_unique_name_is_not_falsely_reported_as_existing() {
    let (client, proxy) = losing("POST", "/variables/").await;
    let value = json!({"deep": [1, 2.5, null], "text": "é"});
    let value: Json = serde_json::from_value(value).expect("JSON");
    let variable = VariableCreate::new(unique("lost"), value).tags(vec!["t".to_owned()]);
    let created = client.raw().create_variable(&variable).await;
    assert_eq!(
        created.expect("it is ours").into_inner().name,
        variable.name
    );
    repeated(&proxy, "POST", "/variables/");

    let (client, _) = losing("POST", "/work_pools/").await;
    let pool = WorkPoolCreate::new(unique("lost")).type_("process".to_owned());
    let created = client.raw().create_work_pool(&pool).await;
    assert_eq!(created.expect("it is ours").into_inner().name, pool.name);

    let (client, _) = losing("POST", "/queues").await;
    let queue = WorkQueueCreate::new(unique("lost")).priority(3);
    let created = client
        .raw()
        .create_work_queue_for_work_pool(&pool.name, &queue)
        .await;
    assert_eq!(created.expect("it is ours").into_inner().name, queue.name);

    let (client, _) = losing("POST", "/work_queues/").await;
    let queue = WorkQueueCreate::new(unique("lost"));
    let created = client.raw().create_work_queue(&queue).await;
    assert_eq!(created.expect("it is ours").into_inner().name, queue.name);

    let (client, _) = losing("POST", "/v2/concurrency_limits/").await;
    let limit = ConcurrencyLimitV2Create::new(unique("lost"), 3);
    let created = client.raw().create_concurrency_limit_v2(&limit).await;
    assert_eq!(created.expect("it is ours").into_inner().limit, 3);

    let (client, _) = losing("POST", "/block_types/").await;
    let block_type = BlockTypeCreate::new("Lost", unique("lost"));
    let created = client.raw().create_block_type(&block_type).await;
    assert_eq!(
        created.expect("it is ours").into_inner().slug,
        block_type.slug
    );
}

#[tokio::test]
async fn what_somebody_else_has_created_is_still_a_conflict() {
    let server = live().await;
    let variable = |name: &str| VariableCreate::new(name, Json::from("theirs"));
    let name = unique("theirs");
    server
        .raw()
        .create_variable(&variable(&name))
        .await
        .expect("created");
    // Longer than the resolution of the server's clock, which is reported in whole seconds.
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;

    let (client, _) = losing("POST", "/variables/").await;
    let error = client.raw().create_variable(&variable(&name)).await;
    let error = error.expect_err("it is not ours");
    assert!(error.is_conflict(), "{error}");

    // Created at the same moment, but with another value than was sent.
    let name = unique("theirs");
    server
        .raw()
        .create_variable(&variable(&name))
        .await
        .expect("created");
    let (client, _) = losing("POST", "/variables/").await;
    let ours = VariableCreate::new(&name, Json::from("ours"));
    let error = client.raw().create_variable(&ours).await;
    assert!(error.expect_err("it is not ours").is_conflict());
}

#[tokio::test]
async fn what_was_deleted_is_gone_and_that_is_a_success() {
    let flow = flow().await;
    let (client, proxy) = losing("DELETE", "").await;
    client.raw().delete_flow(&flow).await.expect("deleted");
    repeated(&proxy, "DELETE", "");
    let again = client.raw().delete_flow(&flow).await;
    assert!(again.expect_err("it was not there").is_not_found());

    let limits = live().await;
    let limits = limits.concurrency_limits();
    let tag = unique("lost");
    limits.create(&tag, 1).await.expect("created");
    let (client, _) = losing("DELETE", "").await;
    client
        .concurrency_limits()
        .delete_by_tag(&tag)
        .await
        .expect("deleted");
}

#[tokio::test]
async fn renaming_an_object_that_is_addressed_by_its_name_is_not_repeated() {
    let server = live().await;
    let name = unique("lost");
    let variable = VariableCreate::new(&name, Json::from(1));
    server
        .raw()
        .create_variable(&variable)
        .await
        .expect("created");

    let (client, _) = losing("PATCH", "").await;
    let change = VariableUpdate::new().value(Json::from(2));
    let changed = client.raw().update_variable_by_name(&name, &change).await;
    changed.expect("the same twice");

    let (client, _) = losing("PATCH", "").await;
    let renamed = VariableUpdate::new().name(unique("renamed"));
    let error = client.raw().update_variable_by_name(&name, &renamed).await;
    open(&error.expect_err("the second would be a 404"));
}

#[tokio::test]
async fn slots_are_not_taken_twice() {
    let server = live().await;
    let limit = ConcurrencyLimitV2Create::new(unique("lost"), 10);
    let limit = server.raw().create_concurrency_limit_v2(&limit).await;
    let limit = limit.expect("created").into_inner();
    let active = async || {
        let limit = server.raw().read_concurrency_limit_v2(&limit.name).await;
        limit.expect("read").into_inner().active_slots
    };
    let (client, _) = losing("POST", "/increment-with-lease").await;
    let take = BulkIncrementActiveSlotsWithLeaseRequest::new(1, [limit.name.clone()]);
    let taken = client
        .raw()
        .bulk_increment_active_slots_with_lease(&take)
        .await;
    open(&taken.expect_err("not repeated"));
    assert_eq!(active().await, 1);

    // Giving slots back by their lease can be repeated.
    let lease = client
        .raw()
        .bulk_increment_active_slots_with_lease(&take)
        .await;
    let lease = lease.expect("taken").into_inner().lease_id;
    assert_eq!(active().await, 2);
    let (client, proxy) = losing("POST", "/decrement-with-lease").await;
    let give = BulkDecrementActiveSlotsWithLeaseRequest::new(lease);
    let given = client
        .raw()
        .bulk_decrement_active_slots_with_lease(&give)
        .await;
    given.expect("repeated");
    repeated(&proxy, "POST", "/decrement-with-lease");
    assert_eq!(active().await, 1);
}

#[tokio::test]
async fn slots_of_a_tag_are_given_back_once_however_often_it_is_requested() {
    let server = live().await;
    let limits = server.concurrency_limits();
    let tag = unique("lost");
    limits.create(&tag, 10).await.expect("created");
    let (mine, other) = (Uuid::new_v4(), Uuid::new_v4());
    for holder in [mine, other] {
        limits.increment([&tag], holder).await.expect("taken");
    }
    let (client, proxy) = losing("POST", "/decrement").await;
    let given = client.concurrency_limits().decrement([&tag], mine).await;
    given.expect("repeated");
    repeated(&proxy, "POST", "/decrement");
    let limit = server
        .raw()
        .read_concurrency_limit_v2(&format!("tag:{tag}"))
        .await;
    assert_eq!(
        limit.expect("read").into_inner().active_slots,
        1,
        "the slot of the other holder"
    );
}

#[tokio::test]
async fn logs_are_not_sent_twice_and_an_event_may_be() {
    let run = flow_run().await;
    let (client, _) = losing("POST", "/logs/").await;
    let line = LogCreate::new("test", 20, "once", chrono::Utc::now()).flow_run_id(run);
    open(
        &client
            .raw()
            .create_logs(&vec![line])
            .await
            .expect_err("not repeated"),
    );
    let filter = LogFilter::new().flow_run_id(LogFilterFlowRunId::new().any_(vec![run]));
    let logs = ReadLogsRequest::new().logs(filter);
    let logs = client
        .raw()
        .read_logs(&logs)
        .await
        .expect("read")
        .into_inner();
    assert_eq!(logs.len(), 1);

    let (client, proxy) = losing("POST", "/events").await;
    let name = unique("lost.event");
    let resource = json!({"prefect.resource.id": name.clone()});
    let resource: Resource = serde_json::from_value(resource).expect("a resource");
    let event = Event::new(chrono::Utc::now(), &name, resource, Uuid::new_v4());
    client
        .raw()
        .create_events(&vec![event])
        .await
        .expect("repeated");
    repeated(&proxy, "POST", "/events");
}

#[tokio::test]
async fn a_task_run_is_created_once() {
    let run = flow_run().await;
    for flow_run in [Some(run), None] {
        let (client, proxy) = losing("POST", "/task_runs/").await;
        let task = TaskRunCreate::new(unique("task"), "0").flow_run_id(flow_run);
        let created = client.raw().create_task_run(&task).await;
        let created = created.expect("repeated").into_inner();
        repeated(&proxy, "POST", "/task_runs/");
        let key = TaskRunFilter::new().id(TaskRunFilterId::new().any_(vec![created.id]));
        let count = CountTaskRunsRequest::new().task_runs(key);
        let count = client.raw().count_task_runs(&count).await.expect("counted");
        assert_eq!(count.into_inner(), 1);
    }
}

#[tokio::test]
async fn a_reply_that_is_cut_in_half_is_read_again() {
    let server = live().await;
    let mut cut = false;
    let proxy = FaultProxy::start(server.api_url(), move |_| {
        match std::mem::replace(&mut cut, true) {
            false => Fault::HalfReply,
            true => Fault::None,
        }
    });
    let client = proxy.await.builder().build().expect("a client");
    client.raw().read_settings().await.expect("read in the end");
}

/// The request names the ids that were listed, so a second request deletes nothing else.
#[tokio::test]
async fn a_bulk_deletion_by_ids_is_repeated_and_returns_all_that_it_deleted() {
    let tag = unique("lost");
    let flow = flow().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(a_run(&live().await, flow, |run| run.tags([tag.as_str()])).await);
    }
    let (client, proxy) = losing("POST", "/bulk_delete").await;
    let mut deleted = client
        .flow_runs()
        .delete_many()
        .tag(tag.as_str())
        .await
        .expect("deleted");
    repeated(&proxy, "POST", "/bulk_delete");
    deleted.sort();
    ids.sort();
    assert_eq!(deleted, ids);

    let (client, _) = losing("POST", "/bulk_delete").await;
    let filter = FlowRunFilter::new().tags(FlowRunFilterTags::new().all_(vec![tag]));
    let request = BulkDeleteFlowRunsRequest::new().flow_runs(filter);
    open(
        &client
            .raw()
            .bulk_delete_flow_runs(&request)
            .await
            .expect_err("lost"),
    );
}
