//! Recorded exchanges.

use std::collections::BTreeMap;

use prefect_sdk::{Client, RetryPolicy};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::compare::{Document, Place};
use crate::judge;
use crate::recording::{lines, paths};
use crate::table::{Body, Operation, operation};

#[derive(Deserialize)]
pub struct Exchange {
    op: Option<String>,
    method: String,
    path: String,
    /// Without the question mark.
    #[serde(default)]
    query: Option<String>,
    template: Option<String>,
    /// -1 if the connection failed.
    status: i32,
    request_kind: Option<String>,
    response_kind: Option<String>,
    request: Option<Box<RawValue>>,
    response: Option<Box<RawValue>>,
}

impl Exchange {
    /// The operation that was called, if this version has it and there was a reply.
    pub fn operation(&self) -> Option<&'static Operation> {
        let (path, _) = self.target();
        let found = operation(
            self.op.as_deref(),
            &self.method,
            self.template.as_deref(),
            path,
        );
        found.filter(|_| self.status >= 0)
    }

    /// The path below the API, and the query string. (Some are recorded as a whole URL.)
    fn target(&self) -> (&str, &str) {
        let after_host = self.path.split_once("://").map(|(_, rest)| rest);
        let target = after_host.map_or(self.path.as_str(), |rest| {
            &rest[rest.find('/').unwrap_or(rest.len())..]
        });
        let (path, query) = target
            .split_once('?')
            .unwrap_or((target, self.query.as_deref().unwrap_or_default()));
        (path.strip_prefix("/api").unwrap_or(path), query)
    }

    /// The problems of this exchange.
    pub async fn judge(&self, document: &Document, operation: &Operation) -> Vec<String> {
        let mut problems = Vec::new();
        if self.status >= 400 {
            problems.extend(self.judge_failure().await);
            return problems;
        }
        let (path, query) = self.target();
        problems.extend(judge::target(
            document,
            operation.method,
            operation.path,
            path,
            query,
        ));
        if let Some(request) = self.json_request() {
            let place = document.request(operation.method, operation.path);
            problems.extend(self.judge_body(&operation.request, place, "request", request));
        }
        if self.response_kind.as_deref() == Some("json") {
            let reply = self.response.as_deref().map_or("null", RawValue::get);
            let place = document.reply(operation.method, operation.path);
            problems.extend(self.judge_body(&operation.reply, place, "reply", reply));
        }
        problems
    }

    fn judge_body(&self, body: &Body, place: Place<'_>, what: &str, sent: &str) -> Option<String> {
        let problem = match body {
            // Operations of other versions have no id here, and may have values of their own.
            Body::Json(round_trip) => judge::value(*round_trip, &place, sent, self.op.is_some())?,
            Body::Bytes => return None,
            // Only a null may be discarded.
            Body::None if sent == "null" => return None,
            Body::None => format!("{sent} has no type"),
        };
        Some(format!("{what}: {problem}"))
    }

    /// The body, if it is JSON. (NaN and Infinity, which Python sends as they are, are not JSON: a typed
    /// client cannot be made to send them, and the server answers null for them.)
    fn json_request(&self) -> Option<&str> {
        let json = self
            .request_kind
            .as_deref()
            .is_none_or(|kind| kind == "json");
        let request = self.request.as_deref().map(RawValue::get)?;
        // Recordings without a kind have null for "no body".
        let none = self.request_kind.is_none() && request == "null";
        (json && !none).then_some(request)
    }

    /// Checks that a failure becomes an `Error` with the server's message.
    async fn judge_failure(&self) -> Option<String> {
        let body = self
            .response
            .as_deref()
            .map_or("", RawValue::get)
            .to_owned();
        let server = MockServer::start().await;
        let status = u16::try_from(self.status).unwrap_or(500);
        let reply = ResponseTemplate::new(status).set_body_raw(body.clone(), "application/json");
        Mock::given(any()).respond_with(reply).mount(&server).await;
        let client = Client::builder()
            .api_url(format!("{}/api", server.uri()))
            .retry(RetryPolicy::none())
            .build()
            .expect("a client");
        let error = client.raw().hello().await.err()?;
        let repeated = server_messages(&body)
            .iter()
            .all(|said| error.message().contains(said));
        let right = error.status().is_some_and(|found| found.as_u16() == status)
            && repeated
            && error.to_string().lines().count() == 1;
        (!right).then(|| format!("error: {body} became {error}"))
    }
}

/// All messages in a failure's body, each on one line: a text, or the issues of a list.
fn server_messages(body: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let texts = ["exception_message", "detail"]
        .iter()
        .filter_map(|key| body[key].as_str());
    let lists = ["exception_detail", "detail"]
        .iter()
        .filter_map(|key| body[key].as_array());
    let issues = lists.flatten().filter_map(|issue| issue["msg"].as_str());
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    texts.chain(issues).map(one_line).collect()
}

#[tokio::test]
async fn recorded_exchanges_survive() {
    let document = Document::vendored();
    let defaults = [
        "tests/wire_corpus/sample-exchanges.jsonl",
        "../shared/corpus/exchanges.jsonl.gz",
        "../shared/corpus/versions/exchanges-3.4.25.jsonl.gz",
    ];
    let mut all_failed = 0;
    for path in paths("PREFECT_WIRE_CORPUS", &defaults) {
        let (mut judged, mut unknown) = (0, 0);
        let mut failures: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in lines(&path) {
            let exchange: Exchange = serde_json::from_str(&line).expect("an exchange");
            let Some(operation) = exchange.operation() else {
                unknown += 1;
                continue;
            };
            judged += 1;
            let problems = exchange.judge(&document, operation).await;
            if !problems.is_empty() {
                failures
                    .entry(operation.id.to_owned())
                    .or_default()
                    .push(problems.join("; "));
            }
        }
        let failed: usize = failures.values().map(Vec::len).sum();
        for (operation, problems) in &failures {
            println!(
                "{operation}: {} failed, first: {}",
                problems.len(),
                problems[0]
            );
        }
        println!(
            "{}: {unknown} of operations that this document lacks",
            path.display()
        );
        println!("{judged} exchanges, {failed} failed");
        assert!(judged > 0, "{} has no exchange to judge", path.display());
        all_failed += failed;
    }
    assert_eq!(all_failed, 0, "see above");
}
