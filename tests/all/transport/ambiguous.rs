//! Ambiguous attempts: whether a call that failed may have happened, and what is done about it.

use std::time::Duration;

use prefect_sdk::ErrorKind;
use prefect_sdk::types::{
    BulkDecrementActiveSlotsWithLeaseRequest, FlowRunCreate, LogCreate, SetFlowRunStateRequest,
    SetStateStatus, StateCreate, StateType, VariableCreate,
};
use serde_json::json;
use uuid::Uuid;

use crate::support::{BUSY_TIMEOUT, Scripted, Step, refusal, reply};

/// Prefect's own client also repeats requests that are not idempotent, and so creates runs twice.
#[tokio::test]
async fn an_ambiguous_attempt_is_not_repeated_unless_idempotent() {
    for step in [
        Step::Drop,
        Step::Half(Box::new(reply(200, json!([])))),
        reply(408, json!({})),
        reply(502, json!({})),
        // Not in Prefect's format: it comes from a gateway, which may have lost the server's reply.
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
async fn a_failed_read_is_never_ambiguous() {
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

/// A gateway that reloads answers in place of the server, and knows nothing about its objects.
#[tokio::test]
async fn a_404_of_a_gateway_does_not_prove_a_deletion() {
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

/// The server answers 503 when its database was locked, or was lost in the middle of the request.
#[tokio::test]
async fn a_conflict_after_a_503_may_be_our_own_object() {
    let now = chrono::Utc::now() + chrono::TimeDelta::seconds(1);
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

/// The first request may still be running, and the second would not notice it.
#[tokio::test]
async fn slots_are_not_given_back_again_when_the_reply_is_late() {
    let soon = Duration::from_millis(50);
    for (step, timeout, attempts) in [(Step::Hang, soon, 1), (Step::Drop, BUSY_TIMEOUT, 6)] {
        let server = Scripted::start([step]).await;
        let client = server.client().with_timeout(timeout);
        let give = BulkDecrementActiveSlotsWithLeaseRequest::new(Uuid::new_v4());
        let given = client
            .raw()
            .bulk_decrement_active_slots_with_lease(&give)
            .await;
        assert_eq!(given.expect_err("no reply").attempts(), attempts);
    }
}

/// The first request was still in flight while the states were read, and the repetition arrived second.
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
        // If the caller itself repeats an old transition, the server's answer is returned.
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
