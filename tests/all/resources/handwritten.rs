//! What the handwritten methods of the resources add to the operations.

use std::time::Duration;

use prefect_sdk::types::*;
use prefect_sdk::{Client, artifacts::Artifact};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::support::{Scripted, a_flow, a_run, live, live_builder, reply, unique};

async fn run_in(client: &Client, state: StateType) -> Uuid {
    let flow = a_flow(client).await;
    a_run(client, flow, |run| run.state(StateCreate::new(state))).await
}

#[tokio::test]
async fn only_a_paused_run_is_asked_to_resume() {
    let sent = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = sent.clone();
    let client = live_builder()
        .await
        .observer(move |attempt| seen.lock().expect("seen").push(attempt.operation()))
        .build()
        .expect("a client");
    let runs = client.flow_runs();
    let running = run_in(&client, StateType::Running).await;
    let error = runs.resume(running).await.expect_err("it runs");
    assert!(
        error.is_conflict() && error.message().contains("not paused"),
        "{error}"
    );
    let error = runs.resume(Uuid::new_v4()).await.expect_err("unknown");
    assert!(error.is_not_found(), "{error}");
    assert!(!sent.lock().expect("seen").contains(&"resume_flow_run"));

    let paused = runs
        .pause(running, Duration::from_secs(600))
        .await
        .expect("proposed");
    assert_eq!(paused.status, SetStateStatus::Accept);
    let timeout = paused
        .state
        .as_ref()
        .and_then(|state| state.state_details.as_ref()?.pause_timeout.into_option());
    let left = timeout.expect("a timeout") - chrono::Utc::now();
    assert!((590..=600).contains(&left.num_seconds()), "{left}");
    runs.resume_with(running, json!({ "approved": true }))
        .await
        .expect("resumed");
    assert!(
        runs.pause(running, Duration::MAX)
            .await
            .expect_err("too long")
            .is_invalid_request()
    );
}

#[tokio::test]
async fn an_input_of_a_run_is_read_as_it_was_written() {
    let client = live().await;
    let run = run_in(&client, StateType::Running).await;
    let inputs = client.flow_runs().inputs(run);
    let value = r#"{"x": [1, "ü"]}"#;
    inputs
        .create(&CreateFlowRunInputRequest::new("answer", value))
        .await
        .expect("added");
    assert_eq!(inputs.get("answer").await.expect("read"), value);
    assert!(inputs.get_opt("question").await.expect("answers").is_none());
    assert!(
        inputs
            .get("a/b")
            .await
            .expect_err("no URL")
            .is_invalid_request()
    );
}

#[tokio::test]
async fn the_logs_of_a_run_are_a_stream() {
    let client = live().await;
    let run = run_in(&client, StateType::Running).await;
    let line = |number| {
        LogCreate::new("test", 20, format!("line {number}"), chrono::Utc::now()).flow_run_id(run)
    };
    client
        .logs()
        .create((0..450).map(line))
        .await
        .expect("logged");
    let mut download = client.flow_runs().download_logs(run).await.expect("a file");
    let mut csv = Vec::new();
    while let Some(part) = download.next().await {
        csv.extend_from_slice(&part.expect("a part"));
    }
    let csv = String::from_utf8(csv).expect("text");
    assert_eq!(csv.lines().filter(|row| row.contains("line ")).count(), 450);
    let listed = client
        .logs()
        .list()
        .flow_run_id(run)
        .level_at_least(20)
        .await
        .expect("listed");
    assert_eq!(listed.len(), 450);
    let missing = client.flow_runs().download_logs(Uuid::new_v4()).await;
    assert!(missing.expect_err("unknown").is_not_found());
}

#[derive(Debug, Deserialize)]
struct Secret {
    value: String,
}

#[tokio::test]
async fn the_secrets_of_a_block_are_there_only_on_request() {
    let client = live().await;
    let types = client.block_types();
    types.install_system_types().await.expect("installed");
    let secret = types.get_by_slug("secret").await.expect("a system type").id;
    let schema = client
        .block_schemas()
        .list()
        .block_type_id(secret)
        .first()
        .await;
    let schema = schema.expect("answers").expect("a schema").id;
    let name = unique("block");
    let block = BlockDocumentCreate::new(schema, secret)
        .name(name.clone())
        .data(json!({ "value": "hunter2" }));
    let block = client
        .block_documents()
        .create(&block)
        .await
        .expect("a block");
    let hidden: Secret = types.document("secret", &name).await.expect("read");
    assert!(hidden.value.chars().all(|c| c == '*'), "{hidden:?}");
    let shown: Secret = types
        .document_with_secrets("secret", &name)
        .await
        .expect("read");
    assert_eq!(shown.value, "hunter2");
    let error = types
        .document_with_secrets::<u8>("secret", &name)
        .await
        .expect_err("no number");
    assert!(!format!("{error:?} {error}").contains("hunter2"));
    let by_id = client
        .block_documents()
        .get_with_secrets(block.id)
        .await
        .expect("read");
    assert!(!format!("{by_id:?}").contains("hunter2"));
}

/// The server clears the parameters if an update does not name them.
#[tokio::test]
async fn a_schedule_keeps_its_parameters_when_its_times_change() {
    let client = live().await;
    let flow = a_flow(&client).await;
    let schedule = DeploymentScheduleCreate::new(CronSchedule::new("0 6 * * *"))
        .parameters(json!({ "full": true }));
    let deployment = DeploymentCreate::new(unique("deployment"), flow).schedules([schedule]);
    let id = client
        .deployments()
        .create(&deployment)
        .await
        .expect("a deployment")
        .id;
    let schedules = client.deployments().schedules(id);
    let made = schedules.list().await.expect("listed").remove(0);
    let update = DeploymentScheduleUpdate::new();
    let update = update.schedule(Schedule::Cron(CronSchedule::new("0 7 * * *")));
    schedules.update(made.id, &update).await.expect("changed");
    let changed = schedules.list().await.expect("listed").remove(0);
    let Schedule::Cron(cron) = &changed.schedule else {
        panic!("a cron expression: {changed:?}");
    };
    assert_eq!((changed.id, cron.cron.as_str()), (made.id, "0 7 * * *"));
    assert_eq!(changed.parameters, Some(json!({ "full": true }).into()));
    let none = update.parameters(json!({}));
    schedules.update(made.id, &none).await.expect("changed");
    let changed = schedules.list().await.expect("listed").remove(0);
    assert_eq!(changed.parameters, Some(json!({}).into()));

    let raw = DeploymentScheduleUpdate::new().parameters(json!({ "full": true }));
    schedules.update(made.id, &raw).await.expect("changed");
    let raw = DeploymentScheduleUpdate::new().active(false);
    client
        .raw()
        .update_deployment_schedule(&id, &made.id, &raw)
        .await
        .expect("changed");
    let lost = schedules.list().await.expect("listed").remove(0);
    assert_eq!(lost.parameters, Some(json!({}).into()), "cleared");
}

#[tokio::test]
async fn artifacts_have_the_forms_that_the_ui_shows() {
    let client = live().await;
    let artifacts = client.artifacts();
    let rows = json!([{ "region": "eu", "sales": 7 }]);
    let table = Artifact::table(&rows).expect("a table");
    for (artifact, kind, data) in [
        (Artifact::markdown("# x"), "markdown", json!("# x")),
        (
            Artifact::link("http://x", "X"),
            "markdown",
            json!("[X](http://x)"),
        ),
        (table, "table", json!(r#"[{"region":"eu","sales":7}]"#)),
        (Artifact::progress(12.5), "progress", json!(12.5)),
        (Artifact::progress(200.0), "progress", json!(100.0)),
        (Artifact::progress(f64::NAN), "progress", json!(0.0)),
        (
            Artifact::image("http://x/i.png"),
            "image",
            json!("http://x/i.png"),
        ),
    ] {
        let key = unique("artifact");
        let artifact = artifact
            .key(key.as_str())
            .description("d")
            .metadata("m", "1");
        artifacts.create(&artifact.into()).await.expect("published");
        let found = artifacts.get_latest(&key).await.expect("there");
        assert_eq!(found.type_.as_deref(), Some(kind));
        let found = found.data.expect("data").to_value().expect("JSON");
        assert_eq!(found.as_f64(), data.as_f64());
        assert!(found == data || found.is_number(), "{found}");
    }
    let key = unique("progress");
    let artifact = Artifact::progress(0.0)
        .key(key.as_str())
        .description("kept");
    let id = (*artifacts
        .create(&artifact.into())
        .await
        .expect("published")
        .id
        .as_ref()
        .expect("an id"))
    .to_owned();
    artifacts
        .update(id, &Artifact::progress(80.0).into())
        .await
        .expect("updated");
    let found = artifacts.get(id).await.expect("there");
    assert_eq!(found.description.as_deref(), Some("kept"));
    assert_eq!(
        found.data.expect("data").parse::<f64>().expect("a number"),
        80.0
    );
}

#[tokio::test]
async fn a_tag_limit_is_no_way_to_remove_a_global_one() {
    let client = live().await;
    let name = unique("global");
    let limits = client.global_concurrency_limits();
    let made = limits
        .create(&ConcurrencyLimitV2Create::new(name.as_str(), 1))
        .await
        .expect("made");
    let error = client
        .concurrency_limits()
        .delete(made.id)
        .await
        .expect_err("not a tag's");
    assert!(error.is_not_found(), "{error}");
    limits.get(&name).await.expect("still there");
}

#[tokio::test]
async fn an_operation_that_a_server_lacks_is_not_a_thing_that_is_not_there() {
    for body in [
        json!({ "detail": "Not Found" }),
        json!({ "message": "no Route matched" }),
    ] {
        let server = Scripted::start([reply(404, body)]).await;
        let error = server
            .client()
            .flows()
            .get_opt(Uuid::nil())
            .await
            .expect_err("no such route");
        assert!(error.is_unsupported() && !error.is_not_found(), "{error}");
        assert!(
            error.to_string().contains("does not have the operation"),
            "{error}"
        );
    }
    let server = Scripted::start([reply(405, json!({ "detail": "Method Not Allowed" }))]).await;
    let error = server
        .client()
        .flows()
        .get(Uuid::nil())
        .await
        .expect_err("no such method");
    assert!(error.is_unsupported(), "{error}");
    let server = Scripted::start([reply(404, json!({ "detail": "Flow not found" }))]).await;
    assert!(
        server
            .client()
            .flows()
            .get_opt(Uuid::nil())
            .await
            .expect("answers")
            .is_none()
    );
}
