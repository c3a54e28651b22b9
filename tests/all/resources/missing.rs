//! How a real server answers for missing objects, and which API versions it accepts.

use prefect_sdk::reqwest::{self, header::HeaderValue};
use prefect_sdk::types::*;
use prefect_sdk::{Client, Error};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Scripted, Step, live, live_builder, unique};

fn assert_not_found<T>(what: &str, result: Result<T, Error>) {
    match result {
        Ok(_) => panic!("{what}: found"),
        Err(error) => assert!(error.is_not_found(), "{what}: {error}"),
    }
}

/// Prefect's own client raises raw HTTP errors for half of these.
#[tokio::test]
async fn what_is_not_there_is_not_found_wherever_it_is_looked_for() {
    let client = live().await;
    let (raw, id, name) = (client.raw(), Uuid::new_v4(), unique("nothing"));
    assert_not_found("flow", raw.read_flow(&id).await);
    assert_not_found("flow by name", raw.read_flow_by_name(&name).await);
    assert_not_found("flow run", raw.read_flow_run(&id).await);
    assert_not_found("flow run state", raw.read_flow_run_state(&id).await);
    assert_not_found("task run", raw.read_task_run(&id).await);
    assert_not_found("deployment", raw.read_deployment(&id).await);
    assert_not_found(
        "deployment by name",
        raw.read_deployment_by_name(&name, &name).await,
    );
    assert_not_found(
        "limit of a tag",
        raw.read_concurrency_limit_by_tag(&name).await,
    );
    assert_not_found("limit", raw.read_concurrency_limit_v2(&name).await);
    assert_not_found("work pool", raw.read_work_pool(&name).await);
    assert_not_found("work queue", raw.read_work_queue(&id).await);
    assert_not_found(
        "work queue by name",
        raw.read_work_queue_by_name(&name).await,
    );
    assert_not_found("automation", raw.read_automation(&id).await);
    assert_not_found("variable", raw.read_variable_by_name(&name).await);
    assert_not_found("block type", raw.read_block_type_by_slug(&name).await);

    assert_not_found("deleted automation", raw.delete_automation(&id).await);
    assert_not_found("deleted variable", raw.delete_variable_by_name(&name).await);
    let update = FlowRunUpdate::new().name("x");
    assert_not_found("updated flow run", raw.update_flow_run(&id, &update).await);
    let run = DeploymentFlowRunCreate::new();
    let created = raw.create_flow_run_from_deployment(&id, &run).await;
    assert_not_found("run of a deployment", created);
}

#[tokio::test]
async fn a_state_of_an_unknown_run_is_not_found() {
    let client = live().await;
    let (raw, id) = (client.raw(), Uuid::new_v4());
    let state = SetFlowRunStateRequest::new(StateCreate::new(StateType::Running));
    assert_not_found("flow run", raw.set_flow_run_state(&id, &state).await);
    let state = SetTaskRunStateRequest::new(StateCreate::new(StateType::Running));
    assert_not_found("task run", raw.set_task_run_state(&id, &state).await);
}

/// A client whose requests have this API version, or by default the SDK's.
async fn of_version(version: Option<&'static str>) -> Client {
    let builder = live_builder().await.version_check(false);
    let change = move |request: &mut reqwest::Request| {
        let headers = request.headers_mut();
        // A header of the request wins over the one that the client sets on all requests.
        let version = version.map_or(HeaderValue::from_static("0.8.4"), HeaderValue::from_static);
        headers.insert("x-prefect-api-version", version);
        Ok::<_, std::convert::Infallible>(())
    };
    builder.interceptor(change).build().expect("a client")
}

#[tokio::test]
async fn the_server_refuses_older_api_versions_and_takes_newer_ones() {
    let settings = async |version| of_version(version).await.raw().read_settings().await;
    settings(None).await.expect("ours");
    settings(Some("99.0.0")).await.expect("a newer one");
    let older = settings(Some("0.7.9")).await.expect_err("an older one");
    assert_eq!(older.status().expect("a reply").as_u16(), 400);
    let junk = settings(Some("junk")).await.expect_err("none");
    let said = "Invalid X-PREFECT-API-VERSION header format.";
    assert!(junk.message().contains(said), "{junk}");
}

#[tokio::test]
async fn a_heartbeat_of_a_worker_has_what_was_given_and_no_more() {
    let server = Scripted::start([Step::Reply(204, Vec::new(), String::new())]).await;
    let client = server.client();
    let beat = async |body: WorkerHeartbeatRequest| {
        client
            .raw()
            .worker_heartbeat("pool", &body)
            .await
            .expect("sent");
        let body = server.requests().pop().expect("a request").body;
        serde_json::from_slice::<serde_json::Value>(&body).expect("JSON")
    };
    let plain = WorkerHeartbeatRequest::new("w").heartbeat_interval_seconds(30);
    let expected = json!({"name": "w", "heartbeat_interval_seconds": 30});
    assert_eq!(beat(plain.clone()).await, expected);
    let metadata = [("metadata".to_owned(), json!({"integrations": []}).into())];
    let mut body = plain;
    body.extra.extend(metadata);
    assert_eq!(beat(body).await["metadata"], json!({"integrations": []}));
}
