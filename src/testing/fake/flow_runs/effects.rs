//! What a transition changes on the run itself.

use chrono::{DateTime, TimeDelta, Utc};

use super::row::Run;
use crate::types::{FlowRunPolicy, FlowRunResponse, Json, Seconds, State, StateType};

/// A timestamp that no other state of the run has.
pub(super) fn unique_time(run: &Run, mut time: DateTime<Utc>) -> DateTime<Utc> {
    let taken = |time| {
        run.states
            .iter()
            .rev()
            .any(|state| state.timestamp == Some(time))
    };
    while taken(time) {
        time += TimeDelta::microseconds(1);
    }
    time
}

/// Writes a state, and what follows from it for the run.
pub(super) fn enter(run: &mut Run, mut state: State, policy: &mut FlowRunPolicy) {
    let at = state.timestamp.unwrap_or_default();
    let initial = run.states.last().cloned();
    let was = |kind: StateType| initial.as_ref().is_some_and(|state| state.type_ == kind);
    let (is_running, is_final) = (state.type_ == StateType::Running, state.is_terminal());
    let details = state.state_details.get_or_insert_default();
    details.flow_run_id = run.shown.id.into();
    details.task_run_id = if run.shown.parent_task_run_id.is_some() {
        run.shown.parent_task_run_id
    } else {
        details.task_run_id
    };
    let scheduled = *details.scheduled_time;
    let shown = &mut run.shown;
    if is_running && shown.start_time.is_none() {
        shown.start_time = at.into();
    }
    if initial.as_ref().is_some_and(State::is_terminal) && !is_final {
        shown.end_time = None.into();
    }
    if is_final && shown.end_time.is_none() {
        if shown.start_time.is_none() {
            shown.start_time = at.into();
        }
        shown.end_time = at.into();
    }
    if was(StateType::Running) {
        let since = initial
            .as_ref()
            .and_then(|state| state.timestamp)
            .unwrap_or(at);
        let total = shown
            .total_run_time
            .as_ref()
            .map_or(0.0, |time| time.as_f64());
        shown.total_run_time = Some(Seconds::from(total + seconds(at - since)));
    }
    let is_scheduled = state.type_ == StateType::Scheduled;
    if shown.expected_start_time.is_none() {
        let expected = if is_scheduled { scheduled } else { Some(at) };
        shown.expected_start_time = expected.into();
    }
    if was(StateType::Scheduled) {
        shown.next_scheduled_start_time = None.into();
    }
    if is_scheduled {
        shown.next_scheduled_start_time = scheduled.into();
    }
    let resumes = *policy.resuming == Some(true);
    if is_running && !resumes {
        shown.run_count = Some(shown.run_count.unwrap_or(0) + 1);
    }
    if resumes && (is_running || is_final) {
        policy.resuming = false.into();
    }
    shown.empirical_policy = Some(policy.clone());
    shown.state_id = state.id.into();
    shown.state_type = state.type_.clone().into();
    shown.state_name = state.name.clone();
    // Data that says of itself that it is not persisted is returned once.
    let unpersisted = state.data.as_ref().and_then(|data| data.to_value().ok());
    if unpersisted.is_some_and(|data| data["type"] == "unpersisted") {
        state.data = Some(Json::null());
    }
    shown.state = state.clone().into();
    run.states.push(state);
}

/// The run as the server returns it at this time: estimates of times depend on it.
pub(crate) fn shown_at(run: &Run, now: DateTime<Utc>) -> FlowRunResponse {
    let mut shown = run.shown.clone();
    let total = shown
        .total_run_time
        .as_ref()
        .map_or(0.0, |time| time.as_f64());
    let running = run
        .states
        .last()
        .filter(|state| state.type_ == StateType::Running)
        .and_then(|state| state.timestamp)
        .map_or(0.0, |since| seconds(now - since));
    shown.estimated_run_time = Some(Seconds::from(total + running));
    shown.estimated_start_time_delta = Some(Seconds::from(lateness(run, now)));
    shown
}

/// By how many seconds a run began, or has not begun, too late.
pub(super) fn lateness(run: &Run, now: DateTime<Utc>) -> f64 {
    let has_ended = run.states.last().is_some_and(State::is_terminal);
    match (*run.shown.start_time, *run.shown.expected_start_time) {
        (Some(start), Some(expected)) if start > expected => seconds(start - expected),
        (None, Some(expected)) if expected < now && !has_ended => seconds(now - expected),
        _ => 0.0,
    }
}

fn seconds(time: TimeDelta) -> f64 {
    time.num_microseconds()
        .map_or(0.0, |micros| micros as f64 / 1e6)
}
