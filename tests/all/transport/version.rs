//! The comparison of versions before the first request.

use prefect_sdk::{ErrorKind, LocalServer};
use serde_json::json;
use uuid::Uuid;

use crate::support::http::Message;
use crate::support::{Log, Scripted, Step, flow, live_builder, refusal, reply, subscribe};

fn asks_for_the_version(request: &Message) -> bool {
    request.target() == "/api/admin/version"
}

/// The results of reading twice from a server with these replies, and how often its version was requested.
async fn read_twice(
    steps: impl IntoIterator<Item = Step>,
) -> (Vec<prefect_sdk::Result<()>>, usize) {
    let server = Scripted::start(steps).await;
    let client = server
        .builder()
        .version_check(true)
        .build()
        .expect("a client");
    let mut results = Vec::new();
    for _ in 0..2 {
        let read = client.raw().read_flow(&Uuid::new_v4()).await;
        results.push(read.map(drop));
    }
    let requests = server.requests();
    let asked = requests
        .iter()
        .filter(|request| asks_for_the_version(request));
    (results, asked.count())
}

#[tokio::test]
async fn another_major_version_is_an_error_that_names_both_and_is_not_remembered() {
    let (results, asked) = read_twice([reply(200, json!("4.0.1"))]).await;
    for result in results {
        let error = result.expect_err("incompatible");
        assert_eq!(error.kind(), ErrorKind::IncompatibleServer);
        assert_eq!(error.operation(), Some("read_flow"));
        let said = error.to_string();
        let client = LocalServer::DEFAULT_VERSION;
        assert!(said.contains("4.0.1") && said.contains(client), "{said}");
        assert!(!error.may_have_happened());
    }
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn a_server_that_fits_is_asked_once() {
    for version in ["3.8.8", "3.0.11", "3.99.0.dev1+abc"] {
        let (results, asked) = read_twice([reply(200, json!(version)), flow()]).await;
        assert!(results.iter().all(Result::is_ok), "{version}");
        assert_eq!(asked, 1);
    }
}

/// Prefect's own client fails with "Failed to reach API"; here the call itself shows what is wrong.
#[tokio::test]
async fn a_server_that_does_not_tell_its_version_is_used_all_the_same() {
    for unknown in [refusal(404), refusal(500), reply(200, json!({"a": 1}))] {
        let (results, asked) = read_twice([unknown, flow()]).await;
        assert!(results.iter().all(Result::is_ok));
        assert_eq!(asked, 1, "and not asked again");
    }
    let (results, asked) =
        read_twice([Step::Drop, flow(), reply(200, json!("3.8.8")), flow()]).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(asked, 2, "without a reply the version is requested again");
}

#[tokio::test]
async fn neither_cloud_nor_whoever_wants_no_check_is_asked() {
    let server = Scripted::start([flow()]).await;
    let checked = || server.builder().version_check(true);
    for builder in [
        checked().cloud_api_url(&server.url),
        checked().version_check(false),
    ] {
        let client = builder.build().expect("a client");
        client.raw().read_flow(&Uuid::new_v4()).await.expect("read");
    }
    assert!(!server.requests().iter().any(asks_for_the_version));
}

#[tokio::test]
async fn clones_of_a_client_ask_a_real_server_once() {
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = std::sync::Arc::clone(&asked);
    let builder = live_builder().await.observer(move |attempt| {
        let asks = attempt.path_template() == "/admin/version";
        counter.fetch_add(usize::from(asks), std::sync::atomic::Ordering::Relaxed);
    });
    let client = builder.build().expect("a client");
    let reads = (0..8).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.raw().read_settings().await })
    });
    for read in reads.collect::<Vec<_>>() {
        read.await.expect("no panic").expect("read");
    }
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test]
async fn an_older_server_is_warned_of_once() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(log.clone())
        .finish();
    let _guard = subscribe(subscriber);
    read_twice([reply(200, json!("3.0.11")), flow()]).await;
    assert_eq!(
        log.text().matches("the server is older").count(),
        1,
        "{}",
        log.text()
    );
    read_twice([reply(200, json!("3.99.0")), flow()]).await;
    assert_eq!(log.text().lines().count(), 1, "a newer one is fine");
}
