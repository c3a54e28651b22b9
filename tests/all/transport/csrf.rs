//! Tokens against cross-site request forgery.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{Either, select};
use prefect_sdk::types::{FlowCreate, FlowRunCreate};
use prefect_sdk::{Client, ErrorKind, LocalServer, Result, RetryPolicy, client::Attempt};
use serde_json::json;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::support::http::Message;
use crate::support::{BUSY_TIMEOUT, FakeClock, Scripted, Step, flow, live_builder, reply, unique};

/// A real server that requires tokens.
async fn protected() -> &'static LocalServer {
    static SERVER: OnceCell<LocalServer> = OnceCell::const_new();
    let start = || async { LocalServer::builder().csrf(true).start().await };
    SERVER.get_or_try_init(start).await.expect("a server")
}

fn token(value: &str, lifetime: Duration) -> Step {
    let now = chrono::Utc::now();
    let expiration = now + lifetime;
    reply(
        200,
        json!({"id": Uuid::new_v4(), "created": now, "updated": now,
               "token": value, "client": "c", "expiration": expiration}),
    )
}

const HOUR: Duration = Duration::from_secs(3600);

fn invalid() -> Step {
    reply(
        403,
        json!({"detail": "Invalid CSRF token or client identifier."}),
    )
}

async fn create(client: &Client) -> Result<()> {
    let created = client.raw().create_flow(&FlowCreate::new("etl")).await;
    created.map(drop)
}

/// A client of this server that sends tokens, and its clock.
fn sending(server: &Scripted) -> (Client, FakeClock) {
    let clock = FakeClock::default();
    let builder = server.builder().csrf(true).clock(clock.clone());
    (builder.build().expect("a client"), clock)
}

fn sent_token(request: &Message) -> Option<&str> {
    request.header("prefect-csrf-token")
}

fn asks_for_a_token(request: &Message) -> bool {
    request.target().starts_with("/api/csrf-token?client=")
}

#[tokio::test]
async fn twenty_concurrent_posts_ask_a_real_server_for_one_token() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let builder = protected().await.client_builder().observer(move |attempt| {
        let asks = attempt.operation() == "create_csrf_token";
        counter.fetch_add(usize::from(asks), Ordering::Relaxed);
    });
    let client = builder.build().expect("a client");
    let posts = (0..20).map(|_| {
        let client = client.clone();
        tokio::spawn(async move {
            let flow = FlowCreate::new(unique("csrf"));
            client.raw().create_flow(&flow).await
        })
    });
    for post in posts.collect::<Vec<_>>() {
        post.await.expect("no panic").expect("created");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_real_server_refuses_what_has_no_token() {
    let builder = protected().await.client_builder().csrf(false);
    let client = builder.build().expect("a client");
    client
        .raw()
        .read_settings()
        .await
        .expect("a GET needs none");
    let error = create(&client).await.expect_err("no token");
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
}

#[tokio::test]
async fn a_token_that_a_real_server_has_replaced_is_fetched_anew() {
    let ids = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ids);
    let server = protected().await;
    let builder = server
        .client_builder()
        .observer(move |attempt: &Attempt<'_>| {
            if attempt.operation() == "create_csrf_token" {
                let (_, id) = attempt.url().query_pairs().next().expect("the client's id");
                seen.lock().expect("not poisoned").push(id.into_owned());
            }
        });
    let client = builder.build().expect("a client");
    create(&client).await.expect("created");
    let id = ids.lock().expect("not poisoned")[0].clone();
    // Another request with the same client id gets the only valid token.
    let other = server.client().expect("a client");
    other.raw().create_csrf_token(&id).await.expect("a token");

    create(&client).await.expect("created with a new token");
    assert_eq!(*ids.lock().expect("not poisoned"), [id.clone(), id]);
}

#[tokio::test]
async fn a_real_server_without_protection_is_asked_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let builder = live_builder().await.observer(move |attempt| {
        let asks = attempt.operation() == "create_csrf_token";
        counter.fetch_add(usize::from(asks), Ordering::Relaxed);
    });
    let client = builder.build().expect("a client");
    for _ in 0..3 {
        create(&client).await.expect("created");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_get_needs_no_token() {
    let server = Scripted::start([flow()]).await;
    let (client, _) = sending(&server);
    client.raw().read_flow(&Uuid::new_v4()).await.expect("read");
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(sent_token(&requests[0]), None);
}

#[tokio::test]
async fn what_changes_something_carries_the_token_and_one_client_id() {
    let empty = Step::Reply(204, Vec::new(), String::new());
    let steps = [
        token("T1", HOUR),
        flow(),
        empty.clone(),
        empty.clone(),
        empty,
    ];
    let server = Scripted::start(steps).await;
    let (client, _) = sending(&server);
    let (id, raw) = (Uuid::new_v4(), client.raw());
    create(&client).await.expect("POST");
    raw.update_flow(&id, &json_of(json!({})))
        .await
        .expect("PATCH");
    raw.delete_flow(&id).await.expect("DELETE");
    let automation = json_of(
        json!({"name": "a", "trigger": {"type": "event", "posture": "Reactive", "threshold": 1, "within": 0}, "actions": []}),
    );
    raw.update_automation(&id, &automation).await.expect("PUT");

    let requests = server.requests();
    assert_eq!(requests.len(), 5, "one token for all");
    let id = requests[0].target().rsplit('=').next();
    assert!(asks_for_a_token(&requests[0]) && sent_token(&requests[0]).is_none());
    for request in &requests[1..] {
        assert_eq!(sent_token(request), Some("T1"), "{}", request.method());
        assert_eq!(request.header("prefect-csrf-client"), id);
    }
}

fn json_of<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).expect("it fits")
}

#[tokio::test]
async fn a_token_is_replaced_when_it_has_expired() {
    let steps = [token("T1", HOUR), flow(), flow(), token("T2", HOUR), flow()];
    let server = Scripted::start(steps).await;
    let (client, clock) = sending(&server);
    for pause in [0, 3000, 1000] {
        clock.advance(Duration::from_secs(pause));
        create(&client).await.expect("created");
    }
    let requests = server.requests();
    let tokens: Vec<_> = requests.iter().filter_map(sent_token).collect();
    assert_eq!(tokens, ["T1", "T1", "T2"]);
}

/// The clocks of client and server need not agree: the token's lifetime is measured by the server's.
#[tokio::test]
async fn a_server_whose_clock_is_behind_gives_tokens_that_last() {
    let behind = chrono::Utc::now() - chrono::TimeDelta::hours(5);
    let Step::Reply(status, _, body) = token("T1", HOUR) else {
        unreachable!("a reply")
    };
    let mut body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    body["expiration"] = json!(behind + HOUR);
    let date = behind.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let token = reply(status, body).header("date", date);
    let server = Scripted::start([token, flow()]).await;
    let (client, _) = sending(&server);
    for _ in 0..3 {
        create(&client).await.expect("created");
    }
    assert_eq!(server.requests().len(), 4, "one token");
}

#[tokio::test]
async fn a_rejected_token_is_replaced_and_the_request_repeated_at_once() {
    let steps = [token("T1", HOUR), invalid(), token("T2", HOUR), flow()];
    let server = Scripted::start(steps).await;
    let (client, clock) = sending(&server);
    create(&client).await.expect("created");
    assert_eq!(sent_token(&server.requests()[3]), Some("T2"));
    assert!(clock.waits().is_empty(), "no backoff");
}

#[tokio::test]
async fn a_server_that_takes_no_token_at_all_ends_the_call() {
    let answer = |n| [token(&format!("T{n}"), HOUR), invalid()];
    let server = Scripted::start((0..9).flat_map(answer)).await;
    let (client, _) = sending(&server);
    let error = create(&client).await.expect_err("never accepted");
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Forbidden, 3));
}

#[tokio::test]
async fn a_failure_to_get_a_token_is_the_failure_of_the_call() {
    let bad = reply(400, json!({"exception_message": "no token today"}));
    let server = Scripted::start([bad]).await;
    let (client, _) = sending(&server);
    let error = create(&client).await.expect_err("no token");
    assert_eq!(error.status().expect("a reply").as_u16(), 400);
    assert_eq!(
        (error.operation(), error.attempts()),
        (Some("create_flow"), 0)
    );
    let said = error.to_string();
    assert!(
        said.contains("CSRF token") && said.contains("no token today"),
        "{said}"
    );
    assert_eq!(server.requests().len(), 1);
}

/// The reply to the first attempt is lost, and for the second there is no token.
#[tokio::test]
async fn a_failure_to_get_a_token_does_not_hide_that_the_call_may_have_happened() {
    let bad = reply(400, json!({"exception_message": "no token today"}));
    let first = token("T1", Duration::from_secs(6));
    let server = Scripted::start([first, Step::Drop, bad]).await;
    let (client, _) = sending(&server);
    let run = FlowRunCreate::new(Uuid::new_v4());
    let error = client.raw().create_flow_run(&run).await;
    let error = error.expect_err("no second token");
    assert!(
        error.may_have_happened() && !error.is_retryable(),
        "{error:?}"
    );
    assert_eq!(
        (error.operation(), error.attempts()),
        (Some("create_flow_run"), 1)
    );
}

/// A gateway may have a CSRF protection of its own.
#[tokio::test]
async fn a_token_error_of_the_token_endpoint_does_not_deadlock() {
    let server = Scripted::start([invalid()]).await;
    let (client, _) = sending(&server);
    let error = tokio::time::timeout(BUSY_TIMEOUT, create(&client)).await;
    let error = error.expect("it ends").expect_err("no token");
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
}

#[tokio::test]
async fn who_waits_for_a_token_shares_the_failure_to_get_it() {
    let bad = reply(400, json!({"exception_message": "no token today"}));
    let server = Scripted::start([bad]).await;
    let (client, _) = sending(&server);
    let posts = (0..8).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { create(&client).await })
    });
    for post in posts.collect::<Vec<_>>() {
        post.await.expect("no panic").expect_err("no token");
    }
    assert!(server.requests().len() < 8, "{}", server.requests().len());
}

#[tokio::test]
async fn the_deadline_holds_for_the_token_too() {
    let server = Scripted::start([Step::Hang]).await;
    let policy = RetryPolicy::default().deadline(Duration::from_millis(100));
    let client = server
        .builder()
        .csrf(true)
        .retry(policy)
        .build()
        .expect("a client");
    // The client's own timeout would come later.
    let error = tokio::time::timeout(BUSY_TIMEOUT / 2, create(&client)).await;
    let error = error.expect("it ends").expect_err("no token");
    assert!(
        error.is_timeout() && !error.may_have_happened(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_that_needs_no_token_is_asked_once() {
    for refusal in [
        reply(422, json!({"detail": "CSRF protection is disabled."})),
        reply(404, json!({"detail": "Not Found"})),
    ] {
        let server = Scripted::start([refusal, flow()]).await;
        let (client, _) = sending(&server);
        for _ in 0..3 {
            create(&client).await.expect("created");
        }
        let requests = server.requests();
        assert_eq!(requests.len(), 4);
        assert!(requests.iter().all(|request| sent_token(request).is_none()));
    }
}

#[tokio::test]
async fn a_server_that_wants_tokens_since_its_restart_gets_them() {
    let missing = reply(403, json!({"detail": "Missing CSRF token."}));
    let off = reply(422, json!({"detail": "CSRF protection is disabled."}));
    let server = Scripted::start([off, flow(), missing, token("T1", HOUR), flow()]).await;
    let (client, _) = sending(&server);
    for _ in 0..2 {
        create(&client).await.expect("created");
    }
    assert_eq!(sent_token(&server.requests()[4]), Some("T1"));
}

#[tokio::test]
async fn cloud_and_whoever_wants_none_are_not_asked_for_tokens() {
    let server = Scripted::start([flow()]).await;
    let cloud = server.builder().csrf(true).cloud_api_url(&server.url);
    let cloud = cloud.build().expect("a client");
    assert!(cloud.is_cloud());
    create(&cloud).await.expect("created");
    let without = server.builder().csrf(false).build().expect("a client");
    assert!(!without.is_cloud());
    create(&without).await.expect("created");
    assert!(!server.requests().iter().any(asks_for_a_token));
}

#[tokio::test]
async fn a_fetch_that_is_given_up_does_not_block_the_others() {
    let server = Scripted::start([Step::Hang, token("T1", HOUR), flow()]).await;
    let (client, _) = sending(&server);
    // The caller goes once the fetch is in flight.
    let fetched = Box::pin(server.until_received(1));
    let given_up = select(Box::pin(create(&client)), fetched).await;
    assert!(matches!(given_up, Either::Right(_)), "no token comes");
    drop(given_up);
    create(&client).await.expect("created");
}

/// The fetch is shared, and each call that waits for it retries by its own policy.
#[tokio::test]
async fn a_call_that_is_tried_once_takes_no_retries_from_the_others() {
    let busy = reply(503, json!({"exception_message": "busy"}));
    let server = Scripted::start([busy, token("T1", HOUR), flow()]).await;
    let (client, _) = sending(&server);
    let impatient = client.with_retry(RetryPolicy::none());
    let (once, retried) = tokio::join!(create(&impatient), create(&client));
    let error = once.expect_err("one attempt");
    assert_eq!(error.status().map(|status| status.as_u16()), Some(503));
    assert!(error.is_retryable() && !error.may_have_happened());
    retried.expect("the second token");
}
