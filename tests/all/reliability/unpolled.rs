//! A call that was begun and is no longer polled blocks no other call of the client.

use std::future::IntoFuture as _;
use std::pin::pin;

use futures_util::poll;
use prefect_sdk::testing::TestServer;
use prefect_sdk::types::*;
use serde_json::json;
use uuid::Uuid;

use crate::support::{BUSY_TIMEOUT, Fault, FaultProxy, Scripted, refusal, reply};

#[tokio::test]
async fn the_version_check_of_a_call_that_is_not_polled_blocks_no_other_call() {
    let kit = TestServer::start();
    let client = kit.client_builder().version_check(true).build();
    let client = client.expect("a client");
    let mut first = pin!(client.flow_runs().count().into_future());
    assert!(poll!(&mut first).is_pending(), "it reads the version");
    let second = client.task_runs().count().into_future();
    let second = tokio::time::timeout(BUSY_TIMEOUT, second).await;
    second.expect("not blocked").expect("counted");
    first.await.expect("counted");
}

#[tokio::test]
async fn the_token_of_a_call_that_is_not_polled_blocks_no_other_call() {
    let (now, hour) = (chrono::Utc::now(), chrono::Duration::hours(1));
    let token = json!({ "id": Uuid::new_v4(), "created": now, "updated": now, "token": "t",
                        "client": "c", "expiration": now + hour });
    let server = Scripted::start([reply(200, token), reply(200, json!(7))]).await;
    let client = server.builder().csrf(true).build().expect("a client");
    let mut first = pin!(client.flow_runs().count().into_future());
    assert!(poll!(&mut first).is_pending(), "it fetches a token");
    let second = client.task_runs().count().into_future();
    let second = tokio::time::timeout(BUSY_TIMEOUT, second).await;
    assert_eq!(second.expect("not blocked").expect("counted"), 7);
    assert_eq!(first.await.expect("counted"), 7);
    let tokens = server.requests();
    let tokens = tokens
        .iter()
        .filter(|it| it.target().contains("csrf-token"));
    assert_eq!(tokens.count(), 1, "both calls share one token");
}

/// A pager reads ahead while its items are handled. When the version cannot be read, each call tries to.
#[tokio::test]
async fn calls_between_the_items_of_a_pager_are_not_blocked_by_its_read_ahead() {
    let kit = TestServer::start();
    let server = kit.client();
    for number in 0..120 {
        let variable = VariableCreate::new(format!("unpolled-{number}"), number);
        server.variables().create(&variable).await.expect("created");
    }
    let plan = |request: &crate::support::http::Message| match request.target() {
        "/api/admin/version" => Fault::Answer(refusal(503)),
        _ => Fault::None,
    };
    let proxy = FaultProxy::start(&kit.api_url(), plan).await;
    let client = proxy.builder().version_check(true).build();
    let client = client.expect("a client");
    let mut deleted = 0;
    let mut variables = client.variables().list().name_like("unpolled").pager();
    while let Some(variable) = variables.next().await {
        let name = variable.expect("listed").name;
        let deletion = client.variables().delete_by_name(&name);
        let deletion = tokio::time::timeout(BUSY_TIMEOUT, deletion).await;
        deletion.expect("not blocked").expect("deleted");
        deleted += 1;
    }
    assert!(deleted > 100, "{deleted}");
}
