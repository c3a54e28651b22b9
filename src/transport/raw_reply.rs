//! `RawReply`: a reply whose body has been read, and its decoding.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;

use super::call::Call;
use super::response::Response as TypedResponse;
use crate::error::{Error, ErrorKind, Result, sent_at};

/// A reply whose body has been read.
#[derive(Clone)]
pub(super) struct RawReply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl RawReply {
    /// The time at which the server sent the reply, by its own clock.
    pub(super) fn date(&self) -> DateTime<Utc> {
        sent_at(&self.headers).unwrap_or_else(Utc::now)
    }

    /// Decodes a JSON body.
    pub(super) fn json<T: DeserializeOwned>(self, call: &Call) -> Result<TypedResponse<T>> {
        match serde_json::from_slice(&self.body) {
            Ok(value) => Ok(TypedResponse::new(value, self.status, self.headers)),
            Err(error) if content_type(&self.headers).starts_with("application/json") => {
                // Finding the path takes time, and so this is done only after a failure.
                let mut json = serde_json::Deserializer::from_slice(&self.body);
                let located = serde_path_to_error::deserialize::<_, T>(&mut json);
                let at = located
                    .err()
                    .map_or_else(String::new, |error| error.path().to_string());
                let message =
                    format!("the reply does not have the expected form at `{at}`: {error}");
                Err(self.undecodable(call, ErrorKind::Decode, message))
            }
            Err(_) => Err(self.undecodable(call, ErrorKind::UnexpectedBody, NOT_A_PREFECT_SERVER)),
        }
    }

    /// Decodes a reply without content worth reading.
    pub(super) fn empty(self, call: &Call) -> Result<TypedResponse<()>> {
        match is_html(&self.headers) {
            true => Err(self.undecodable(call, ErrorKind::UnexpectedBody, NOT_A_PREFECT_SERVER)),
            false => Ok(TypedResponse::new((), self.status, self.headers)),
        }
    }

    fn undecodable(self, call: &Call, kind: ErrorKind, message: impl Into<String>) -> Error {
        // The call was executed nevertheless.
        call.error(kind, message)
            .with_response(self.status, self.headers, self.body)
            .with_outcome(call.changes_state(), false)
    }
}

/// Whether the body is HTML, which no Prefect server sends: a login page may arrive as a success.
pub(super) fn is_html(headers: &HeaderMap) -> bool {
    content_type(headers).starts_with("text/html")
}

pub(super) const NOT_A_PREFECT_SERVER: &str =
    "the reply is not a Prefect server's: a proxy or a login page may have answered";

fn content_type(headers: &HeaderMap) -> &str {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// Memory is reserved for a body up to this many bytes; beyond that it grows as the body arrives.
const MAX_RESERVED_BYTES: u64 = 1 << 20;

/// Reads a body, whole or up to about this many bytes. (`Response::bytes` keeps all parts until it has copied them, which takes twice the
/// memory.)
pub(super) async fn read(response: &mut Response, most: usize) -> reqwest::Result<Bytes> {
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
    // The length that a server announces is not trusted.
    let expected = length.unwrap_or_default().min(MAX_RESERVED_BYTES);
    let mut body = Vec::with_capacity(expected as usize);
    body.extend_from_slice(&first);
    body.extend_from_slice(&second);
    drop((first, second));
    while body.len() < most
        && let Some(part) = response.chunk().await?
    {
        body.extend_from_slice(&part);
    }
    body.truncate(most);
    Ok(body.into())
}
