//! `Recorder`: passes requests on to a real server, and writes down what it replies.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::Value;

use super::exchange::Exchange;
use super::labels::Labels;
use super::secrets::redact;
use crate::client::Client;
use crate::testing::fake::Reply;
use crate::testing::requests::ReceivedRequest;
use crate::testing::router::method_and_path;

/// Passes requests on to a real server, and writes down what it replies.
pub(crate) struct Recorder {
    upstream: Client,
    tape: Mutex<Tape>,
}

struct Tape {
    labels: Labels,
    exchanges: Vec<Exchange>,
}

impl Recorder {
    pub(crate) fn new(upstream: Client, begin: DateTime<Utc>) -> Self {
        let labels = Labels::new(begin);
        let exchanges = Vec::new();
        Self {
            upstream,
            tape: Mutex::new(Tape { labels, exchanges }),
        }
    }

    /// Passes a request on, with the credentials of the client that this was made with.
    pub(crate) async fn pass_on(&self, request: &ReceivedRequest) -> Result<Reply, String> {
        let known = method_and_path(request.operation);
        let (method, template) = known.ok_or("no operation of the API")?;
        let mut url = format!("{}{template}", self.upstream.api_url());
        for (name, value) in &request.path {
            let value = crate::transport::segment(value).map_err(|error| error.to_string())?;
            url = url.replace(&format!("{{{name}}}"), &value);
        }
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
        let http = self.upstream.raw().channel().http_client();
        let (http, headers) = http.map_err(|error| error.to_string())?;
        let forwarded = http.request(method, url).headers(headers);
        let mut forwarded = forwarded.query(&request.query);
        for name in ["content-type", "user-agent", "x-prefect-api-version"] {
            forwarded = forwarded.headers(
                request
                    .headers
                    .get(name)
                    .map(|value| {
                        (
                            reqwest::header::HeaderName::from_static(name),
                            value.clone(),
                        )
                    })
                    .into_iter()
                    .collect(),
            );
        }
        let sent = forwarded.body(request.body.clone()).send().await;
        let response = sent.map_err(|error| error.without_url().to_string())?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response
            .bytes()
            .await
            .map_err(|error| error.without_url().to_string())?;
        let text = |name| {
            headers
                .get(name)
                .and_then(|value: &reqwest::header::HeaderValue| value.to_str().ok())
        };
        let retry_after = text(RETRY_AFTER).map(str::to_owned);
        let is_json = text(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"));
        let reply = Reply {
            status,
            content_type: if is_json {
                "application/json"
            } else {
                "text/plain; charset=utf-8"
            },
            headers: retry_after
                .clone()
                .map(|value| ("retry-after", value))
                .into_iter()
                .collect(),
            body: body.to_vec(),
        };
        self.write(request, &reply, retry_after, is_json);
        Ok(reply)
    }

    fn write(
        &self,
        request: &ReceivedRequest,
        reply: &Reply,
        retry_after: Option<String>,
        is_json: bool,
    ) {
        let content = match (is_json, reply.body.is_empty()) {
            (_, true) => Value::Null,
            (true, _) => serde_json::from_slice(&reply.body).unwrap_or_default(),
            (false, _) => Value::from(String::from_utf8_lossy(&reply.body)),
        };
        let kind = (!is_json && !reply.body.is_empty()).then(|| reply.content_type.to_owned());
        let mut exchange = shape(request);
        exchange.status = reply.status;
        exchange.retry_after = retry_after;
        exchange.content_type = kind;
        exchange.reply = content;
        redact(&mut exchange.request);
        redact(&mut exchange.reply);
        let mut tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
        for part in [
            &mut exchange.path,
            &mut exchange.query,
            &mut exchange.request,
            &mut exchange.reply,
        ] {
            tape.labels.label(part);
        }
        tape.exchanges.push(exchange);
    }

    /// What was written down, one exchange a line.
    pub(crate) fn text(&self) -> String {
        let tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = tape
            .exchanges
            .iter()
            .filter_map(|exchange| serde_json::to_string(exchange).ok());
        lines.map(|line| line + "\n").collect()
    }
}

/// A request as a cassette has it, without a reply.
pub(super) fn shape(request: &ReceivedRequest) -> Exchange {
    let pairs = |pairs: Vec<(String, String)>| match pairs.is_empty() {
        true => Value::Null,
        false => pairs
            .into_iter()
            .map(|(key, value)| (key, Value::from(value)))
            .collect(),
    };
    let path = request
        .path
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    Exchange {
        operation: request.operation.to_owned(),
        path: pairs(path.collect()),
        query: pairs(request.query.clone()),
        request: serde_json::from_slice(&request.body).unwrap_or_default(),
        status: 0,
        retry_after: None,
        content_type: None,
        reply: Value::Null,
    }
}
