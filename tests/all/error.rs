//! Failures become errors that a user can match on.

use std::time::Duration;

use prefect_sdk::types::{ConcurrencyLimitV2Create, FlowRunCreate};
use prefect_sdk::{Client, Error, ErrorKind};
use serde_json::json;
use uuid::Uuid;
use wiremock::ResponseTemplate;

use crate::support::{Scripted, Step, answering, live, reply, unique};

/// The error from creating a limit on a server that gives this reply.
async fn failure(reply: ResponseTemplate) -> Error {
    let (client, _server) = answering(reply).await;
    let error = client
        .concurrency_limits()
        .create("tag", 1)
        .await
        .expect_err("must fail");
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    error
}

#[tokio::test]
async fn all_three_forms_of_422_give_their_message_and_never_the_request() {
    let exception = json!({
        "exception_message": "Invalid request received.",
        "exception_detail": [{"loc": ["body", "tag"], "msg": "Field\nrequired", "type": "missing", "input": "hunter2"}],
        "request_body": {"password": "hunter2"},
    });
    let text = json!({"detail": "Tags may not be so"});
    let list =
        json!({"detail": [{"loc": ["body", "tag"], "msg": "Field required", "type": "missing"}]});
    for (body, message, issues) in [
        (
            exception,
            "Invalid request received. body.tag: Field required",
            1,
        ),
        (text, "Tags may not be so", 0),
        (list, "body.tag: Field required", 1),
    ] {
        let error = failure(ResponseTemplate::new(422).set_body_json(body)).await;
        assert!(error.is_validation());
        assert_eq!(error.message(), message);
        assert_eq!(error.issues().len(), issues);
        assert_eq!(
            error.to_string(),
            format!("create_concurrency_limit: 422 Unprocessable Entity: {message}")
        );
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn each_status_is_a_kind_of_its_own() {
    for (status, kind) in [
        (400, ErrorKind::Status),
        (401, ErrorKind::Unauthorized),
        (403, ErrorKind::Forbidden),
        (404, ErrorKind::NotFound),
        (409, ErrorKind::Conflict),
        (410, ErrorKind::Gone),
        (423, ErrorKind::Locked),
        (500, ErrorKind::Server),
    ] {
        let reply =
            ResponseTemplate::new(status).set_body_json(json!({"exception_message": "why"}));
        let error = failure(reply).await;
        assert_eq!((error.kind(), error.message()), (kind, "why"), "{status}");
        assert_eq!(error.status().expect("a reply").as_u16(), status);
    }
}

#[tokio::test]
async fn a_423_says_when_to_retry_or_that_retrying_is_pointless() {
    let locked = ResponseTemplate::new(423).set_body_json(json!({"detail": "full"}));
    let error = failure(
        locked
            .clone()
            .insert_header("retry-after", "1.6565398824838538"),
    )
    .await;
    assert_eq!(
        error.retry_after(),
        Some(Duration::from_nanos(1_656_539_882))
    );
    assert!(!error.is_permanently_locked());
    assert!(failure(locked).await.is_permanently_locked());
}

#[tokio::test]
async fn a_login_page_with_200_is_an_error() {
    let page = ResponseTemplate::new(200).set_body_raw("<html>Please log in</html>", "text/html");
    let error = failure(page).await;
    assert_eq!(error.kind(), ErrorKind::UnexpectedBody);
    assert_eq!(error.body(), b"<html>Please log in</html>");
}

#[tokio::test]
async fn a_login_page_is_no_success_of_a_delete_and_no_log_either() {
    let page = ResponseTemplate::new(200).set_body_raw("<html>Please log in</html>", "text/html");
    let (client, _server) = answering(page).await;
    let id = Uuid::new_v4();
    let deleted = client
        .raw()
        .delete_flow_run(&id)
        .await
        .expect_err("nothing was deleted");
    assert_eq!(deleted.kind(), ErrorKind::UnexpectedBody);
    let log = client.raw().download_logs(&id).await.expect_err("no CSV");
    assert_eq!(log.kind(), ErrorKind::UnexpectedBody);
}

#[tokio::test]
async fn a_reply_that_does_not_fit_names_the_place() {
    let id = Uuid::new_v4();
    let body = json!({"id": id, "tag": "t", "concurrency_limit": 1, "active_slots": ["no uuid"]});
    let error = failure(ResponseTemplate::new(200).set_body_json(body)).await;
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.message().contains("`active_slots[0]`"), "{error}");
}

#[tokio::test]
async fn a_failure_without_a_reason_still_reads_well() {
    let error =
        failure(ResponseTemplate::new(502).set_body_raw("<html>Bad gateway</html>", "text/html"))
            .await;
    assert!(
        error
            .to_string()
            .contains("502 Bad Gateway: the reply is not a Prefect server's"),
        "{error}"
    );
    let error = failure(ResponseTemplate::new(500)).await;
    assert!(
        error.to_string().ends_with("the server gave no reason"),
        "{error}"
    );
}

#[tokio::test]
async fn a_refused_connection_names_operation_and_url() {
    let client = Client::builder()
        .api_url("http://127.0.0.1:1/api")
        .build()
        .expect("a client");
    let error = client
        .concurrency_limits()
        .create("tag", 1)
        .await
        .expect_err("nobody listens");
    assert!(error.is_connection(), "{error}");
    assert_eq!(error.operation(), Some("create_concurrency_limit"));
    assert_eq!(
        error.url().expect("known").as_str(),
        "http://127.0.0.1:1/api/concurrency_limits/"
    );
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn a_real_server_refuses_with_the_same_errors() {
    let client = live().await;
    let name = unique("real");
    let create = |limit| ConcurrencyLimitV2Create::new(&name, limit);
    let invalid = client
        .raw()
        .create_concurrency_limit_v2(&create(-1))
        .await
        .expect_err("negative");
    assert!(invalid.is_validation(), "{invalid}");
    assert_eq!(invalid.issues()[0].location, "body.limit");
    client
        .raw()
        .create_concurrency_limit_v2(&create(1))
        .await
        .expect("created");
    let conflict = client
        .raw()
        .create_concurrency_limit_v2(&create(1))
        .await
        .expect_err("twice");
    assert!(conflict.is_conflict(), "{conflict}");
    let missing = client
        .raw()
        .create_flow_run(&FlowRunCreate::new(Uuid::new_v4()))
        .await;
    let missing = missing.expect_err("no such flow");
    assert!(missing.status().is_some(), "{missing}");
}

/// The message of Prefect's own client contains the whole body, and that of a validation error echoes the
/// request, secrets included. Ours contains only the server's reason; the body is available separately.
#[tokio::test]
async fn a_failure_exposes_status_url_and_body_and_prints_one_line() {
    let body = json!({"exception_message": "first\nsecond", "request_body": {"key": "hunter2"}});
    let error = failure(ResponseTemplate::new(400).set_body_json(&body)).await;
    assert_eq!(error.status().expect("a reply").as_u16(), 400);
    assert!(
        error
            .url()
            .expect("a URL")
            .path()
            .ends_with("/concurrency_limits/")
    );
    let read: serde_json::Value = serde_json::from_slice(error.body()).expect("JSON");
    assert_eq!(read, body);
    let said = error.to_string();
    assert!(
        said.contains("first second") && !said.contains("hunter2"),
        "{said}"
    );
}

/// Gateways send those; every 404 of Prefect's says what is not found.
#[tokio::test]
async fn an_empty_404_says_nothing_about_the_object() {
    let empty = Step::Reply(404, Vec::new(), String::new());
    let server = Scripted::start([empty.clone()]).await;
    let flow = server.client().flows().get_opt(Uuid::new_v4()).await;
    assert!(flow.expect_err("it is not known").is_unsupported());

    // And so it does not end a wait. (Some of these answer the request for a WebSocket.)
    let id = Uuid::new_v4();
    let run = json!([{ "id": id, "flow_id": Uuid::nil(), "created": null, "updated": null,
                       "state_type": "COMPLETED" }]);
    let server = Scripted::start([empty.clone(), empty.clone(), empty, reply(200, run)]).await;
    let client = server.client();
    let wait = client.flow_runs().wait(id).timeout(Duration::from_secs(60));
    assert_eq!(wait.await.expect("it has ended").id, id);
}

/// A gateway may answer with any file.
#[tokio::test]
async fn the_body_of_an_error_is_kept_up_to_8_mebibytes() {
    let page = "x".repeat(9 << 20);
    let server = Scripted::start([Step::Reply(500, Vec::new(), page)]).await;
    let client = server.builder().retry(prefect_sdk::RetryPolicy::none());
    let client = client.build().expect("a client");
    let error = client.flows().get(Uuid::new_v4()).await;
    assert_eq!(error.expect_err("500").body().len(), 8 << 20);
}
