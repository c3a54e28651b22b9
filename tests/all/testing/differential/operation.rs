//! `Operation`: a request to both servers, and how their replies are compared.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::model::Model;

/// The most rows that a server returns at a time.
const PAGE_LIMIT: usize = 200;

/// What a generator learns from the reply that both servers gave: with placeholders in the place of ids.
pub type Learn = Box<dyn FnOnce(&mut Model, &Value)>;

/// How the rows of a list are ordered.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// As they came.
    Given,
    /// By ids, which are random: in no order.
    Open,
    /// By the first of these keys that is not null; rows that have the same are in no order.
    By(&'static [&'static str]),
}

/// A request to both servers.
pub struct Operation {
    pub method: Method,
    /// The path with its query; `<7>` stands for an id.
    pub path: String,
    pub body: Option<Value>,
    pub user_agent: Option<&'static str>,
    /// How the rows of the reply, or of its key `results`, are ordered.
    pub order: Order,
    /// How the elements of these lists within the reply are ordered.
    pub open: &'static [&'static str],
    /// Places of the reply that are not compared.
    pub ignored: &'static [&'static str],
    /// How long the real server goes on working after its reply.
    pub settles: Duration,
    pub learn: Option<Learn>,
}

impl Operation {
    fn new(method: Method, path: impl Into<String>, body: Option<Value>) -> Self {
        Self {
            method,
            path: path.into(),
            body,
            user_agent: None,
            order: Order::Given,
            open: &[],
            ignored: &[],
            settles: Duration::ZERO,
            learn: None,
        }
    }

    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, None)
    }

    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::POST, path, Some(body))
    }

    pub fn patch(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::PATCH, path, Some(body))
    }

    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path, None)
    }

    pub fn ordered(self, order: Order) -> Self {
        Self { order, ..self }
    }

    pub fn open(self, open: &'static [&'static str]) -> Self {
        Self { open, ..self }
    }

    pub fn ignoring(self, ignored: &'static [&'static str]) -> Self {
        Self { ignored, ..self }
    }

    pub fn settles(self, settles: Duration) -> Self {
        Self { settles, ..self }
    }

    pub fn by(self, user_agent: Option<&'static str>) -> Self {
        Self { user_agent, ..self }
    }

    pub fn learn(self, learn: impl FnOnce(&mut Model, &Value) + 'static) -> Self {
        Self {
            learn: Some(Box::new(learn)),
            ..self
        }
    }

    /// The most rows that the request asks for.
    pub fn limit(&self) -> usize {
        let limit = self.body.as_ref().and_then(|body| body["limit"].as_u64());
        limit.map_or(PAGE_LIMIT, |limit| limit as usize)
    }

    /// Whether the request asks for rows behind others.
    pub fn skips(&self) -> bool {
        let number = |key| self.body.as_ref().and_then(|body| body[key].as_i64());
        number("offset").is_some_and(|offset| offset > 0)
            || number("page").is_some_and(|page| page > 1)
    }

    /// Whether the request changes nothing, so that it may be repeated.
    pub fn only_reads(&self) -> bool {
        const READS: [&str; 8] = [
            "/filter",
            "/count",
            "/paginate",
            "/lateness",
            "/history",
            "_status",
            "/count-task-runs",
            "/validate",
        ];
        self.method == Method::GET || READS.iter().any(|end| self.path.ends_with(end))
    }

    /// The method and the path, with `{}` for all that differs between two such requests.
    pub fn template(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        let words = path.split('/').map(|word| {
            let is_word = word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'-'));
            let is_known = is_word || word == "v2" || word == "graph-v2";
            if is_known { word } else { "{}" }
        });
        format!("{} {}", self.method, words.collect::<Vec<_>>().join("/"))
    }

    /// The first words of the request, for a report.
    pub fn shown(&self) -> String {
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        let agent = self
            .user_agent
            .map(|agent| format!(" by {agent}"))
            .unwrap_or_default();
        format!("{} {}{agent} {body}", self.method, self.path)
    }
}
