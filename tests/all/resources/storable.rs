//! What a server cannot store is refused before anything is sent, and so are names that no request could carry.

use chrono::{TimeZone as _, Utc};
use prefect_sdk::types::*;
use prefect_sdk::{Client, Error};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Scripted, live, reply, unique};

/// A server that must not be asked anything, and a client of it.
async fn unasked() -> (Scripted, Client) {
    let server = Scripted::start([reply(500, json!(null))]).await;
    let client = server.client();
    (server, client)
}

fn assert_refused<T: std::fmt::Debug>(result: Result<T, Error>, part: &str) {
    let error = result.expect_err(part);
    assert!(error.is_invalid_request(), "{error:?}");
    assert!(error.to_string().contains(part), "{error} lacks {part:?}");
    assert_eq!(error.attempts(), 0);
}

#[tokio::test]
async fn a_nul_is_refused_in_every_request_with_its_path() {
    let (server, client) = unasked().await;
    let raw = client.raw();
    let id = Uuid::new_v4();
    assert_refused(raw.create_flow(&FlowCreate::new("a\0b")).await, "`name`");
    let flow = FlowCreate::new("etl").tags(["a", "b\0"]);
    assert_refused(raw.create_flow(&flow).await, "`tags[1]`");
    let run = DeploymentFlowRunCreate::new().parameters(json!({"a": [{"b": "\0"}]}));
    let run = raw.create_flow_run_from_deployment(&id, &run).await;
    assert_refused(run, "`parameters.a[0].b`");
    let state = SetFlowRunStateRequest::new(StateCreate::failed("\0"));
    assert_refused(raw.set_flow_run_state(&id, &state).await, "`state.message`");
    let limits = client.global_concurrency_limits();
    let limit = ConcurrencyLimitV2Create::new("a\0", 1);
    assert_refused(limits.create(&limit).await, "`name`");
    assert_refused(client.variables().set("a\0", 1).await, "NUL");
    let found = client.flows().list().name("a\0").await;
    assert_refused(found, "NUL");
    let variable = client.variables().get_by_name_opt("a\0b").await;
    assert_refused(variable, "NUL");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn an_event_with_a_nul_is_not_sent_and_takes_no_other_with_it() {
    let (server, client) = unasked().await;
    let resource = || Resource::from([("prefect.resource.id".to_owned(), "r".to_owned())]);
    let event = |name: &str| Event::new(Utc::now(), name, resource(), Uuid::new_v4());
    let with_payload = event("a").payload(json!({"text": "x\0"}));
    for bad in [event("a\0b"), with_payload] {
        assert_refused(client.events().emit(bad.clone()).await, "NUL");
        let emitter = client.events().emitter().start().expect("an emitter");
        assert_refused(emitter.emit(bad), "NUL");
        assert_eq!(emitter.stats().queued, 0);
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn whole_numbers_have_32_bits_but_not_in_parameters() {
    let (server, client) = unasked().await;
    let raw = client.raw();
    let too_large = i64::from(i32::MAX) + 1;
    let limit = ConcurrencyLimitV2Create::new("a", too_large);
    let limits = client.global_concurrency_limits();
    assert_refused(limits.create(&limit).await, "`limit` is 2147483648");
    let log = LogCreate::new("n", too_large, "m", Utc::now());
    assert_refused(client.logs().create(vec![log]).await, "`[0].level`");
    let later = Utc.with_ymd_and_hms(12_000, 1, 1, 0, 0, 0).unwrap();
    let log = LogCreate::new("n", 20, "m", later);
    assert_refused(client.logs().create(vec![log]).await, "years 1 to 9999");
    let pool = WorkPoolUpdate::new().concurrency_limit(-too_large - 1);
    assert_refused(
        raw.update_work_pool("p", &pool).await,
        "`concurrency_limit`",
    );
    assert!(server.requests().is_empty());

    let run = DeploymentFlowRunCreate::new().parameters(json!({"limit": u64::MAX}));
    let run = raw
        .create_flow_run_from_deployment(&Uuid::new_v4(), &run)
        .await;
    assert_eq!(run.expect_err("an error 500").attempts(), 1);
}

#[tokio::test]
async fn numbers_that_json_does_not_have_are_refused_in_words() {
    let (server, client) = unasked().await;
    let limits = client.global_concurrency_limits();
    for number in [f64::NAN, f64::INFINITY] {
        let limit = ConcurrencyLimitV2Create::new("a", 1).slot_decay_per_second(number);
        assert_refused(limits.create(&limit).await, "JSON has no number");
        Json::new(&json!({"a": 1})).expect("JSON");
        let error = Json::new(&std::collections::BTreeMap::from([("a", number)]));
        assert!(
            error
                .expect_err("no JSON")
                .to_string()
                .contains("no number")
        );
    }
    assert!(server.requests().is_empty());
}

/// SQLite servers store it, and then answer 500 to every list that has the run.
#[tokio::test]
async fn a_lone_surrogate_is_refused() {
    let (server, client) = unasked().await;
    let text = Json::from_text(r#"{"a": "\ud83d"}"#).expect("JSON, formally");
    let run = DeploymentFlowRunCreate::new().parameters(text);
    let run = client
        .raw()
        .create_flow_run_from_deployment(&Uuid::new_v4(), &run)
        .await;
    assert_refused(run, "lone surrogate");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn names_are_refused_alike_at_creation_and_look_up() {
    let (server, client) = unasked().await;
    for (name, shown) in [(".", "\".\""), ("..", "\"..\""), ("a\nb", "a\\nb")] {
        assert_refused(
            client.work_pools().create(&WorkPoolCreate::new(name)).await,
            shown,
        );
        assert_refused(client.work_pools().get_opt(name).await, shown);
        assert_refused(
            client.work_pools().ensure(&WorkPoolCreate::new(name)).await,
            shown,
        );
        assert_refused(client.concurrency_limits().create(name, 1).await, shown);
        assert_refused(client.concurrency_limits().get_by_tag(name).await, shown);
    }
    let limit = ConcurrencyLimitV2Create::new(Uuid::new_v4().to_string(), 1);
    let created = client.global_concurrency_limits().create(&limit).await;
    assert_refused(created, "the form of an id");
    let artifact = ArtifactCreate::new().key("");
    assert_refused(client.artifacts().create(&artifact).await, "is empty");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_block_that_refers_to_one_that_is_not_there_is_a_conflict() {
    let client = live().await;
    let (slug, blocks) = (unique("type"), client.block_types());
    let kind = BlockTypeCreate::new(&*slug, &*slug);
    let kind = blocks.create(&kind).await.expect("a type").id;
    let schema = BlockSchemaCreate::new(kind).fields(json!({"title": slug}));
    client
        .block_schemas()
        .create(&schema)
        .await
        .expect("a schema");
    let nowhere = json!({"other": {"$ref": {"block_document_id": Uuid::new_v4()}}});
    let error = blocks
        .save(&slug, "a", nowhere)
        .await
        .expect_err("no such block");
    assert!(error.is_conflict(), "{error}");

    // What a read masks is not stored over the secret.
    let masked = json!({"nested": [{"password": "********"}]});
    let error = blocks.save(&slug, "a", masked).await.expect_err("a mask");
    assert!(error.is_invalid_request(), "{error}");
    assert!(
        error.to_string().contains("data.nested[0].password"),
        "{error}"
    );
}

#[tokio::test]
async fn the_error_of_a_variables_value_does_not_quote_it() {
    let client = live().await;
    let name = unique("secret");
    client.variables().set(&name, "hunter2").await.expect("set");
    let error = client
        .variables()
        .value::<u32>(&name)
        .await
        .expect_err("a text");
    let said = error.to_string();
    assert!(
        said.contains("is a text") && !said.contains("hunter2"),
        "{said}"
    );
}
