//! A reply that was read to its end, and what is made of it.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use progenitor_client::ResponseValue;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::error::{Call, Error, ErrorKind, Result};

/// A reply that was read to its end.
#[derive(Clone)]
pub(super) struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    /// When the server sent it, by its own clock.
    pub(super) fn date(&self) -> DateTime<Utc> {
        let date = self.headers.get(DATE);
        let date = date.and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok());
        date.map_or_else(Utc::now, |date| date.to_utc())
    }

    /// The value of a JSON body.
    pub fn json<T: DeserializeOwned>(self, call: &Call) -> Result<ResponseValue<T>> {
        match serde_json::from_slice(&self.body) {
            Ok(value) => Ok(ResponseValue::new(value, self.status, self.headers)),
            Err(error) if content_type(&self.headers).starts_with("application/json") => {
                // Only now is it worth knowing where.
                let mut json = serde_json::Deserializer::from_slice(&self.body);
                let located = serde_path_to_error::deserialize::<_, T>(&mut json);
                let at = located
                    .err()
                    .map_or_else(String::new, |error| error.path().to_string());
                let message = format!("the reply does not fit at `{at}`: {error}");
                Err(self.unfit(call, ErrorKind::Decode, message))
            }
            Err(_) => Err(self.unfit(call, ErrorKind::UnexpectedBody, PAGE)),
        }
    }

    /// Nothing: the operation has no reply worth reading.
    pub fn empty(self, call: &Call) -> Result<ResponseValue<()>> {
        match is_page(&self.headers) {
            true => Err(self.unfit(call, ErrorKind::UnexpectedBody, PAGE)),
            false => Ok(ResponseValue::new((), self.status, self.headers)),
        }
    }

    fn unfit(self, call: &Call, kind: ErrorKind, message: impl Into<String>) -> Error {
        // It is a success all the same.
        call.error(kind, message)
            .replied(self.status, self.headers, self.body)
            .judged(call.changes_something(), false)
    }
}

/// A login page may arrive as a success, and no server of Prefect's sends HTML.
pub(super) fn is_page(headers: &HeaderMap) -> bool {
    content_type(headers).starts_with("text/html")
}

pub(super) const PAGE: &str =
    "the reply is not a Prefect server's: a proxy or a login page may have answered";

fn content_type(headers: &HeaderMap) -> &str {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// Memory for a body is set aside up to this length; beyond it, as it comes.
const MOST_EXPECTED: u64 = 1 << 20;

/// A body, whole. (`Response::bytes` keeps all parts until it has copied them: twice the memory.)
pub(super) async fn read(response: &mut Response) -> reqwest::Result<Bytes> {
    let length = response.content_length();
    let Some(first) = response.chunk().await? else {
        return Ok(Bytes::new());
    };
    if length == Some(first.len() as u64) {
        return Ok(first);
    }
    let Some(second) = response.chunk().await? else {
        return Ok(first);
    };
    // A server may say what it likes.
    let expected = length.unwrap_or_default().min(MOST_EXPECTED);
    let mut body = Vec::with_capacity(expected as usize);
    body.extend_from_slice(&first);
    body.extend_from_slice(&second);
    drop((first, second));
    while let Some(part) = response.chunk().await? {
        body.extend_from_slice(&part);
    }
    Ok(body.into())
}
