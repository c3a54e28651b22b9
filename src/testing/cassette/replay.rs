//! `Replay`: answers requests as a cassette says.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::exchange::Exchange;
use super::labels::Labels;
use super::recorder::shape;
use super::secrets::redact;
use crate::testing::fake::Reply;
use crate::testing::requests::ReceivedRequest;

/// Answers requests as a cassette says: each exchange once, those of one operation in their order.
#[derive(Debug)]
pub(crate) struct Replay {
    labels: Labels,
    left: Vec<Exchange>,
}

impl Replay {
    /// Reads a cassette.
    pub(crate) fn read(text: &str, begin: DateTime<Utc>) -> serde_json::Result<Self> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        Ok(Self {
            labels: Labels::new(begin),
            left: lines.map(serde_json::from_str).collect::<Result<_, _>>()?,
        })
    }

    /// The recorded reply to a request.
    ///
    /// # Errors
    ///
    /// Why the request is none of those that are left.
    pub(crate) fn answer(&mut self, request: &ReceivedRequest) -> Result<Reply, String> {
        let mut given = shape(request);
        redact(&mut given.request);
        let whole = |exchange: &Exchange| json!([exchange.path, exchange.query, exchange.request]);
        let given = whole(&given);
        let of_operation = |exchange: &Exchange| exchange.operation == request.operation;
        let mut why = None;
        let mut found = None;
        for (index, exchange) in self
            .left
            .iter()
            .enumerate()
            .filter(|(_, exchange)| of_operation(exchange))
        {
            match self.labels.fits(&whole(exchange), &given) {
                Ok(()) => {
                    found = Some(index);
                    break;
                }
                Err(difference) => why = why.or(Some(difference)),
            }
        }
        let Some(index) = found else {
            let why = why
                .unwrap_or_else(|| "no further request of this operation was recorded".to_owned());
            return Err(format!("{}: {why}", request.operation));
        };
        let exchange = self.left.remove(index);
        Ok(self.reply(exchange))
    }

    fn reply(&self, exchange: Exchange) -> Reply {
        let mut content = exchange.reply;
        self.labels.unlabel(&mut content);
        let mut reply = match (exchange.content_type, content) {
            (Some(_), Value::String(text)) => Reply::text("text/plain; charset=utf-8", text),
            (_, Value::Null) if exchange.status == 204 => Reply::no_content(),
            (_, content) => Reply::json(exchange.status, &content),
        };
        reply.status = exchange.status;
        reply
            .headers
            .extend(exchange.retry_after.map(|value| ("retry-after", value)));
        reply
    }

    /// The operations whose exchanges were not replayed.
    pub(crate) fn left(&self) -> Vec<&str> {
        self.left
            .iter()
            .map(|exchange| exchange.operation.as_str())
            .collect()
    }
}
