//! Starting runs of deployments.

use chrono::{DateTime, Utc};
use prefect_sdk::types::*;
use prefect_sdk::{Client, deployments::DeploymentRef};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{run_json, runs_of};
use crate::support::{FaultProxy, Scripted, Step, a_deployment, a_flow, live, reply, unique};

/// The name of a deployment, as `"flow/deployment"`.
async fn name_of(client: &Client, deployment: Uuid) -> String {
    let deployment = client.deployments().get(deployment).await.expect("there");
    let flow = client.flows().get(deployment.flow_id).await.expect("there");
    format!("{}/{}", flow.name, deployment.name)
}

/// The body of the last request.
fn sent(server: &Scripted) -> Value {
    let requests = server.requests();
    serde_json::from_slice(&requests.last().expect("a request").body).expect("JSON")
}

fn time(value: &Value) -> DateTime<Utc> {
    serde_json::from_value(value.clone()).expect("a time")
}

#[tokio::test]
async fn a_deployment_is_run_by_its_name_or_its_id() {
    let client = live().await;
    let id = a_deployment(&client).await;
    let name = name_of(&client, id).await;
    let text = id.to_string();
    let references: [DeploymentRef; 5] = [
        id.into(),
        text.as_str().into(),
        text.into(),
        (&name).into(),
        name.as_str().into(),
    ];
    for reference in references {
        let run = client.deployments().run(reference.clone()).send().await;
        let handle = run.expect("started");
        let run = handle.snapshot().expect("the run that was created");
        assert_eq!(*run.deployment_id, Some(id), "{reference}");
        assert_eq!(*run.state_type, Some(StateType::Scheduled));
        assert_eq!(run.id, handle.id());
        let due = run.next_scheduled_start_time.expect("a time") - Utc::now();
        assert!(due.num_seconds().abs() < 60, "{due}");
        let read = handle.get().await.expect("it is there");
        assert_eq!(read.id, handle.id());
    }
    assert_eq!(runs_of(&client, id).await, 5);

    for unknown in [name + "x", Uuid::new_v4().to_string()] {
        let run = client.deployments().run(&unknown).send().await;
        assert!(run.expect_err("unknown").is_not_found(), "{unknown}");
    }
}

#[tokio::test]
async fn what_is_no_name_is_refused_before_anything_is_sent() {
    let server = Scripted::start([Step::Drop]).await;
    let client = server.client();
    for wrong in [
        "",
        "nightly",
        "/",
        "etl/",
        "/nightly",
        "a/b/c",
        "../nightly",
    ] {
        let run = client.deployments().run(wrong).send().await;
        let error = run.expect_err("no name");
        assert!(error.is_invalid_request(), "{wrong}: {error}");
    }
    let id = Uuid::new_v4();
    let run = client.deployments().run(id).parameters(json!([1]));
    let error = run.check_parameters().send().await.expect_err("no object");
    assert!(error.is_invalid_request(), "{error}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn nothing_unset_is_sent_but_the_state_and_a_key() {
    let id = Uuid::new_v4();
    let server = Scripted::start([reply(201, run_json(Uuid::new_v4()))]).await;
    let client = server.client();
    client.deployments().run(id).send().await.expect("started");
    let mut body = sent(&server);
    let key = body["idempotency_key"].take();
    assert!(key.as_str().expect("a key").parse::<Uuid>().is_ok());
    // No time of our clock: the server takes its own.
    let state = json!({ "type": "SCHEDULED", "name": "Scheduled" });
    assert_eq!(body, json!({ "state": state, "idempotency_key": null }));
    let path = format!("/api/deployments/{id}/create_flow_run");
    assert_eq!(server.requests().len(), 1);
    assert_eq!(server.requests()[0].target(), path);

    let (parent, at) = (Uuid::new_v4(), Utc::now() + chrono::Duration::days(3));
    let run = client
        .deployments()
        .run(id)
        .parameters(json!({ "n": 1 }))
        .tags(["a", "b"])
        .scheduled(at)
        .idempotency_key("key")
        .name("by hand")
        .job_variables(json!({ "cpu": 2 }))
        .work_queue("urgent")
        .parent_task_run(parent)
        .labels([("team", "data")]);
    run.send().await.expect("started");
    let mut body = sent(&server);
    let due = body["state"]["state_details"]["scheduled_time"].take();
    assert_eq!(time(&due), at);
    let details = json!({ "scheduled_time": null });
    let state = json!({ "type": "SCHEDULED", "name": "Scheduled", "state_details": details });
    let expected = json!({
        "state": state,
        "parameters": { "n": 1 },
        "tags": ["a", "b"],
        "idempotency_key": "key",
        "name": "by hand",
        "job_variables": { "cpu": 2 },
        "work_queue_name": "urgent",
        "parent_task_run_id": parent,
        "labels": { "team": "data" },
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_run_has_everything_that_was_set() {
    let client = live().await;
    let flow = a_flow(&client).await;
    let deployment = DeploymentCreate::new(unique("started"), flow)
        .parameters(json!({ "a": 1, "b": 1 }))
        .tags(["nightly"]);
    let id = client.deployments().create(&deployment).await;
    let id = id.expect("a deployment").id;
    let parent = client.deployments().run(id).send().await.expect("started");
    let started = client.flow_runs().get(parent.id()).await.expect("read");
    let due = started
        .next_scheduled_start_time
        .expect("the server's time");
    assert!((Utc::now() - due).num_seconds().abs() < 60, "{due}");
    let task = TaskRunCreate::new("sub-flow", "0").flow_run_id(parent.id());
    let task = client
        .task_runs()
        .create(&task)
        .await
        .expect("a task run")
        .id;
    let at = Utc::now() + chrono::Duration::days(3);
    let run = client
        .deployments()
        .run(id)
        .parameters(json!({ "b": 2, "c": 2.0 }))
        .tags(["by hand"])
        .scheduled(at)
        .name("number two")
        .job_variables(json!({ "cpu": 2 }))
        .parent_task_run(task)
        .labels([("attempt", 2)])
        .send()
        .await
        .expect("started");
    let run = run.snapshot().expect("the run that was created");
    let parameters = run.parameters.as_ref().expect("parameters");
    let expected = Json::from_text(r#"{ "a": 1, "b": 2, "c": 2.0 }"#).expect("JSON");
    assert_eq!(*parameters, expected);
    let mut tags = run.tags.clone().expect("tags");
    tags.sort();
    assert_eq!(tags, ["by hand", "nightly"]);
    let off = run.next_scheduled_start_time.expect("a time") - at;
    assert_eq!(off.num_milliseconds(), 0, "microseconds are kept");
    assert_eq!(run.name.as_deref(), Some("number two"));
    assert_eq!(*run.parent_task_run_id, Some(task));
    let labels = run.labels.as_ref().expect("labels");
    assert_eq!(labels.get("attempt"), Some(&Scalar::from(2)));
    let variables = run.job_variables.as_ref().expect("job variables");
    assert_eq!(*variables, Json::from(json!({ "cpu": 2 })));
}

#[tokio::test]
async fn the_same_key_is_the_same_run_and_a_lost_reply_makes_no_second_one() {
    let server = live().await;
    let id = a_deployment(&server).await;
    let run = || server.deployments().run(id).idempotency_key("once");
    let first = run().name("first").send().await.expect("started");
    let second = run().name("second").send().await.expect("there");
    assert_eq!(first.id(), second.id());
    let second = second.snapshot().expect("the run that was found");
    assert_eq!(second.name.as_deref(), Some("first"));
    assert_eq!(runs_of(&server, id).await, 1);

    let proxy = FaultProxy::losing_one_reply(server.api_url(), "POST", "/create_flow_run").await;
    let client = proxy.builder().build().expect("a client");
    let third = client.deployments().run(id).send().await.expect("started");
    assert_ne!(first.id(), third.id());
    assert_eq!(runs_of(&server, id).await, 2);
}

#[tokio::test]
async fn parameters_are_checked_before_a_run_is_created() {
    let client = live().await;
    let flow = a_flow(&client).await;
    let schema = json!({
        "type": "object",
        "properties": {
            "n": { "type": "integer" },
            "s": { "type": "string" },
            "a": { "type": "array", "items": { "type": "integer" } },
        },
        "required": ["n", "a"],
    });
    // The server itself would not refuse wrong parameters.
    let deployment = DeploymentCreate::new(unique("checked"), flow)
        .parameter_openapi_schema(schema)
        .parameters(json!({ "s": "the deployment's", "a": [] }))
        .enforce_parameter_schema(false);
    let id = client.deployments().create(&deployment).await;
    let id = id.expect("a deployment").id;
    let name = name_of(&client, id).await;

    for reference in [DeploymentRef::from(id), DeploymentRef::from(&name)] {
        let run = || client.deployments().run(reference.clone());
        let wrong = run().parameters(json!({ "s": 5, "a": [1, "x"] }));
        let error = wrong.check_parameters().send().await.expect_err("wrong");
        assert!(error.is_validation(), "{error}");
        let message = error.message();
        for told in ["s: ", "n: ", "required", "a[1]: "] {
            assert!(message.contains(told), "{message}");
        }
        // One by one, as a form needs them.
        let places: Vec<_> = error
            .issues()
            .iter()
            .map(|issue| &*issue.location)
            .collect();
        assert!(
            places.contains(&"s") && places.contains(&"a[1]"),
            "{places:?}"
        );
        let missing = run().check_parameters().send().await;
        assert!(missing.expect_err("no n").message().contains("n: "));
    }
    assert_eq!(runs_of(&client, id).await, 0);

    let right = client.deployments().run(id).parameters(json!({ "n": 1 }));
    let right = right.check_parameters().send().await.expect("started");
    let right = right.snapshot().expect("the run that was created");
    let parameters = right.parameters.as_ref().expect("parameters");
    let expected = json!({ "n": 1, "s": "the deployment's", "a": [] });
    assert_eq!(*parameters, Json::from(expected));
    let unchecked = client.deployments().run(id).send().await;
    unchecked.expect("no check was requested");

    let plain = a_deployment(&client).await;
    let any = client
        .deployments()
        .run(plain)
        .parameters(json!({ "x": 1 }));
    any.check_parameters()
        .send()
        .await
        .expect("it has no schema");
}
