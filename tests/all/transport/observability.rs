//! Spans, events and hooks.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use prefect_sdk::{
    ErrorKind, RetryPolicy,
    client::{Attempt, Interceptor},
    reqwest,
};
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use uuid::Uuid;

use crate::support::{Scripted, Step, flow, refusal, reply, subscribe};

type Fields = BTreeMap<&'static str, String>;

/// Records the SDK's spans and events, with their fields.
#[derive(Clone, Default)]
struct Recorder {
    spans: Arc<Mutex<BTreeMap<u64, Fields>>>,
    events: Arc<Mutex<Vec<Fields>>>,
}

struct Visitor<'a>(&'a mut Fields);

impl Visit for Visitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        if attributes.metadata().target().starts_with("prefect_sdk") {
            let mut fields = Fields::from([("span", attributes.metadata().name().to_owned())]);
            attributes.record(&mut Visitor(&mut fields));
            self.spans
                .lock()
                .expect("not poisoned")
                .insert(id.into_u64(), fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut spans = self.spans.lock().expect("not poisoned");
        if let Some(fields) = spans.get_mut(&id.into_u64()) {
            values.record(&mut Visitor(fields));
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        if event.metadata().target().starts_with("prefect_sdk") {
            let mut fields = Fields::from([("level", event.metadata().level().to_string())]);
            event.record(&mut Visitor(&mut fields));
            let span = context.event_span(event).map(|span| span.name());
            fields.insert("span", span.unwrap_or_default().to_owned());
            self.events.lock().expect("not poisoned").push(fields);
        }
    }
}

fn has(fields: &Fields, expected: &[(&'static str, &str)]) {
    for (name, value) in expected {
        assert_eq!(
            fields.get(name).map(String::as_str),
            Some(*value),
            "{name}: {fields:?}"
        );
    }
}

#[tokio::test]
async fn a_call_is_one_span_and_an_attempt_one_event_with_the_names_of_opentelemetry() {
    let recorder = Recorder::default();
    let subscriber = tracing_subscriber::registry().with(recorder.clone());
    let _guard = subscribe(subscriber);

    let server = Scripted::start([refusal(503), Step::Drop, flow()]).await;
    let id = Uuid::new_v4();
    server
        .client()
        .raw()
        .read_flow(&id)
        .await
        .expect("the third succeeds");

    let spans = recorder.spans.lock().expect("not poisoned");
    let [span] = spans.values().collect::<Vec<_>>()[..] else {
        panic!("one span: {spans:?}");
    };
    let port = server.url.split([':', '/']).nth(4).expect("a port");
    has(
        span,
        &[
            ("span", "prefect.call"),
            ("otel.name", "GET /flows/{id}"),
            ("otel.kind", "client"),
            ("prefect.operation", "read_flow"),
            ("http.request.method", "GET"),
            ("url.template", "/flows/{id}"),
            ("url.full", &format!("{}/flows/{id}", server.url)),
            ("server.address", "127.0.0.1"),
            ("server.port", port),
            ("http.response.status_code", "200"),
            ("http.request.resend_count", "2"),
        ],
    );
    assert!(!span.contains_key("error.type"), "{span:?}");

    let events = recorder.events.lock().expect("not poisoned");
    let [refused, broken, answered] = &events[..] else {
        panic!("three events: {events:?}");
    };
    has(
        refused,
        &[
            ("level", "WARN"),
            ("span", "prefect.call"),
            ("error.type", "503"),
        ],
    );
    has(
        refused,
        &[
            ("http.response.status_code", "503"),
            ("http.request.resend_count", "0"),
        ],
    );
    has(broken, &[("level", "WARN"), ("error.type", "Connection")]);
    has(
        answered,
        &[("level", "DEBUG"), ("http.request.resend_count", "2")],
    );
}

#[tokio::test]
async fn a_failed_call_says_so_in_its_span() {
    let recorder = Recorder::default();
    let subscriber = tracing_subscriber::registry().with(recorder.clone());
    let _guard = subscribe(subscriber);
    let server = Scripted::start([refusal(404), reply(200, json!(5))]).await;
    let client = server.client();
    for _ in 0..2 {
        client
            .raw()
            .read_flow(&Uuid::new_v4())
            .await
            .expect_err("no flow");
    }
    let spans = recorder.spans.lock().expect("not poisoned");
    let spans: Vec<_> = spans.values().collect();
    has(
        spans[0],
        &[("otel.status_code", "ERROR"), ("error.type", "404")],
    );
    has(
        spans[1],
        &[("otel.status_code", "ERROR"), ("error.type", "Decode")],
    );
}

#[tokio::test]
async fn an_observer_is_told_of_each_attempt() {
    let server = Scripted::start([refusal(503), flow()]).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let builder = server.builder().observer(move |attempt: &Attempt<'_>| {
        notes.lock().expect("not poisoned").push((
            attempt.operation(),
            format!("{} {}", attempt.method(), attempt.path_template()),
            attempt.number(),
            attempt.status().map(|status| status.as_u16()),
            attempt.error(),
            attempt.retry_in().is_some(),
        ));
    });
    let client = builder.build().expect("a client");
    client.raw().read_flow(&Uuid::new_v4()).await.expect("read");
    let template = "GET /flows/{id}".to_owned();
    let refused = Some(ErrorKind::Server);
    assert_eq!(
        *seen.lock().expect("not poisoned"),
        [
            ("read_flow", template.clone(), 1, Some(503), refused, true),
            ("read_flow", template, 2, Some(200), None, false),
        ]
    );
}

/// A token that differs each time, and takes a moment to get.
struct Token(Mutex<u32>);

impl Interceptor for Token {
    fn intercept<'a>(
        &'a self,
        request: &'a mut reqwest::Request,
    ) -> BoxFuture<'a, Result<(), Box<dyn std::error::Error + Send + Sync>>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let mut number = self.0.lock().expect("not poisoned");
            *number += 1;
            let token = format!("Token {number}").parse()?;
            request.headers_mut().insert("authorization", token);
            Ok(())
        })
    }
}

#[tokio::test]
async fn an_interceptor_is_asked_before_each_attempt() {
    let server = Scripted::start([refusal(503), flow()]).await;
    let builder = server
        .builder()
        .api_key("pnu_1")
        .interceptor(Token(Mutex::new(0)));
    let client = builder.build().expect("a client");
    client.raw().read_flow(&Uuid::new_v4()).await.expect("read");
    let requests = server.requests();
    let tokens: Vec<_> = requests
        .iter()
        .map(|request| request.header("authorization"))
        .collect();
    assert_eq!(tokens, [Some("Token 1"), Some("Token 2")]);
}

#[tokio::test]
async fn an_interceptor_that_fails_ends_the_call_before_anything_is_sent() {
    let server = Scripted::start([flow()]).await;
    let fails = |_: &mut reqwest::Request| Err::<(), _>(std::fmt::Error);
    let client = server
        .builder()
        .interceptor(fails)
        .build()
        .expect("a client");
    let error = client
        .raw()
        .read_flow(&Uuid::new_v4())
        .await
        .expect_err("refused");
    assert!(
        error.is_invalid_request() && !error.may_have_happened(),
        "{error:?}"
    );
    assert!(std::error::Error::source(&error).is_some());
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn futures_of_calls_can_be_spawned() {
    fn spawnable<T: Send>(future: T) -> T {
        future
    }
    let server = Scripted::start([flow()]).await;
    let client = server.client().with_retry(RetryPolicy::none());
    let id = Uuid::new_v4();
    spawnable(client.raw().read_flow(&id)).await.expect("read");
}
