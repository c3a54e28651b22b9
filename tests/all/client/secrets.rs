//! Recognisable secrets are fed in everywhere, and come out nowhere.

use prefect_sdk::types::{BlockDocumentCreate, VariableCreate};
use prefect_sdk::{Client, Error, RetryPolicy, client::Attempt, reqwest, settings::Sources};
use serde_json::json;
use uuid::Uuid;

use crate::support::{FakeClock, ForwardProxy, Log, Scripted, Step, reply, subscribe};

/// Notes an error as programs print it, with its sources.
fn note_error(log: &Log, error: &Error) {
    log.note(format!("{error} {error:?} {error:#?} {:?}", error.url()));
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        log.note(format!("{error} {error:?}"));
        source = error.source();
    }
}

/// Asserts that the text contains no secret, neither plain nor as Base64.
fn assert_hidden(text: &str) {
    for (secret, encoded) in [
        ("hunter2", "aHVudGVyMg"),
        ("admin:hunter2", "YWRtaW46aHVudGVyMg"),
    ] {
        for form in [secret, encoded] {
            let found = text.find(form).map(|at| &text[at.saturating_sub(200)..]);
            assert!(
                found.is_none(),
                "{form} is in …{}",
                found.unwrap_or_default()
            );
        }
    }
}

/// A reply that echoes the request with the secret in it.
fn echoing(status: u16) -> Step {
    let body = json!({
        "exception_message": "Invalid request received.",
        "exception_detail": [{"loc": ["body", "data"], "msg": "bad", "type": "x", "input": "hunter2"}],
        "request_body": {"data": {"password": "hunter2"}},
    });
    reply(status, body).header("set-cookie", "session=hunter2")
}

#[tokio::test]
async fn nothing_secret_is_printed_logged_or_put_into_an_error() {
    let written = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(written.clone())
        .finish();
    let _guard = subscribe(subscriber);

    let now = chrono::Utc::now();
    let token = reply(
        200,
        json!({
            "id": Uuid::new_v4(), "created": now, "updated": now, "client": "c",
            "token": "hunter2-csrf", "expiration": now + chrono::TimeDelta::hours(1),
        }),
    );
    let page = Step::Reply(
        200,
        vec![("content-type", "text/html".to_owned())],
        "hunter2".to_owned(),
    );
    let steps = [
        token,
        echoing(422),
        echoing(503),
        echoing(500),
        page,
        Step::Drop,
        reply(200, json!({"name": "hunter2"})),
        reply(400, json!("hunter2")),
    ];
    let server = Scripted::start(steps).await;
    let proxy = ForwardProxy::start().await;
    let sources = Sources::empty()
        .variable("PREFECT_API_URL", &server.url)
        .variable("PREFECT_API_KEY", "hunter2-key")
        .variable("PREFECT_API_AUTH_STRING", "admin:hunter2")
        .variable(
            "PREFECT_CLIENT_CUSTOM_HEADERS",
            r#"{"X-Token": "hunter2-header"}"#,
        );
    let settings = sources.load().expect("settings");
    let attempts = written.clone();
    let builder = settings
        .client_builder()
        .proxy(format!("http://joe:hunter2@{}", proxy.address))
        .version_check(false)
        .retry(RetryPolicy::default().attempts(2))
        .clock(FakeClock::default())
        .interceptor(|request: &mut reqwest::Request| {
            let secret = "hunter2-interceptor".parse()?;
            request.headers_mut().insert("x-intercepted", secret);
            Ok::<_, reqwest::header::InvalidHeaderValue>(())
        })
        .observer(move |attempt: &Attempt<'_>| attempts.note(format!("{attempt:?}")));
    written.note(format!(
        "{sources:?} {settings} {settings:?} {builder:?} {builder:#?}"
    ));
    let client = builder.build().expect("a client");
    written.note(format!(
        "{client:?} {:?} {:?}",
        client.raw(),
        client.concurrency_limits()
    ));

    let block = BlockDocumentCreate::new(Uuid::new_v4(), Uuid::new_v4())
        .data(json!({"password": "hunter2"}));
    let variable = VariableCreate::new("v", "hunter2");
    for _ in 0..3 {
        let block = client.raw().create_block_document(&block).await;
        note_error(&written, &block.expect_err("no success"));
        let variable = client.raw().create_variable(&variable).await;
        note_error(&written, &variable.expect_err("no success"));
    }
    let requests = server.requests();
    assert!(
        requests
            .iter()
            .any(|request| request.head.contains("hunter2-csrf"))
    );
    assert!(
        requests
            .iter()
            .all(|request| request.head.contains("hunter2-interceptor"))
    );
    let text = written.text();
    assert!(
        text.contains("create_block_document") && text.contains("prefect.call"),
        "{text}"
    );
    assert_hidden(&text);
}

#[test]
fn what_is_configured_wrongly_is_not_repeated() {
    let written = Log::default();
    let builder = || Client::builder().api_url("http://h/api");
    for builder in [
        Client::builder().api_url("http://joe:hunter2@h/api"),
        Client::builder().api_url("http://h/api?token=hunter2"),
        builder().api_key("hunter2\n."),
        builder()
            .auth_string("admin:hunter2")
            .header("X-A", "hunter2\n."),
        builder().header("User-Agent", "hunter2"),
        builder().proxy("ftp://joe:hunter2@[h"),
    ] {
        written.note(format!("{builder:?}"));
        note_error(&written, &builder.build().expect_err("configured wrongly"));
    }
    for (name, value) in [
        ("PREFECT_CLIENT_CUSTOM_HEADERS", r#"{"X-A": ["hunter2"]}"#),
        ("PREFECT_API_REQUEST_TIMEOUT", "hunter2"),
    ] {
        let sources = Sources::empty().variable(name, value);
        note_error(&written, &sources.load().expect_err("configured wrongly"));
    }
    assert_hidden(&written.text());
}
