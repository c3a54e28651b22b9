//! What the handles add to the operations.

use std::time::Duration;

use prefect_sdk::types::*;
use prefect_sdk::{Artifact, Client, ErrorKind};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::support::{Log, Scripted, live, live_builder, reply, unique};

#[tokio::test]
async fn a_variable_is_set_whether_it_is_there_or_not_and_read_as_any_type() {
    let client = live().await;
    let variables = client.variables();
    let name = unique("rows");
    assert_eq!(variables.value::<u32>(&name).await.expect("none"), None);
    for value in [1, 2] {
        variables.set(&name, value).await.expect("set");
        assert_eq!(variables.value(&name).await.expect("read"), Some(value));
    }
    variables
        .update_by_name(&name, &VariableUpdate::new().tags(["kept"]))
        .await
        .expect("tagged");
    let any = json!({ "a": [1, null, "x"], "b": 1.5 });
    variables.set(&name, any.clone()).await.expect("set");
    assert_eq!(variables.value(&name).await.expect("read"), Some(any));
    let tags = variables.get_by_name(&name).await.expect("there").tags;
    assert_eq!(tags, Some(vec!["kept".to_owned()]));
    let error = variables.value::<u32>(&name).await.expect_err("no number");
    assert_eq!(error.kind(), ErrorKind::Decode);
    let error = variables
        .delete_by_name("not-there")
        .await
        .expect_err("none");
    assert!(error.is_not_found());
    assert!(
        variables
            .set("Not a name", 1)
            .await
            .expect_err("refused")
            .is_validation()
    );
}

/// Somebody else is faster between the two requests.
#[tokio::test]
async fn what_was_created_in_the_meantime_is_updated_after_all() {
    let gone = || reply(404, json!({ "detail": "Variable not found." }));
    let taken = reply(
        409,
        json!({ "detail": "A variable with this name already exists." }),
    );
    let server = Scripted::start([gone(), taken, reply(204, json!(null))]).await;
    server
        .client()
        .variables()
        .set("rows", 1)
        .await
        .expect("set");
    let requests = server.requests();
    let methods: Vec<_> = requests.iter().map(|request| request.method()).collect();
    assert_eq!(methods, ["PATCH", "POST", "PATCH"]);
}

#[tokio::test]
async fn a_work_pool_that_is_there_is_updated_but_keeps_its_type() {
    let log = Log::default();
    let client = live().await;
    let name = unique("pool");
    let pools = client.work_pools();
    let made = pools
        .ensure(&WorkPoolCreate::new(name.as_str()).type_("process"))
        .await
        .expect("made");
    let again = WorkPoolCreate::new(name.as_str())
        .type_("docker")
        .concurrency_limit(3);
    let changed = {
        let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        pools.ensure(&again).await.expect("changed")
    };
    assert_eq!((changed.id, changed.type_.as_str()), (made.id, "process"));
    assert_eq!(*changed.concurrency_limit, Some(3));
    assert!(
        log.text()
            .contains("the type of a work pool cannot be changed")
    );
    // What is not said is left alone; null is said.
    let kept = pools
        .ensure(&WorkPoolCreate::new(name.as_str()))
        .await
        .expect("kept");
    assert_eq!(*kept.concurrency_limit, Some(3));
    let cleared = pools
        .ensure(&WorkPoolCreate::new(name.as_str()).concurrency_limit(None))
        .await;
    assert_eq!(*cleared.expect("cleared").concurrency_limit, None);

    let queues = pools.queues(&name);
    for priority in [3, 4] {
        let queue = WorkQueueCreate::new("urgent").priority(priority);
        assert_eq!(
            queues.ensure(&queue).await.expect("a queue").priority,
            Some(priority)
        );
    }
    let nowhere = client.work_pools().queues("not-there");
    let error = nowhere
        .ensure(&WorkQueueCreate::new("urgent"))
        .await
        .expect_err("no pool");
    assert!(error.is_not_found(), "{error}");
}

#[tokio::test]
async fn a_global_limit_is_as_it_was_last_said_to_be() {
    let client = live().await;
    let limits = client.global_concurrency_limits();
    let name = unique("limit");
    let made = limits
        .ensure(&ConcurrencyLimitV2Create::new(name.as_str(), 2))
        .await
        .expect("made");
    let held = BulkIncrementActiveSlotsRequest::new(1, [name.as_str()]);
    limits.increment(&held).await.expect("a slot");
    let changed = limits
        .ensure(&ConcurrencyLimitV2Create::new(name.as_str(), 5))
        .await
        .expect("changed");
    assert_eq!(
        (changed.id, changed.limit, changed.active_slots),
        (made.id, 5, 1)
    );
    assert!(
        limits
            .get_opt(&unique("none"))
            .await
            .expect("answers")
            .is_none()
    );
}

#[tokio::test]
async fn queues_are_found_by_the_beginning_of_their_names_over_several_pages() {
    let client = live().await;
    let pool = unique("pool");
    client
        .work_pools()
        .create(&WorkPoolCreate::new(pool.as_str()).type_("process"))
        .await
        .expect("a pool");
    let queues = client.work_pools().queues(&pool);
    for number in 0..25 {
        queues
            .create(&WorkQueueCreate::new(format!("a-{number}")))
            .await
            .expect("a queue");
    }
    queues
        .create(&WorkQueueCreate::new("b"))
        .await
        .expect("a queue");
    let found = queues
        .list()
        .name_prefix("a-")
        .page_size(10)
        .await
        .expect("listed");
    assert_eq!(found.len(), 25);
}

async fn run_in(client: &Client, state: StateType) -> Uuid {
    let flow = client
        .flows()
        .create(&FlowCreate::new("handles"))
        .await
        .expect("a flow")
        .id;
    let run = FlowRunCreate::new(flow)
        .state(StateCreate::new(state))
        .parameters(json!({}));
    client.flow_runs().create(&run).await.expect("a run").id
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
        .create((0..450).map(line).collect())
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
