//! An update changes what it names and nothing else; null clears, and so does an empty list.
//!
//! Each test reads the object before and after with a bare HTTP GET: the SDK's own types are what
//! is on trial.

use std::collections::BTreeSet;

use prefect_sdk::Client;
use prefect_sdk::types::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{live, unique};

/// An object on the real server.
struct Watched {
    url: String,
    before: Value,
}

impl Watched {
    async fn at(client: &Client, path: String) -> Self {
        let url = format!("{}{path}", client.api_url());
        let before = bare_get(&url).await;
        Self { url, before }
    }

    /// The object now, and the keys whose values have changed since the last look.
    async fn changes(&mut self) -> (Value, BTreeSet<String>) {
        let now = bare_get(&self.url).await;
        let (Value::Object(old), Value::Object(new)) = (&self.before, &now) else {
            panic!("{} is no object", self.url);
        };
        let keys = old
            .keys()
            .chain(new.keys())
            .filter(|key| old.get(*key) != new.get(*key));
        let changed = keys.cloned().collect();
        self.before = now.clone();
        (now, changed)
    }
}

async fn bare_get(url: &str) -> Value {
    let reply = reqwest::get(url).await.expect("a reply");
    assert!(reply.status().is_success(), "{url}: {}", reply.status());
    reply.json().await.expect("JSON")
}

fn keys<const N: usize>(keys: [&str; N]) -> BTreeSet<String> {
    keys.map(str::to_owned).into()
}

async fn flow(client: &Client) -> Uuid {
    let flow = client
        .raw()
        .create_flow(&FlowCreate::new(unique("flow")))
        .await;
    flow.expect("a flow").id
}

async fn paused_deployment(client: &Client) -> Uuid {
    let deployment = DeploymentCreate::new(unique("deployment"), flow(client).await)
        .paused(true)
        .description("before")
        .tags(["one", "two"])
        .version("1")
        .parameters(json!({ "x": 1 }))
        .schedules([DeploymentScheduleCreate::new(CronSchedule::new("0 6 * * *")).active(false)]);
    client
        .raw()
        .create_deployment(&deployment)
        .await
        .expect("a deployment")
        .id
}

#[tokio::test]
async fn one_field_of_a_paused_deployment() {
    let client = live().await;
    let id = paused_deployment(&client).await;
    let mut watched = Watched::at(&client, format!("/deployments/{id}")).await;
    let update = async |update: DeploymentUpdate| {
        client
            .raw()
            .update_deployment(&id, &update)
            .await
            .expect("updated");
    };

    update(DeploymentUpdate::new().description("after")).await;
    let (now, changed) = watched.changes().await;
    assert_eq!(changed, keys(["description", "updated"]));
    assert_eq!(
        (&now["description"], &now["paused"]),
        (&json!("after"), &json!(true))
    );

    update(DeploymentUpdate::new().description(None)).await;
    let (now, changed) = watched.changes().await;
    assert_eq!(
        (changed, &now["description"]),
        (keys(["description", "updated"]), &Value::Null)
    );

    update(DeploymentUpdate::new().tags(NONE)).await;
    let (now, changed) = watched.changes().await;
    assert_eq!(
        (changed, &now["tags"]),
        (keys(["tags", "updated"]), &json!([]))
    );

    update(DeploymentUpdate::new()).await;
    assert_eq!(watched.changes().await.1, keys(["updated"]));
}

/// No text at all, for lists to be cleared.
const NONE: [&str; 0] = [];

#[tokio::test]
async fn creating_a_deployment_again_leaves_alone_what_it_does_not_name() {
    let client = live().await;
    let id = paused_deployment(&client).await;
    let mut watched = Watched::at(&client, format!("/deployments/{id}")).await;
    let (name, flow) = (
        watched.before["name"].clone(),
        watched.before["flow_id"].clone(),
    );
    let flow: Uuid = flow.as_str().expect("text").parse().expect("an id");
    let again = DeploymentCreate::new(name.as_str().expect("text"), flow).description("after");
    client
        .raw()
        .create_deployment(&again)
        .await
        .expect("upserted");
    let (now, changed) = watched.changes().await;
    assert_eq!(
        (&now["paused"], &now["tags"]),
        (&json!(true), &json!(["one", "two"])),
        "{changed:?}"
    );
    assert_eq!(now["description"], "after");
}

#[tokio::test]
async fn one_field_of_a_schedule() {
    let client = live().await;
    let id = paused_deployment(&client).await;
    let mut watched = Watched::at(&client, format!("/deployments/{id}")).await;
    let schedule = |deployment: &Value| deployment["schedules"][0].clone();
    let before = schedule(&watched.before);
    let schedule_id = before["id"].as_str().expect("text").parse().expect("an id");
    let update = async |update: DeploymentScheduleUpdate| {
        client
            .raw()
            .update_deployment_schedule(&id, &schedule_id, &update)
            .await
            .expect("updated");
    };

    update(DeploymentScheduleUpdate::new().max_scheduled_runs(3)).await;
    let now = schedule(&watched.changes().await.0);
    assert_eq!(
        (&now["max_scheduled_runs"], &now["active"]),
        (&json!(3), &json!(false))
    );
    assert_eq!(now["schedule"], before["schedule"]);

    let interval = IntervalSchedule::new(3600);
    update(DeploymentScheduleUpdate::new().schedule(Schedule::from(interval))).await;
    let now = schedule(&watched.changes().await.0);
    assert_eq!(
        (&now["schedule"]["interval"], &now["max_scheduled_runs"]),
        (&json!(3600.0), &json!(3))
    );

    // The server answers 204 to a null and keeps the value: on schedules it drops what is null.
    update(DeploymentScheduleUpdate::new().max_scheduled_runs(None)).await;
    assert_eq!(
        schedule(&watched.changes().await.0)["max_scheduled_runs"],
        3
    );
}

async fn work_pool(client: &Client) -> String {
    let name = unique("pool");
    let pool = WorkPoolCreate::new(&name)
        .type_("process")
        .description("before")
        .concurrency_limit(4);
    client
        .raw()
        .create_work_pool(&pool.is_paused(true))
        .await
        .expect("a work pool");
    name
}

#[tokio::test]
async fn one_field_of_a_work_pool() {
    let client = live().await;
    let name = work_pool(&client).await;
    let mut watched = Watched::at(&client, format!("/work_pools/{name}")).await;
    let update = async |update: WorkPoolUpdate| {
        client
            .raw()
            .update_work_pool(&name, &update)
            .await
            .expect("updated");
    };

    update(WorkPoolUpdate::new().description("after")).await;
    let (now, changed) = watched.changes().await;
    assert_eq!(changed, keys(["description", "updated"]));
    assert_eq!(
        (&now["is_paused"], &now["concurrency_limit"]),
        (&json!(true), &json!(4))
    );

    update(WorkPoolUpdate::new().concurrency_limit(None)).await;
    let (now, changed) = watched.changes().await;
    // Without a limit the server does not count slots.
    assert_eq!(
        changed,
        keys(["active_slots", "concurrency_limit", "updated"])
    );
    assert_eq!(now["concurrency_limit"], Value::Null);
}

#[tokio::test]
async fn one_field_of_a_work_queue() {
    let client = live().await;
    let pool = work_pool(&client).await;
    let queue = WorkQueueCreate::new("fast")
        .description("before")
        .concurrency_limit(2)
        .is_paused(true);
    let id = client
        .raw()
        .create_work_queue_for_work_pool(&pool, &queue)
        .await
        .expect("a queue")
        .id;
    let mut watched = Watched::at(&client, format!("/work_queues/{id}")).await;
    let update = async |update: WorkQueueUpdate| {
        client
            .raw()
            .update_work_queue(&id, &update)
            .await
            .expect("updated");
    };

    update(WorkQueueUpdate::new().description("after")).await;
    let (now, changed) = watched.changes().await;
    assert_eq!(changed, keys(["description", "updated"]));
    assert_eq!(
        (&now["is_paused"], &now["concurrency_limit"]),
        (&json!(true), &json!(2))
    );

    update(WorkQueueUpdate::new().concurrency_limit(None)).await;
    let (now, changed) = watched.changes().await;
    // Without a limit the server does not count slots.
    assert_eq!(
        changed,
        keys(["active_slots", "concurrency_limit", "updated"])
    );
    assert_eq!(now["concurrency_limit"], Value::Null);
}

#[tokio::test]
async fn one_field_of_an_automation() {
    let client = live().await;
    let trigger = EventTrigger::new(EventTriggerPosture::Reactive)
        .expect(["prefect.flow-run.Failed"])
        .threshold(2)
        .within(60);
    let pause = PauseDeployment::new().source(ActionSource::Inferred);
    let automation = AutomationCreate::new(unique("automation"), trigger, [pause])
        .description("before")
        .tags(["one"])
        .enabled(false);
    let created = client
        .raw()
        .create_automation(&automation)
        .await
        .expect("created")
        .into_inner();
    let id = created.id;
    let mut watched = Watched::at(&client, format!("/automations/{id}")).await;

    let enable = AutomationPartialUpdate::new().enabled(true);
    client
        .raw()
        .patch_automation(&id, &enable)
        .await
        .expect("patched");
    let (now, changed) = watched.changes().await;
    assert_eq!(
        (changed, &now["enabled"]),
        (keys(["enabled", "updated"]), &json!(true))
    );

    // A PUT replaces the whole: what was read goes back as it came, but for the description.
    let read = client
        .raw()
        .read_automation(&id)
        .await
        .expect("read")
        .into_inner();
    let replacement = AutomationUpdate {
        description: Some("after".to_owned()),
        tags: read.tags,
        enabled: read.enabled,
        ..AutomationUpdate::new(read.name, read.trigger, read.actions)
    };
    client
        .raw()
        .update_automation(&id, &replacement)
        .await
        .expect("replaced");
    let trigger = |automation: &Value| {
        let mut trigger = automation["trigger"].clone();
        trigger["id"].take();
        trigger
    };
    let before = trigger(&watched.before);
    let (now, changed) = watched.changes().await;
    // The server gives a trigger a new id at each PUT.
    assert_eq!(changed, keys(["description", "trigger", "updated"]));
    assert_eq!(
        (trigger(&now), &now["description"]),
        (before, &json!("after"))
    );
}

#[tokio::test]
async fn one_field_of_a_block_document() {
    let client = live().await;
    let block_type = client
        .raw()
        .read_block_type_by_slug("secret")
        .await
        .expect("registered")
        .id;
    let schemas = ReadBlockSchemasRequest::new().block_schemas(
        BlockSchemaFilter::new().block_type_id(BlockSchemaFilterBlockTypeId {
            any_: vec![block_type].into(),
            ..Default::default()
        }),
    );
    let schemas = client
        .raw()
        .read_block_schemas(&schemas)
        .await
        .expect("read")
        .into_inner();
    let schema = schemas.first().expect("a schema").id;
    let block = BlockDocumentCreate::new(schema, block_type)
        .name(unique("block"))
        .data(json!({ "value": "before" }));
    let id = client
        .raw()
        .create_block_document(&block)
        .await
        .expect("created")
        .id;
    let path = format!("/block_documents/{id}?include_secrets=true");
    let mut watched = Watched::at(&client, path).await;

    let update = BlockDocumentUpdate::new().data(json!({ "value": "after" }));
    client
        .raw()
        .update_block_document_data(&id, &update)
        .await
        .expect("updated");
    let (now, changed) = watched.changes().await;
    assert_eq!(
        (changed, &now["data"]["value"]),
        (keys(["data", "updated"]), &json!("after"))
    );

    let unchanged = BlockDocumentUpdate::new().merge_existing_data(true);
    client
        .raw()
        .update_block_document_data(&id, &unchanged)
        .await
        .expect("updated");
    assert_eq!(watched.changes().await.0["data"]["value"], "after");
}

#[tokio::test]
async fn one_field_of_a_flow_run_and_its_parameters_to_the_last_digit() {
    let client = live().await;
    let parameters: Json =
        serde_json::from_str(r#"{"big": 1180591620717411303424, "one": 1.0, "x": 5e-324}"#)
            .expect("JSON");
    let run = FlowRunCreate::new(flow(&client).await)
        .name("before")
        .tags(["one"])
        .parameters(parameters.clone());
    let id = client
        .raw()
        .create_flow_run(&run)
        .await
        .expect("created")
        .id;
    let mut watched = Watched::at(&client, format!("/flow_runs/{id}")).await;
    let update = async |update: FlowRunUpdate| {
        client
            .raw()
            .update_flow_run(&id, &update)
            .await
            .expect("updated");
    };
    // These move by themselves while a run waits.
    let by_themselves = keys(["estimated_start_time_delta"]);

    update(FlowRunUpdate::new().name("after")).await;
    let (now, changed) = watched.changes().await;
    assert_eq!(&changed - &by_themselves, keys(["name", "updated"]));
    assert_eq!(now["tags"], json!(["one"]));

    update(FlowRunUpdate::new().tags(NONE)).await;
    let (now, changed) = watched.changes().await;
    assert_eq!(
        (&changed - &by_themselves, &now["tags"]),
        (keys(["tags", "updated"]), &json!([]))
    );

    let read = client
        .raw()
        .read_flow_run(&id)
        .await
        .expect("read")
        .into_inner();
    assert_eq!(read.parameters, Some(parameters));
}

#[tokio::test]
async fn one_field_of_a_global_limit() {
    let client = live().await;
    let limit = ConcurrencyLimitV2Create::new(unique("global"), 3)
        .active(false)
        .slot_decay_per_second(0.5);
    let id = client
        .raw()
        .create_concurrency_limit_v2(&limit)
        .await
        .expect("created")
        .id;
    let mut watched = Watched::at(&client, format!("/v2/concurrency_limits/{id}")).await;

    let update = ConcurrencyLimitV2Update::new().limit(5);
    client
        .raw()
        .update_concurrency_limit_v2(&id.to_string(), &update)
        .await
        .expect("updated");
    let (now, changed) = watched.changes().await;
    assert_eq!(
        (changed, &now["limit"]),
        (keys(["limit", "updated"]), &json!(5))
    );

    // Null is sent when it is asked for, and this server does not take it.
    let null = ConcurrencyLimitV2Update::new().limit(None);
    let error = client
        .raw()
        .update_concurrency_limit_v2(&id.to_string(), &null)
        .await;
    assert!(error.expect_err("limit may not be null").is_conflict());
}

#[tokio::test]
async fn one_field_of_a_variable() {
    let client = live().await;
    let name = unique("variable").replace('-', "_");
    let variable = VariableCreate::new(&*name, json!({ "a": 1.0 })).tags(["one"]);
    let id = client
        .raw()
        .create_variable(&variable)
        .await
        .expect("created")
        .id;
    let mut watched = Watched::at(&client, format!("/variables/{id}")).await;
    let update = async |update: VariableUpdate| {
        client
            .raw()
            .update_variable(&id, &update)
            .await
            .expect("updated");
    };

    update(VariableUpdate::new().value(json!([1, null]))).await;
    let (now, changed) = watched.changes().await;
    assert_eq!(
        (changed, &now["value"]),
        (keys(["updated", "value"]), &json!([1, null]))
    );

    update(VariableUpdate::new().tags(NONE)).await;
    let (now, changed) = watched.changes().await;
    assert_eq!(
        (changed, &now["tags"]),
        (keys(["tags", "updated"]), &json!([]))
    );

    update(VariableUpdate::new().value(None)).await;
    let (now, changed) = watched.changes().await;
    assert_eq!(
        (changed, &now["value"]),
        (keys(["updated", "value"]), &Value::Null)
    );
}
