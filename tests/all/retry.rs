//! Repeating: how often, when, and what not.

use std::time::{Duration, Instant};

use prefect_sdk::reqwest::StatusCode;
use prefect_sdk::types::{
    BulkDecrementActiveSlotsWithLeaseRequest, FlowCreate, FlowRunCreate, LogCreate,
    SetFlowRunStateRequest, SetStateStatus, StateCreate, StateType, VariableCreate,
};
use prefect_sdk::{Client, Error, ErrorKind, RetryPolicy};
use serde_json::json;
use uuid::Uuid;

use crate::support::{FakeClock, ForwardProxy, Scripted, Step, refusal, reply};

fn flow() -> Step {
    let id = Uuid::new_v4();
    reply(
        200,
        json!({"id": id, "created": null, "updated": null, "name": "etl"}),
    )
}

/// Creates a flow, which is an upsert and can be repeated.
async fn create(client: &Client) -> Result<(), Error> {
    let created = client.raw().create_flow(&FlowCreate::new("etl")).await;
    created.map(drop)
}

/// A client whose waits are not random, and the clock that notes them down.
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

/// Prefect's client also repeats what is not idempotent; that is how its runs come twice.
#[tokio::test]
async fn what_may_have_been_done_is_not_repeated_if_twice_is_more_than_once() {
    for step in [
        Step::Drop,
        Step::Half(Box::new(reply(200, json!([])))),
        reply(408, json!({})),
        reply(502, json!({})),
        // Not of Prefect's form: a gateway's, which may have lost the reply.
        reply(503, json!({"message": "no healthy upstream"})),
    ] {
        let server = Scripted::start([step]).await;
        let client = server.client();
        let limits = client.concurrency_limits();
        let taken = limits.increment(["db"], Uuid::new_v4()).await;
        let error = taken.expect_err("not repeated");
        assert_eq!(
            (server.requests().len(), error.attempts()),
            (1, 1),
            "{error}"
        );
        assert!(
            error.may_have_happened() && !error.is_retryable(),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn what_the_server_did_not_do_is_repeated_whatever_it_is() {
    for step in [reply(429, json!({})), refusal(503)] {
        let server = Scripted::start([step, reply(200, json!([]))]).await;
        let client = server.client();
        let limits = client.concurrency_limits();
        let taken = limits.increment(["db"], Uuid::new_v4()).await;
        taken.expect("the second succeeds");
    }
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
    let client = server.builder().timeout(Duration::from_millis(50));
    create(&client.build().expect("a client"))
        .await
        .expect("the third succeeds");
    assert_eq!(server.requests().len(), 3);
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
    // A wait of 0 s is none.
    assert_eq!(waits, [5.0, 10.0, 2.0]);
}

#[tokio::test]
async fn junk_in_retry_after_is_ignored_and_a_date_is_not() {
    let soon = (chrono::Utc::now() + chrono::TimeDelta::seconds(30)).to_rfc2822();
    let asking = |value: &str| refusal(503).header("retry-after", value);
    let steps = [
        asking("soon"),
        asking("inf"),
        asking("-3"),
        asking(&soon),
        flow(),
    ];
    let (result, _, waits) = run(steps, RetryPolicy::default()).await;
    result.expect("the fifth succeeds");
    assert_eq!(waits[..2], [2.0, 4.0]);
    assert!((28.0..=30.0).contains(&waits[2]), "{waits:?}");
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
async fn no_wait_goes_beyond_the_deadline() {
    let policy = RetryPolicy::default().deadline(Duration::from_secs(7));
    let (result, requests, waits) = run([refusal(503)], policy).await;
    assert_eq!(result.expect_err("over").attempts(), 3);
    assert_eq!((requests, waits), (3, vec![2.0, 4.0]));
}

#[tokio::test]
async fn the_deadline_ends_an_attempt_too() {
    let server = Scripted::start([Step::Hang]).await;
    let policy = RetryPolicy::default().deadline(Duration::from_millis(50));
    let client = server.builder().retry(policy).build().expect("a client");
    let begun = Instant::now();
    let error = create(&client).await.expect_err("no reply");
    assert!(error.is_timeout(), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10));
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
    // Even what may not be done twice is sent again: none of these was sent.
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
async fn reading_never_may_have_happened() {
    let server = Scripted::start([Step::Drop]).await;
    let id = Uuid::new_v4();
    let error = server
        .client()
        .raw()
        .read_flow(&id)
        .await
        .expect_err("no reply");
    assert!(
        !error.may_have_happened() && error.is_retryable(),
        "{error:?}"
    );
}

#[tokio::test]
async fn calling_again_is_safe_only_with_a_key_of_ones_own() {
    for (key, retryable) in [(None, false), (Some("mine"), true)] {
        let server = Scripted::start([Step::Drop]).await;
        let mut run = FlowRunCreate::new(Uuid::new_v4());
        if let Some(key) = key {
            run = run.idempotency_key(key.to_owned());
        }
        let error = server
            .client()
            .raw()
            .create_flow_run(&run)
            .await
            .expect_err("no reply");
        assert_eq!(error.attempts(), 6);
        assert!(error.may_have_happened());
        assert_eq!(error.is_retryable(), retryable);
        assert_eq!(error.kind(), ErrorKind::Connection);
    }
}

/// A gateway that reloads answers for the server, and knows of no object.
#[tokio::test]
async fn a_404_of_a_gateways_is_no_word_of_what_was_deleted() {
    let gone = json!({"detail": "Flow not found"});
    let gateways = [
        json!({"message": "no Route matched"}),
        json!({"detail": "Not Found"}),
    ];
    for (body, deleted) in [(gone, true)]
        .into_iter()
        .chain(gateways.map(|body| (body, false)))
    {
        let server = Scripted::start([reply(502, json!({})), reply(404, body)]).await;
        let result = server.client().raw().delete_flow(&Uuid::new_v4()).await;
        match result {
            Ok(reply) => assert!(deleted && reply.status().as_u16() == 204),
            Err(error) => assert!(!deleted && error.may_have_happened(), "{error:?}"),
        }
    }
}

/// The server answers so when its database was locked, or lost in the middle.
#[tokio::test]
async fn after_a_refusal_of_the_servers_a_name_that_is_taken_may_be_ours() {
    let now = chrono::Utc::now();
    let variable = |value: &str| {
        reply(
            200,
            json!({"id": Uuid::new_v4(), "created": now, "updated": now,
                          "name": "v", "value": value, "tags": []}),
        )
    };
    for (found, ours) in [("mine", true), ("theirs", false)] {
        let steps = [refusal(503), refusal(409), variable(found)];
        let server = Scripted::start(steps).await;
        let body = VariableCreate::new("v", "mine");
        let created = server.client().raw().create_variable(&body).await;
        assert_eq!(created.is_ok(), ours, "{found}");
        assert!(created.err().is_none_or(|error| error.is_conflict()));
    }
}

#[tokio::test]
async fn what_is_done_in_parts_is_not_repeated_even_if_the_server_refused_it() {
    let server = Scripted::start([refusal(503)]).await;
    let line = LogCreate::new("test", 20, "once", chrono::Utc::now());
    let error = server.client().raw().create_logs(&vec![line]).await;
    let error = error.expect_err("not repeated");
    assert!(
        error.may_have_happened() && error.attempts() == 1,
        "{error:?}"
    );
}

/// The first may still be at work, and the second would not see it.
#[tokio::test]
async fn slots_are_not_given_back_again_when_the_reply_is_late() {
    for (step, attempts) in [(Step::Hang, 1), (Step::Drop, 6)] {
        let server = Scripted::start([step]).await;
        let builder = server.builder().timeout(Duration::from_millis(50));
        let client = builder.build().expect("a client");
        let give = BulkDecrementActiveSlotsWithLeaseRequest::new(Uuid::new_v4());
        let given = client
            .raw()
            .bulk_decrement_active_slots_with_lease(&give)
            .await;
        assert_eq!(given.expect_err("no reply").attempts(), attempts);
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

/// It was on its way while the states were read, and the repetition came second.
#[tokio::test]
async fn a_transition_that_was_made_already_is_accepted() {
    let rejected = reply(
        200,
        json!({
            "state": {"type": "RUNNING", "id": Uuid::new_v4()}, "status": "REJECT",
            "details": {"type": "reject_details",
                        "reason": "This run has already made this state transition."},
        }),
    );
    for (steps, status) in [
        (
            vec![Step::Drop, reply(200, json!([])), rejected.clone()],
            SetStateStatus::Accept,
        ),
        // The caller's own repetition of what is long done is the server's to answer.
        (vec![rejected], SetStateStatus::Reject),
    ] {
        let server = Scripted::start(steps).await;
        let state = SetFlowRunStateRequest::new(StateCreate::new(StateType::Running));
        let client = server.client();
        let result = client
            .raw()
            .set_flow_run_state(&Uuid::new_v4(), &state)
            .await;
        assert_eq!(result.expect("answered").status, status);
    }
}
