//! Retries: how often, when, and what is not retried.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use prefect_sdk::client::Interceptor;
use prefect_sdk::reqwest::StatusCode;
use prefect_sdk::types::FlowCreate;
use prefect_sdk::{Client, Error, RetryPolicy};
use serde_json::json;
use uuid::Uuid;

use crate::support::{BUSY_TIMEOUT, FakeClock, ForwardProxy, Scripted, Step, flow, refusal, reply};

/// Creates a flow, which is an upsert and can be repeated.
async fn create(client: &Client) -> Result<(), Error> {
    let created = client.raw().create_flow(&FlowCreate::new("etl")).await;
    created.map(drop)
}

/// A client whose waits are not random, and the clock that records them.
fn patient(server: &Scripted, policy: RetryPolicy) -> (Client, FakeClock) {
    let clock = FakeClock::default();
    let builder = server.builder().clock(clock.clone());
    let client = builder.retry(policy.jitter(0.0)).build();
    (client.expect("a client"), clock)
}

/// The result of creating a flow, the number of requests, and the waits.
async fn run(
    steps: impl IntoIterator<Item = Step>,
    policy: RetryPolicy,
) -> (Result<(), Error>, usize, Vec<f64>) {
    let server = Scripted::start(steps).await;
    let (client, clock) = patient(&server, policy);
    let result = create(&client).await;
    (result, server.requests().len(), clock.waits())
}

fn failing(times: usize, step: Step) -> Vec<Step> {
    let mut steps = vec![step; times];
    steps.push(flow());
    steps
}

#[tokio::test]
async fn retries_on_designated_status_codes() {
    for status in [408, 429, 502, 503] {
        let (result, requests, waits) =
            run(failing(3, reply(status, json!({}))), RetryPolicy::default()).await;
        result.expect("the fourth succeeds");
        assert_eq!((requests, waits), (4, vec![2.0, 4.0, 8.0]), "{status}");
    }
}

#[tokio::test]
async fn retries_on_extra_codes_and_on_no_others() {
    let extra = |codes: &[u16]| {
        let codes = codes
            .iter()
            .map(|code| StatusCode::from_u16(*code).expect("a status"));
        RetryPolicy::default().extra_codes(codes)
    };
    for (codes, status) in [(&[508][..], 508), (&[508, 409], 409)] {
        let (result, requests, _) = run(failing(3, reply(status, json!({}))), extra(codes)).await;
        result.expect("the fourth succeeds");
        assert_eq!(requests, 4);
    }
    let (result, requests, waits) = run(failing(3, reply(508, json!({}))), extra(&[409])).await;
    assert_eq!(result.expect_err("at once").attempts(), 1);
    assert_eq!((requests, waits.len()), (1, 0));
}

#[tokio::test]
async fn retries_when_the_connection_breaks() {
    let half = Step::Half(Box::new(flow()));
    for step in [Step::Drop, half] {
        let (result, requests, _) = run(failing(3, step), RetryPolicy::default()).await;
        result.expect("the fourth succeeds");
        assert_eq!(requests, 4);
    }
}

#[tokio::test]
async fn retries_when_there_is_no_reply_in_time() {
    let server = Scripted::start([Step::Hang, Step::Hang, flow()]).await;
    // On a slow machine the replies that follow may be late as well, and other attempts be over before they arrive.
    let client = server
        .builder()
        .timeout(Duration::from_millis(50))
        .retry(RetryPolicy::default().attempts(1000));
    create(&client.build().expect("a client"))
        .await
        .expect("the third succeeds, or one after it");
    assert!(server.requests().len() >= 3);
}

#[tokio::test]
async fn gives_up_after_six_attempts_and_does_not_wait_after_the_last() {
    let busy = reply(429, json!({})).header("retry-after", "0");
    for (step, waits) in [(busy, 0), (Step::Drop, 5)] {
        let (result, requests, waited) = run([step], RetryPolicy::default()).await;
        let error = result.expect_err("never succeeds");
        assert_eq!((requests, error.attempts(), waited.len()), (6, 6, waits));
        assert!(error.is_retryable(), "creating a flow is an upsert");
    }
    let (_, requests, _) = run([Step::Drop], RetryPolicy::default().attempts(11)).await;
    assert_eq!(requests, 11);
    let (_, requests, _) = run([Step::Drop], RetryPolicy::none()).await;
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn each_reply_says_how_long_to_wait() {
    let asking = |seconds: &str| refusal(503).header("retry-after", seconds);
    let steps = [
        asking("5"),
        asking("0"),
        asking("10"),
        asking("2.0"),
        flow(),
    ];
    let (result, _, waits) = run(steps, RetryPolicy::default()).await;
    result.expect("the fifth succeeds");
    // A wait of 0 s is skipped.
    assert_eq!(waits, [5.0, 10.0, 2.0]);
}

#[tokio::test]
async fn junk_in_retry_after_is_ignored_and_a_date_is_not() {
    let now = chrono::Utc::now();
    let soon = (now + chrono::TimeDelta::seconds(30)).to_rfc2822();
    let asking = |value: &str| refusal(503).header("retry-after", value);
    let steps = [
        asking("soon"),
        asking("inf"),
        asking("-3"),
        // The time is that of the reply, however late it is read.
        asking(&soon).header("date", now.to_rfc2822()),
        flow(),
    ];
    let (result, _, waits) = run(steps, RetryPolicy::default()).await;
    result.expect("the fifth succeeds");
    // A wait of 0 s is skipped.
    assert_eq!(waits, [2.0, 4.0, 30.0]);
}

/// Prefect's client would sleep for six days.
#[tokio::test]
async fn what_the_server_asks_for_is_capped() {
    let day = refusal(429).header("retry-after", "86400");
    let (_, _, waits) = run([day], RetryPolicy::default()).await;
    assert_eq!(waits, [60.0; 5]);
}

#[tokio::test]
async fn jitter_keeps_within_a_fifth_and_never_below_what_the_server_asks_for() {
    for (step, range) in [
        (refusal(503), 1.6..=2.4),
        (refusal(503).header("retry-after", "5"), 5.0..=6.0),
    ] {
        let mut waits = Vec::new();
        for _ in 0..20 {
            let server = Scripted::start(failing(1, step.clone())).await;
            let clock = FakeClock::default();
            let client = server.builder().clock(clock.clone()).build();
            create(&client.expect("a client"))
                .await
                .expect("the second succeeds");
            waits.extend(clock.waits());
        }
        assert!(waits.iter().all(|wait| range.contains(wait)), "{waits:?}");
        let first = waits[0];
        assert!(
            waits.iter().any(|wait| *wait != first),
            "no jitter: {waits:?}"
        );
    }
}

#[tokio::test]
async fn a_server_under_maintenance_is_waited_for() {
    let maintenance = refusal(503).header("prefect-maintenance", "true");
    let (result, requests, _) = run(failing(20, maintenance.clone()), RetryPolicy::default()).await;
    result.expect("it is back");
    assert_eq!(requests, 21);

    let policy = RetryPolicy::default().deadline(Duration::from_secs(100));
    let (result, _, waits) = run([maintenance], policy).await;
    result.expect_err("the deadline ends it");
    assert_eq!(waits, [2.0, 4.0, 8.0, 16.0, 32.0]);
}

#[tokio::test]
async fn a_policy_without_retries_has_none_for_maintenance() {
    let maintenance = refusal(503).header("prefect-maintenance", "true");
    for policy in [RetryPolicy::none(), RetryPolicy::default().attempts(1)] {
        let (result, requests, _) = run([maintenance.clone()], policy).await;
        assert!(result.expect_err("once").is_retryable());
        assert_eq!(requests, 1);
    }
    let server = Scripted::start([maintenance]).await;
    let client = server.client();
    client.health().await.expect_err("it is not healthy");
    assert!(!client.ready().await.expect("answered"));
    assert!(!client.doctor().await.is_good());
    assert_eq!(server.requests().len(), 3);
}

/// It may ask for no wait at all.
#[tokio::test]
async fn a_server_under_maintenance_is_asked_once_a_second_at_most() {
    let maintenance = refusal(503).header("prefect-maintenance", "true");
    let maintenance = maintenance.header("retry-after", "0");
    let (result, _, waits) = run(failing(5, maintenance), RetryPolicy::default()).await;
    result.expect("it is back");
    assert_eq!(waits, [1.0; 5]);
}

#[tokio::test]
async fn no_wait_goes_beyond_the_deadline() {
    let policy = RetryPolicy::default().deadline(Duration::from_secs(7));
    let (result, requests, waits) = run([refusal(503)], policy).await;
    assert_eq!(result.expect_err("over").attempts(), 3);
    assert_eq!((requests, waits), (3, vec![2.0, 4.0]));
}

/// The program's own code counts as well.
#[tokio::test]
async fn the_deadline_ends_an_interceptor_too() {
    struct Endless;

    impl Interceptor for Endless {
        fn intercept<'a>(
            &'a self,
            _: &'a mut prefect_sdk::reqwest::Request,
        ) -> BoxFuture<'a, Result<(), Box<dyn std::error::Error + Send + Sync>>> {
            Box::pin(std::future::pending())
        }
    }

    let policy = RetryPolicy::default().deadline(Duration::from_millis(50));
    let server = Scripted::start([flow()]).await;
    let client = server.builder().retry(policy).interceptor(Endless).build();
    let client = client.expect("a client");
    let created = tokio::time::timeout(Duration::from_secs(60), create(&client)).await;
    let error = created.expect("in time").expect_err("too late");
    assert!(error.is_timeout() && !error.may_have_happened(), "{error}");
    assert!(server.requests().is_empty());
}

/// A reply that breaks off before it has begun is requested again, as any reply.
#[tokio::test]
async fn a_stream_is_retried_until_it_has_begun() {
    let broken = Step::Half(Box::new(Step::Reply(200, Vec::new(), "ab".to_owned())));
    let whole = Step::Reply(
        200,
        vec![("content-type", "text/csv".to_owned())],
        "a,b".to_owned(),
    );
    let server = Scripted::start([Step::Drop, refusal(503), broken.clone(), whole.clone()]).await;
    let client = server.client();
    let csv = client.flow_runs().download_logs(Uuid::new_v4());
    let csv = csv.await.expect("begun").try_collect().await;
    assert_eq!(csv.expect("complete"), b"a,b");
    assert_eq!(server.requests().len(), 4);

    let later = Step::Half(Box::new(Step::Reply(200, Vec::new(), "a,b,c".to_owned())));
    let server = Scripted::start([broken, later, whole]).await;
    let client = server.client();
    let inputs = client.flow_runs().inputs(Uuid::new_v4());
    assert_eq!(inputs.get("key").await.expect("read"), "a,b");
}

#[tokio::test]
async fn the_deadline_ends_an_attempt_too() {
    let server = Scripted::start([Step::Hang]).await;
    let policy = RetryPolicy::default().deadline(Duration::from_millis(50));
    let client = server.builder().retry(policy).build().expect("a client");
    let begun = Instant::now();
    let error = create(&client).await.expect_err("no reply");
    assert!(error.is_timeout(), "{error}");
    assert!(
        begun.elapsed() < BUSY_TIMEOUT,
        "not by the client's own timeout"
    );
}

#[tokio::test]
async fn a_policy_can_be_for_one_call() {
    let server = Scripted::start([refusal(503), refusal(503), flow()]).await;
    let client = server.client();
    create(&client.with_retry(RetryPolicy::none()))
        .await
        .expect_err("not repeated");
    create(&client).await.expect("repeated");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_request_that_cannot_be_built_is_not_repeated() {
    let server = Scripted::start([flow()]).await;
    let (client, clock) = patient(&server, RetryPolicy::default());
    let error = client
        .raw()
        .read_flow_by_name("..")
        .await
        .expect_err("resolves elsewhere");
    assert!(error.is_invalid_request() && error.attempts() == 0);
    assert!(server.requests().is_empty() && clock.waits().is_empty());
}

#[tokio::test]
async fn a_first_connection_that_is_refused_fails_at_once() {
    let clock = FakeClock::default();
    let client = Client::builder()
        .api_url("http://127.0.0.1:1/api")
        .clock(clock.clone())
        .build()
        .expect("a client");
    let error = create(&client).await.expect_err("nobody listens");
    assert!(error.is_connection() && error.attempts() <= 1, "{error:?}");
    assert!(!error.may_have_happened() && error.is_retryable());
    assert!(clock.waits().is_empty());
}

#[tokio::test]
async fn a_refused_connection_is_repeated_once_the_server_was_reached() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("bound");
    let clock = FakeClock::default();
    let client = crate::support::plain(&format!("http://{address}/api"))
        .clock(clock.clone())
        .build()
        .expect("a client");
    let first = create(&client);
    let serve = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        crate::support::http::Message::read(&mut stream)
            .await
            .expect("a request");
        crate::support::answer(&mut stream, &flow()).await;
    };
    let (first, ()) = tokio::join!(first, serve);
    first.expect("reached");
    drop(listener);
    let error = create(&client).await.expect_err("nobody listens any more");
    assert_eq!((error.attempts(), clock.waits().len()), (6, 5));
    // Even a call that is not idempotent is retried, because no attempt was sent.
    let taken = client
        .concurrency_limits()
        .increment(["db"], Uuid::new_v4())
        .await;
    let error = taken.expect_err("nobody listens");
    assert!(
        error.attempts() == 6 && !error.may_have_happened(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_status_that_says_no_is_not_repeated() {
    for status in [400, 401, 403, 404, 409, 422, 423, 500, 504] {
        let (result, requests, _) = run([reply(status, json!({}))], RetryPolicy::default()).await;
        let error = result.expect_err("no success");
        assert_eq!(
            (requests, error.status().expect("a reply").as_u16()),
            (1, status)
        );
        assert_eq!(error.may_have_happened(), status >= 500, "{status}");
    }
}

#[tokio::test]
async fn connections_are_retried_through_a_proxy_as_well() {
    let server = Scripted::start([flow()]).await;
    let proxy = ForwardProxy::start().await;
    let url = format!("http://{}", proxy.address);
    let client = server.builder().proxy(url).build().expect("a client");
    create(&client).await.expect("through the proxy");
    proxy.stop();
    let error = create(&client).await.expect_err("no proxy any more");
    assert!(error.is_connection() && error.attempts() == 6, "{error:?}");
}
