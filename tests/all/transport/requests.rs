//! What every request sends on the wire.

use prefect_sdk::types::{ConcurrencyLimitCreate, FlowCreate};
use prefect_sdk::{Client, ErrorKind, RetryPolicy};
use serde_json::json;
use wiremock::matchers::{any, body_json, header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::{Scripted, client_of, flow, live, plain, refusal};

fn limit() -> ResponseTemplate {
    let id = uuid::Uuid::new_v4();
    ResponseTemplate::new(200)
        .set_body_json(json!({"id": id, "tag": "db", "concurrency_limit": 10}))
}

#[tokio::test]
async fn the_first_feature_sends_exactly_what_was_asked_for() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/api/concurrency_limits/"))
        .and(header("x-prefect-api-version", "0.8.4"))
        .and(header("content-type", "application/json"))
        .and(header("accept", "application/json"))
        .and(body_json(json!({"tag": "db", "concurrency_limit": 10})))
        .respond_with(limit())
        .expect(1)
        .mount(&server)
        .await;
    client_of(&server)
        .concurrency_limits()
        .create("db", 10)
        .await
        .expect("created");

    let requests = server.received_requests().await.expect("recorded");
    let headers = &requests[0].headers;
    assert!(
        headers["user-agent"]
            .to_str()
            .expect("ASCII")
            .starts_with("prefect-sdk-rust/")
    );
    assert!(!headers.contains_key("authorization"));
    assert!(
        !headers.contains_key("api-version"),
        "progenitor's own header means nothing to Prefect"
    );
}

async fn authorization(client: impl Fn(String) -> Client) -> String {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(limit())
        .mount(&server)
        .await;
    client(format!("{}/api/", server.uri()))
        .concurrency_limits()
        .get_by_tag("db")
        .await
        .expect("read");
    let requests: Vec<Request> = server.received_requests().await.expect("recorded");
    requests[0].headers["authorization"]
        .to_str()
        .expect("ASCII")
        .to_owned()
}

#[tokio::test]
async fn a_key_is_a_bearer_token_and_an_auth_string_wins_over_it() {
    let key = authorization(|url| plain(&url).api_key("pnu_123").build().expect("a client"));
    assert_eq!(key.await, "Bearer pnu_123");
    let both = authorization(|url| {
        let builder = plain(&url).api_key("pnu_123");
        builder
            .auth_string("admin:admin")
            .build()
            .expect("a client")
    });
    assert_eq!(both.await, "Basic YWRtaW46YWRtaW4=");
}

/// Calls a server that redirects everything, and returns the result.
async fn redirected(
    status: u16,
    target: String,
) -> prefect_sdk::Result<prefect_sdk::types::ConcurrencyLimit> {
    let server = MockServer::start().await;
    Mock::given(path("/api/concurrency_limits/"))
        .respond_with(ResponseTemplate::new(status).insert_header("location", target))
        .mount(&server)
        .await;
    Mock::given(path("/api/moved"))
        .and(body_json(json!({"tag": "db", "concurrency_limit": 10})))
        .and(header("authorization", "Bearer pnu_123"))
        .respond_with(limit())
        .mount(&server)
        .await;
    let client = plain(&format!("{}/api", server.uri())).api_key("pnu_123");
    client
        .build()
        .expect("a client")
        .concurrency_limits()
        .create("db", 10)
        .await
}

#[tokio::test]
async fn a_redirect_within_the_origin_keeps_method_body_and_credentials() {
    for status in [307, 308] {
        redirected(status, "/api/moved".to_owned())
            .await
            .expect("followed");
    }
}

#[tokio::test]
async fn a_redirect_that_would_turn_a_post_into_a_get_is_not_followed() {
    for status in [301, 302, 303] {
        let error = redirected(status, "/api/moved".to_owned())
            .await
            .expect_err("stopped");
        assert!(
            error.message().contains("does not keep the method"),
            "{error}"
        );
        assert_eq!(error.status().map(|it| it.as_u16()), Some(status));
        assert!(error.may_have_happened(), "POST, redirect, GET");
    }
}

#[tokio::test]
async fn neither_credentials_nor_data_follow_a_redirect_to_another_origin() {
    let elsewhere = MockServer::start().await;
    Mock::given(any())
        .respond_with(limit())
        .mount(&elsewhere)
        .await;
    let error = redirected(307, format!("{}/api/moved", elsewhere.uri()))
        .await
        .expect_err("stopped");
    assert!(error.message().contains(&elsewhere.uri()), "{error}");
    assert_eq!(error.status().map(|it| it.as_u16()), Some(307));
    assert!(!error.may_have_happened());
    assert!(
        elsewhere
            .received_requests()
            .await
            .expect("recorded")
            .is_empty()
    );
}

#[tokio::test]
async fn what_the_server_refused_to_do_is_repeated() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(
            ResponseTemplate::new(503).set_body_json(json!({"exception_message": "busy"})),
        )
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(429).insert_header("retry-after", "0"))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(limit())
        .mount(&server)
        .await;
    client_of(&server)
        .concurrency_limits()
        .create("db", 10)
        .await
        .expect("created in the end");
    assert_eq!(server.received_requests().await.expect("recorded").len(), 3);
}

#[tokio::test]
async fn https_needs_no_setting_up() {
    // Nothing listens there; without a crypto provider this would panic.
    let client = Client::builder()
        .api_url("https://127.0.0.1:1/api")
        .build()
        .expect("a client");
    let error = client
        .raw()
        .health_check()
        .await
        .expect_err("nobody listens");
    assert!(error.is_connection(), "{error}");
}

/// After a 500 a real server closes the connection without announcing it.
#[tokio::test]
async fn what_follows_a_500_does_not_meet_a_closed_connection() {
    let server = Scripted::start([flow(), refusal(500), flow()]).await;
    let client = server.client().with_retry(RetryPolicy::none());
    let create = || async { client.raw().create_flow(&FlowCreate::new("etl")).await };
    create().await.expect("created");
    create().await.expect_err("500");
    create().await.expect("created");
    create().await.expect("created");
    assert_eq!(server.connections(), [0, 0, 1, 2], "each has its own");
}

#[tokio::test]
async fn what_follows_a_500_of_a_real_server_is_answered() {
    let client = live().await.with_retry(RetryPolicy::none());
    for _ in 0..100 {
        // This server answers 500 to a slash in a tag, among other things.
        let broken = ConcurrencyLimitCreate::new("a/b", 1);
        let error = client.raw().create_concurrency_limit(&broken).await;
        let error = error.expect_err("500");
        assert_eq!(error.kind(), ErrorKind::Server, "{error}");
        let flow = FlowCreate::new("after-a-500");
        if let Err(error) = client.raw().create_flow(&flow).await {
            // The database may be locked by other tests, but the connection worked.
            assert!(error.status().is_some(), "{error:?}");
        }
    }
}

#[tokio::test]
async fn path_parameters_stay_one_segment() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(limit())
        .mount(&server)
        .await;
    let client = client_of(&server);
    client
        .raw()
        .read_variable_by_name(r"a?c#d\..")
        .await
        .expect_err("not a variable's reply");
    let requests = server.received_requests().await.expect("recorded");
    assert_eq!(
        requests[0].url.path(),
        r"/api/variables/name/a%3Fc%23d%5C.."
    );
    for name in [".", "..", "a/b"] {
        let error = client
            .raw()
            .read_variable_by_name(name)
            .await
            .expect_err("resolves elsewhere");
        assert!(error.is_invalid_request(), "{error}");
    }
    assert_eq!(server.received_requests().await.expect("recorded").len(), 1);
}
