//! Looking at the server for what became of a request whose reply was lost.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use reqwest::{Request, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::exchange::Exchange;
use super::operation::Operation;
use super::repeat::members;
use super::reply::Reply;

const READ_STATES: Operation = Operation("read_flow_run_states", "/flow_run_states/");

impl Exchange<'_> {
    /// What became of a transition of which nobody knows.
    pub async fn find_transition(&self, id: &str, since: Instant) -> Option<Transition> {
        let run = self.call().url().path_segments()?.rev().nth(1)?;
        let mut url = self.call().url().clone();
        let path = url.path().rsplit_once("/flow_runs/")?.0.to_owned();
        url.set_path(&format!("{path}/flow_run_states/"));
        url.set_query(Some(&format!("flow_run_id={run}")));
        let (states, ago) = self.look(url, READ_STATES, since).await?;
        Transition::read(states, id, ago)
    }

    /// Reads something on behalf of this call; also how long ago `since` was when it was read.
    pub async fn look(
        &self,
        url: Url,
        operation: Operation,
        since: Instant,
    ) -> Option<(Reply, Duration)> {
        let transport = self.subordinate(self.transport().retry().clone());
        let request = transport.http().get(url);
        let mut exchange = Exchange::new(&transport, request, operation).ok()?;
        let found = Box::pin(exchange.reply()).await.ok()?;
        Some((found, since.elapsed()))
    }
}

/// What a run's states say of a transition of which nobody knows whether it was made.
pub(super) enum Transition {
    /// It was, and this is the reply to it.
    Made(Reply),
    /// The run has taken another state since; what was proposed for the one before does not fit.
    Overtaken,
    /// It was not.
    NotMade,
}

impl Transition {
    /// By the list of a run's states, as the server sent it so long after the transition was.
    pub fn read(states: Reply, id: &str, sent_ago: Duration) -> Option<Self> {
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
                return Some(Self::Made(Reply {
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
        // The state that a run is created with is not what became of a transition.
        let newest = newest.filter(|_| list.len() > 1);
        // The server tells its time in whole seconds, and up to one second late. What is younger than
        // that came after the transition; and so did a state that a rule of the server's makes.
        let sent = states.date() - sent_ago;
        let overtaken = newest.is_some_and(|newest| {
            let by_rule = newest.transition().is_none()
                && matches!(newest.type_.as_deref(), Some("SCHEDULED" | "CANCELLED"));
            let allowance = if by_rule { 0 } else { 2 };
            newest.timestamp >= sent + Duration::from_secs(allowance)
        });
        Some(match overtaken {
            true => Self::Overtaken,
            false => Self::NotMade,
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

/// Whether what was found under a name is what a create of this call has made: it has what was sent,
/// and came to be since the create was first sent, by the server's own clock.
pub(super) fn is_ours(sent: &Request, found: &Reply, sent_ago: Duration) -> bool {
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

/// Whether two values are the same; 1 is 1.0, as it is to the server.
fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}
