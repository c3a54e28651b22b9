//! What a transition changes on the task run itself.

use chrono::{DateTime, TimeDelta, Utc};

use super::state::TaskRow;
use crate::types::{Seconds, State, StateType, TaskRun};

/// Writes a state, and what follows from it for the task run.
pub(super) fn enter(row: &mut TaskRow, mut state: State, now: DateTime<Utc>) {
    let initial = row.shown.state.clone().into_option();
    let was = |kind: StateType| initial.as_ref().is_some_and(|state| state.type_ == kind);
    let at = state.timestamp.unwrap_or(now);
    let is_running = state.type_ == StateType::Running;
    let is_scheduled = state.type_ == StateType::Scheduled;
    let shown = &mut row.shown;
    shown.state_type = state.type_.clone().into();
    shown.state_name = state.name.clone();
    if is_running && shown.start_time.is_none() {
        shown.start_time = at.into();
    }
    match (
        initial.as_ref().is_some_and(State::is_terminal),
        state.is_terminal(),
    ) {
        (true, false) => shown.end_time = None.into(),
        (_, true) if shown.end_time.is_none() => {
            shown.start_time = shown.start_time.unwrap_or(at).into();
            shown.end_time = at.into();
        }
        _ => {}
    }
    if was(StateType::Running) {
        let since = initial.as_ref().and_then(|state| state.timestamp);
        row.run_time += at - since.unwrap_or(at);
    }
    let details = state.state_details.get_or_insert_default();
    let scheduled = *details.scheduled_time;
    if shown.expected_start_time.is_none() {
        shown.expected_start_time = if is_scheduled { scheduled } else { Some(at) }.into();
    }
    if was(StateType::Scheduled) {
        shown.next_scheduled_start_time = None.into();
    }
    if is_scheduled {
        shown.next_scheduled_start_time = scheduled.into();
    }
    details.flow_run_id = (*shown.flow_run_id).into();
    details.task_run_id = shown.id.into();
    if is_running {
        shown.run_count = Some(shown.run_count.unwrap_or(0) + 1);
    }
    shown.state_id = state.id.into();
    shown.state = state.clone().into();
    shown.updated = now.into();
    row.states.push(state);
}

/// The task run as the server returns it at this time.
pub(super) fn at(row: &TaskRow, now: DateTime<Utc>) -> TaskRun {
    let mut shown = row.shown.clone();
    shown.total_run_time = Some(Seconds::from(seconds(row.run_time)));
    shown.estimated_run_time = Some(Seconds::from(seconds(estimated_run_time(row, now))));
    shown.estimated_start_time_delta = Some(Seconds::from(seconds(lateness(row, now))));
    shown
}

/// How long it was RUNNING up to this time.
pub(super) fn estimated_run_time(row: &TaskRow, now: DateTime<Utc>) -> TimeDelta {
    let is_running = row.shown.state_type == StateType::Running;
    let since = row.since().filter(|_| is_running);
    row.run_time + since.map_or(TimeDelta::zero(), |since| now - since)
}

/// By how much a task run began, or has not begun, too late.
pub(super) fn lateness(row: &TaskRow, now: DateTime<Utc>) -> TimeDelta {
    let shown = &row.shown;
    let has_ended = shown
        .state_type
        .as_ref()
        .is_some_and(StateType::is_terminal);
    match (*shown.start_time, *shown.expected_start_time) {
        (Some(start), Some(expected)) if start > expected => start - expected,
        (None, Some(expected)) if expected < now && !has_ended => now - expected,
        _ => TimeDelta::zero(),
    }
}

pub(super) fn seconds(time: TimeDelta) -> f64 {
    time.num_microseconds()
        .map_or(0.0, |micros| micros as f64 / 1e6)
}
