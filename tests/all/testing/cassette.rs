//! Cassettes: recorded once, replayed strictly.

use prefect_sdk::testing::{Recording, TestServer};
use prefect_sdk::types::{FlowCreate, FlowRunCreate};
use prefect_sdk::{Client, ErrorKind, Result};
use serde_json::json;

/// A program that meets ids, times, secrets, and a 404.
async fn program(client: &Client) -> Result<String> {
    let flow = client.flows().create(&FlowCreate::new("etl")).await?;
    let run = FlowRunCreate::new(flow.id)
        .name("first")
        .parameters(json!({"api_key": "hush"}));
    let run = client.flow_runs().create(&run).await?;
    client.variables().set("region", "eu").await?;
    let missing = client.variables().get_by_name("nowhere").await;
    assert_eq!(missing.expect_err("404").kind(), ErrorKind::NotFound);
    assert_eq!(client.flow_runs().get(run.id).await?.flow_id, flow.id);
    Ok(run.name.unwrap_or_default())
}

async fn recorded(file: &std::path::Path) -> String {
    let server = TestServer::builder().paused().start();
    let recording = Recording::record(file, server.client());
    let said = program(&recording.client()).await.expect("recorded");
    recording.finish();
    said
}

fn file(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(crate::support::unique("cassettes"));
    folder.join(name)
}

#[tokio::test]
async fn what_was_recorded_is_replayed_without_a_server() {
    let file = file("program.jsonl");
    assert_eq!(recorded(&file).await, "first");
    let text = std::fs::read_to_string(&file).expect("a cassette");
    assert!(!text.contains("hush"), "{text}");
    assert!(text.contains("#1#") && text.contains("\"@"), "{text}");
    let recording = Recording::replay(&file);
    assert_eq!(
        program(&recording.client()).await.expect("replayed"),
        "first"
    );
    recording.finish();
}

#[tokio::test]
async fn the_same_program_makes_the_same_cassette_but_for_times() {
    let files = [file("first.jsonl"), file("second.jsonl")];
    let mut texts = Vec::new();
    for file in &files {
        recorded(file).await;
        let text = std::fs::read_to_string(file).expect("a cassette");
        let parts = text
            .split("\"@")
            .map(|part| part.split_once('"').map_or(part, |(_, rest)| rest));
        texts.push(parts.collect::<String>());
    }
    assert_eq!(texts[0], texts[1]);
}

#[tokio::test]
#[should_panic(
    expected = "not in the cassette: create_flow: request[2].name: recorded \"etl\", now \"other\""
)]
async fn another_request_fails_the_test() {
    let file = file("program.jsonl");
    recorded(&file).await;
    let recording = Recording::replay(&file);
    drop(
        recording
            .client()
            .flows()
            .create(&FlowCreate::new("other"))
            .await,
    );
}

#[tokio::test]
#[should_panic(expected = "recorded requests did not come: create_flow_run")]
async fn a_request_that_does_not_come_fails_the_test() {
    let file = file("program.jsonl");
    recorded(&file).await;
    let recording = Recording::replay(&file);
    recording
        .client()
        .flows()
        .create(&FlowCreate::new("etl"))
        .await
        .expect("replayed");
    recording.finish();
}

#[tokio::test]
#[should_panic(expected = "record it with PREFECT_RECORD=1")]
async fn a_cassette_that_is_missing_says_how_to_make_it() {
    drop(Recording::replay(file("none.jsonl")));
}
