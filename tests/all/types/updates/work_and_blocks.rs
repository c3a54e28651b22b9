//! Updates of work pools, automations, blocks, runs, limits and variables.

use super::*;

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

    // A PUT replaces the whole object: what was read is sent back unchanged, except for the description.
    let read = client
        .raw()
        .read_automation(&id)
        .await
        .expect("read")
        .into_inner();
    let mut replacement = AutomationUpdate::new(read.name, read.trigger, read.actions);
    replacement.description = Some("after".to_owned());
    replacement.tags = read.tags;
    replacement.enabled = read.enabled;
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
        BlockSchemaFilter::new()
            .block_type_id(BlockSchemaFilterBlockTypeId::new().any_(vec![block_type])),
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
    // These change by themselves while a run waits.
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
