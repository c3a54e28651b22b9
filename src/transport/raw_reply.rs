//! `RawReply`: a reply whose body has been read, and its decoding.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

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
                // This takes time, and so it is done only after a failure.
                let at = path_of_failure(&self.body, is_undecodable::<T>);
                let at = at.map_or_else(String::new, |path| format!(" at `{path}`"));
                let message = format!("the reply does not have the expected form{at}: {error}");
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

/// Whether JSON cannot be decoded, however it goes on.
fn is_undecodable<T: DeserializeOwned>(json: &[u8]) -> bool {
    serde_json::from_slice::<T>(json).is_err_and(|error| !error.is_eof())
}

/// The path of the value that makes decoding fail, if it can be told.
///
/// Decoding fails as soon as that value has been read, and before for want of more JSON. JSON that is broken off within
/// it has its path at the end. So the code which decodes with a path need not exist for each type. (Where an error says that it
/// happened is not relied upon: those of nested JSON count from its own beginning.)
fn path_of_failure(json: &[u8], fails: fn(&[u8]) -> bool) -> Option<String> {
    let (mut good, mut bad) = (0, json.len());
    while bad - good > 1 {
        let middle = good.midpoint(bad);
        match fails(&json[..middle]) {
            true => bad = middle,
            false => good = middle,
        }
    }
    let mut read = &json[..bad];
    match read {
        // A value that has been read to its end is entered again, and one that has begun is not.
        [before @ .., b'}' | b']' | b'"' | b'{' | b'['] => read = before,
        _ => {
            while let [
                before @ ..,
                b'0'..=b'9' | b'a'..=b'z' | b'E' | b'.' | b'-' | b'+',
            ] = read
            {
                read = before;
            }
        }
    }
    // This is neither JSON nor part of a text.
    let broken_off = [read, b"\0"].concat();
    let mut reader = serde_json::Deserializer::from_slice(&broken_off);
    let located = serde_path_to_error::deserialize::<_, Value>(&mut reader).err()?;
    // `Value` refuses some of what is kept as text. Then the path is that of another value.
    let line = broken_off.split(|byte| *byte == b'\n').next_back()?;
    if located.inner().column() + 1 < line.len() {
        return None;
    }
    // Where a key should be, the path ends with a question mark.
    let path = located.path().to_string();
    let path = path.trim_end_matches('?').trim_end_matches('.');
    Some(match path.is_empty() {
        true => ".".to_owned(),
        false => path.to_owned(),
    })
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

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::{is_undecodable, path_of_failure};
    use crate::types::{Action, FlowRunResponse, Node, OrchestrationResult};

    /// The path that is found without the type, which must be the one that is found with it.
    fn path<T: DeserializeOwned>(json: &str) -> String {
        let mut read = serde_json::Deserializer::from_str(json);
        let Err(located) = serde_path_to_error::deserialize::<_, T>(&mut read) else {
            panic!("{json} has the expected form");
        };
        let path = path_of_failure(json.as_bytes(), is_undecodable::<T>).expect("it can be told");
        assert_eq!(
            path,
            located.path().to_string(),
            "{json}: {}",
            located.inner()
        );
        path
    }

    #[test]
    fn the_path_of_an_error_is_found_without_the_type() {
        const ID: &str = "00000000-0000-0000-0000-000000000000";
        let run = |rest: &str| format!(r#"{{"id":"{ID}","flow_id":"{ID}"{rest}}}"#);
        let of_run = |rest: &str| path::<FlowRunResponse>(&run(rest));
        assert_eq!(of_run(r#","name":7"#), "name");
        assert_eq!(of_run(r#","name": 7 ,"tags":[]"#), "name");
        assert_eq!(of_run(r#","name":{"a":1}"#), "name");
        assert_eq!(of_run(r#","name": [1]"#), "name");
        assert_eq!(of_run(r#","name":true"#), "name");
        assert_eq!(of_run(r#","name":-12.5e+7"#), "name");
        assert_eq!(of_run(r#","run_count":"a\"]}""#), "run_count");
        assert_eq!(of_run(r#","run_count":"a\\""#), "run_count");
        assert_eq!(of_run(r#","tags":[["a"]]"#), "tags[0]");
        assert_eq!(
            of_run(
                r#","state":{"type":"COMPLETED","message":"a","state_details":{"flow_run_id":12}}"#
            ),
            "state.state_details.flow_run_id"
        );
        assert_eq!(of_run(r#","tags":["a","b",3]"#), "tags[2]");
        assert_eq!(of_run(r#","tags":["a",{}]"#), "tags[1]");
        assert_eq!(of_run(r#","tags":["a",null,"b"]"#), "tags[1]");
        assert_eq!(of_run(r#","tags":"a","name":"b""#), "tags");
        assert_eq!(of_run(",\n\"name\":\n7,\n\"tags\":[]"), "name");
        assert_eq!(
            of_run(r#","state":{"type":"COMPLETED","name":{}}"#),
            "state.name"
        );
        assert_eq!(of_run(r#","state":{"name":"Completed"}"#), "state");
        assert_eq!(of_run(r#","state":{}"#), "state");
        assert_eq!(
            of_run(r#","next_scheduled_start_time":"soon""#),
            "next_scheduled_start_time"
        );
        assert_eq!(path::<FlowRunResponse>("{}"), ".");
        assert_eq!(path::<FlowRunResponse>("[]"), ".");
        assert_eq!(path::<FlowRunResponse>("7"), ".");
        let list = format!("[{},{}]", run(""), run(r#","tags":[true]"#));
        assert_eq!(path::<Vec<FlowRunResponse>>(&list), "[1].tags[0]");
        let missing = format!(r#"[{}, {{"id":"{ID}"}}]"#, run(""));
        assert_eq!(path::<Vec<FlowRunResponse>>(&missing), "[1]");
        // The errors of unions and of closed enums are made outside of the reader.
        let details = r#"{"state":null,"status":"ACCEPT","details":{"type":"wait_details"}}"#;
        assert_eq!(path::<OrchestrationResult>(details), "details");
        assert_eq!(path::<Node>(r#"{"label":"a","kind":"?"}"#), "kind");
        assert_eq!(path::<Node>(r#"{"kind":"?","label":"a"}"#), "kind");
        let actions = r#"[{"type":"do-nothing"},{"type":"run-deployment","deployment_id":"x"},{"type":"do-nothing"}]"#;
        assert_eq!(path::<Vec<Action>>(actions), "[1]");
    }

    #[test]
    fn no_path_is_better_than_a_wrong_one() {
        let json = r#"{"parameters":{"a":1e999},"name":7}"#;
        let fails = is_undecodable::<FlowRunResponse>;
        assert!(fails(json.as_bytes()));
        assert_eq!(path_of_failure(json.as_bytes(), fails), None);
    }
}
