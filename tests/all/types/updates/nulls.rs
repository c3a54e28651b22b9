//! What null does to each nullable field of an update: `openapi/nulls.yaml`, line by line, on the real server.
//!
//! The requests are made by hand, because the SDK's types do not offer what is tried here.

use std::collections::BTreeMap;

use prefect_sdk::Client;
use reqwest::Method;
use serde_json::{Value, json};

use super::bare_get;
use crate::support::{live, unique};

/// An object whose fields all have a value, and the paths to read and to update it.
struct Sample {
    read: String,
    update: String,
}

impl Sample {
    fn at(path: String) -> Self {
        let update = path.clone();
        Self { read: path, update }
    }
}

#[tokio::test]
async fn null_does_what_the_table_says() {
    let table = include_str!("../../../../openapi/nulls.yaml");
    let table: BTreeMap<String, BTreeMap<String, String>> =
        yaml_serde::from_str(table).expect("the table");
    // This reqwest has no TLS of its own, and requires a provider all the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = live().await;
    let mut wrong = Vec::new();
    for (type_name, fields) in &table {
        for (field, entry) in fields {
            let said = entry.split(';').next().expect("a verb").trim();
            let seen = effect(&client, type_name, field).await;
            if said != seen {
                wrong.push(format!(
                    "{type_name}.{field}: {seen}, the table says {said}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What null does to this field of a new object.
async fn effect(client: &Client, type_name: &str, field: &str) -> &'static str {
    let sample = sample(client, type_name).await;
    let read = async || shown(bare_get(&at(client, &sample.read)).await, field);
    let before = read().await;
    let update = json!({ field: null });
    let (status, _) = send(client, Method::PATCH, &sample.update, &update).await;
    let after = read().await;
    // No reply has these.
    let is_hidden = matches!(field, "denied_slots" | "version_info" | "replaces");
    assert!(
        !before.is_null() || is_hidden,
        "{type_name}.{field} has no value"
    );
    match status {
        400.. if after == before => "refuses",
        _ if after == before => "ignores",
        _ if after.is_null() => "clears",
        _ => "replaces",
    }
}

/// The value of a field in a reply, which has some under another name.
fn shown(object: Value, field: &str) -> Value {
    let key = match field {
        "concurrency_limit" if object.get("global_concurrency_limit").is_some() => {
            "global_concurrency_limit"
        }
        "global_concurrency_limit_id" => "global_concurrency_limit",
        field => field,
    };
    match object {
        // The schedules of a deployment.
        Value::Array(mut items) => items[0][key].take(),
        mut object => object[key].take(),
    }
}

async fn sample(client: &Client, type_name: &str) -> Sample {
    match type_name {
        "ArtifactUpdate" => {
            let artifact = json!({
                "key": unique("key").to_lowercase(), "data": 1, "description": "d", "metadata_": {"a": "b"},
            });
            Sample::at(format!(
                "/artifacts/{}",
                create(client, "/artifacts/", artifact).await
            ))
        }
        "BlockDocumentUpdate" => Sample::at(format!("/block_documents/{}", document(client).await)),
        "BlockTypeUpdate" => Sample::at(format!("/block_types/{}", block_type(client).await)),
        "ConcurrencyLimitV2Update" => {
            Sample::at(format!("/v2/concurrency_limits/{}", limit(client).await))
        }
        "DeploymentScheduleUpdate" => {
            let deployment = deployment(client).await;
            let read = format!("/deployments/{deployment}/schedules");
            let schedule = json!([{
                "schedule": {"cron": "0 0 1 1 *"}, "active": false, "max_scheduled_runs": 5,
                "slug": unique("slug"),
            }]);
            let (_, made) = send(client, Method::POST, &read, &schedule).await;
            let id = made[0]["id"].as_str().expect("an id");
            let update = format!("{read}/{id}");
            Sample { read, update }
        }
        "DeploymentUpdate" => Sample::at(format!("/deployments/{}", deployment(client).await)),
        "FlowRunUpdate" => {
            let deployment = deployment(client).await;
            let create_run = format!("/deployments/{deployment}/create_flow_run");
            let run = json!({"name": unique("run"), "state": {"type": "SCHEDULED"}});
            let path = format!("/flow_runs/{}", create(client, &create_run, run).await);
            let rest = json!({
                "flow_version": "1", "infrastructure_pid": "1", "job_variables": {"a": 1},
            });
            let (status, refusal) = send(client, Method::PATCH, &path, &rest).await;
            assert_eq!(status, 204, "{refusal}");
            Sample::at(path)
        }
        "VariableUpdate" => {
            let variable = json!({"name": unique("v"), "value": 1, "tags": ["a"]});
            Sample::at(format!(
                "/variables/{}",
                create(client, "/variables/", variable).await
            ))
        }
        "WorkPoolUpdate" => {
            let pool = unique("pool");
            let body = json!({
                "name": pool, "type": "t", "description": "d", "concurrency_limit": 3, "is_paused": true,
                "base_job_template": {"variables": {"properties": {}}, "job_configuration": {"a": "b"}},
                "storage_configuration": {"bundle_upload_step": {"a": {}}},
            });
            create(client, "/work_pools/", body).await;
            Sample::at(format!("/work_pools/{pool}"))
        }
        "WorkQueueUpdate" => {
            let queue = json!({
                "name": unique("queue"), "description": "d", "concurrency_limit": 3, "priority": 7,
            });
            let path = format!(
                "/work_queues/{}",
                create(client, "/work_queues/", queue).await
            );
            let rest = json!({"filter": {"tags": ["a"]}, "last_polled": "2026-01-01T00:00:00Z"});
            send(client, Method::PATCH, &path, &rest).await;
            Sample::at(path)
        }
        other => panic!("{other} is in the table, but not in this test"),
    }
}

async fn flow(client: &Client) -> String {
    create(client, "/flows/", json!({"name": unique("flow")})).await
}

async fn limit(client: &Client) -> String {
    let limit = json!({
        "name": unique("limit"), "limit": 9, "active": true, "active_slots": 1, "denied_slots": 1,
        "slot_decay_per_second": 0.5,
    });
    create(client, "/v2/concurrency_limits/", limit).await
}

async fn block_type(client: &Client) -> String {
    let block_type = json!({
        "name": unique("type"), "slug": unique("type"), "code_example": "c", "description": "d",
        "documentation_url": "http://h/d", "logo_url": "http://h/l",
    });
    create(client, "/block_types/", block_type).await
}

async fn document(client: &Client) -> String {
    let block_type = block_type(client).await;
    let schema = json!({"fields": {"title": unique("schema")}, "block_type_id": block_type, "capabilities": ["x"]});
    let schema = create(client, "/block_schemas/", schema).await;
    let document = json!({
        "name": unique("block"), "data": {"a": 1}, "block_schema_id": schema, "block_type_id": block_type,
    });
    create(client, "/block_documents/", document).await
}

/// A deployment with a value in all fields, as far as they do not exclude each other.
async fn deployment(client: &Client) -> String {
    let (pool, document) = (unique("pool"), document(client).await);
    let work_pool = json!({"name": pool, "type": "t", "base_job_template": {}});
    create(client, "/work_pools/", work_pool).await;
    let deployment = json!({
        "name": unique("deployment"), "flow_id": flow(client).await,
        "global_concurrency_limit_id": limit(client).await,
        "concurrency_options": {"collision_strategy": "CANCEL_NEW"},
        "description": "d", "enforce_parameter_schema": true, "entrypoint": "e", "path": "p", "version": "1",
        "infrastructure_document_id": document, "storage_document_id": document,
        "job_variables": {"a": 1}, "parameters": {"a": 1}, "pull_steps": [{"a": {}}],
        "parameter_openapi_schema": {"type": "object", "properties": {"a": {"type": "integer"}}},
        "work_pool_name": pool, "work_queue_name": "q",
    });
    create(client, "/deployments/", deployment).await
}

async fn create(client: &Client, path: &str, body: Value) -> String {
    let (status, made) = send(client, Method::POST, path, &body).await;
    assert!(status < 300, "{path} {body}: {status} {made}");
    made["id"].as_str().expect("an id").to_owned()
}

fn at(client: &Client, path: &str) -> String {
    format!("{}{path}", client.api_url())
}

/// Sends a request, again while the database is locked, and returns its status and reply.
async fn send(client: &Client, method: Method, path: &str, body: &Value) -> (u16, Value) {
    loop {
        let request = reqwest::Client::new().request(method.clone(), at(client, path));
        let reply = request.json(body).send().await.expect("a reply");
        let status = reply.status().as_u16();
        if status != 503 {
            return (status, reply.json().await.unwrap_or_default());
        }
    }
}
