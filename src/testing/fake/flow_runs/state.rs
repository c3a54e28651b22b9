//! New states, as the server completes what is proposed.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::row;
use crate::types::{Json, State, StateCreate, StateDetails, StateType};

/// A state as the server completes it.
pub(crate) fn new_state(now: DateTime<Utc>, proposed: StateCreate) -> Result<State, Refusal> {
    let mut state: State = row(json!({
        "id": Uuid::new_v4(), "type": proposed.type_, "name": null, "timestamp": now, "message": null, "data": null,
    }))?;
    let name = proposed.name.into_option();
    state.name = name.unwrap_or_else(|| default_name(&state.type_)).into();
    state.message = proposed.message.into_option().into();
    state.data = Some(proposed.data.unwrap_or_else(Json::null));
    let mut details = complete(proposed.state_details.as_ref())?;
    if state.type_ == StateType::Scheduled && details.scheduled_time.is_none() {
        details.scheduled_time = now.into();
    }
    state.state_details = Some(details);
    Ok(state)
}

/// A state of the server's own.
pub(super) fn own_state(now: DateTime<Utc>, kind: StateType, name: &str) -> Result<State, Refusal> {
    new_state(now, StateCreate::new(kind).name(name))
}

/// The details with all keys that the server returns.
fn complete(details: Option<&StateDetails>) -> Result<StateDetails, Refusal> {
    let mut all = json!({
        "flow_run_id": null, "task_run_id": null, "child_flow_run_id": null, "scheduled_time": null, "cache_key": null,
        "cache_expiration": null, "deferred": false, "untrackable_result": false, "pause_timeout": null,
        "pause_reschedule": false, "pause_key": null, "run_input_keyset": null, "refresh_cache": null, "retriable": null,
        "transition_id": null, "task_parameters_id": null, "traceparent": null, "deployment_concurrency_lease_id": null,
    });
    if let (Value::Object(all), Some(Ok(Value::Object(given)))) =
        (&mut all, details.map(serde_json::to_value))
    {
        all.extend(given);
    }
    row(all)
}

/// `RUNNING` → `Running`.
pub(crate) fn default_name(kind: &StateType) -> String {
    let words = kind.as_str().split('_').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        format!("{}{}", first.to_uppercase(), rest.to_lowercase())
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether the data of a state is the reference to a persisted result, as far as the server can tell.
pub(super) fn is_persisted(data: Option<&Json>) -> bool {
    match data.and_then(|data| data.to_value().ok()) {
        Some(Value::Object(keys)) => keys.get("type").is_none_or(|kind| kind != "unpersisted"),
        _ => false,
    }
}

/// The same, for data that is not empty.
pub(super) fn has_persisted_result(state: &State) -> bool {
    let is_empty = state
        .data
        .as_ref()
        .is_none_or(|data| matches!(data.as_str(), "{}" | "null"));
    !is_empty && is_persisted(state.data.as_ref())
}
