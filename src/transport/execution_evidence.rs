//! Determines from the server's objects whether an ambiguous attempt was executed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::raw_reply::RawReply;
use super::replay::members;
use super::request::Request;

/// The outcome of an ambiguous transition, as shown by the states of the run.
pub(super) enum Transition {
    /// It was executed, and this is the reply to it.
    Executed(RawReply),
    /// The run has entered another state since, so a proposal for the earlier state no longer applies.
    Superseded,
    /// It was not executed.
    NotExecuted,
}

impl Transition {
    /// Reads the outcome from the run's states, which the server sent this long after the transition.
    pub(super) fn read(states: RawReply, id: &str, sent_ago: Duration) -> Option<Self> {
        let list: Vec<Box<RawValue>> = serde_json::from_slice(&states.body).ok()?;
        let mut newest: Option<RunState> = None;
        for raw in &list {
            let state: RunState = serde_json::from_str(raw.get()).ok()?;
            if state
                .transition()
                .is_some_and(|its| its.eq_ignore_ascii_case(id))
            {
                let reply = format!(
                    r#"{{"state":{},"status":"ACCEPT","details":{{"type":"accept_details"}}}}"#,
                    raw.get()
                );
                return Some(Self::Executed(RawReply {
                    body: reply.into(),
                    ..states
                }));
            }
            if newest
                .as_ref()
                .is_none_or(|newest| newest.timestamp <= state.timestamp)
            {
                newest = Some(state);
            }
        }
        // The state that a run is created with is not the result of a transition.
        let newest = newest.filter(|_| list.len() > 1);
        // The server's `Date` has whole seconds, and is up to one second late. A newer state came after the
        // transition; so did a state that a rule of the server created.
        let sent = states.date() - sent_ago;
        let superseded = newest.is_some_and(|newest| {
            let by_rule = newest.transition().is_none()
                && matches!(newest.type_.as_deref(), Some("SCHEDULED" | "CANCELLED"));
            let allowance = if by_rule { 0 } else { 2 };
            newest.timestamp >= sent + Duration::from_secs(allowance)
        });
        Some(match superseded {
            true => Self::Superseded,
            false => Self::NotExecuted,
        })
    }
}

#[derive(Deserialize)]
struct RunState {
    #[serde(rename = "type")]
    type_: Option<String>,
    timestamp: DateTime<Utc>,
    state_details: Option<RunStateDetails>,
}

#[derive(Deserialize)]
struct RunStateDetails {
    transition_id: Option<String>,
}

impl RunState {
    fn transition(&self) -> Option<&str> {
        self.state_details.as_ref()?.transition_id.as_deref()
    }
}

/// Whether the object that was found by its name was created by this call: it equals what was sent and, by
/// the server's clock, was created after the first attempt.
pub(super) fn was_created_by(sent: &Request, found: &RawReply, sent_ago: Duration) -> bool {
    let Ok(Value::Object(found_object)) = serde_json::from_slice(&found.body) else {
        return false;
    };
    let created = found_object.get("created").and_then(Value::as_str);
    let created = created.and_then(|created| DateTime::parse_from_rfc3339(created).ok());
    // `Date` has no fractions of a second, and so is never ahead.
    let began = found.date() - sent_ago;
    found.status == StatusCode::OK
        && created.is_some_and(|created| created >= began)
        && members(sent).iter().all(|(name, sent)| {
            let sent = serde_json::from_str(sent.get()).unwrap_or(Value::Null);
            same(&sent, found_object.get(name).unwrap_or(&Value::Null))
        })
}

/// Whether two values are equal; 1 equals 1.0, as for the server.
fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}
