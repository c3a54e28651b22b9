//! When the services of the server do something about a flow run.

use chrono::{DateTime, TimeDelta, Utc};

use crate::types::{State, StateType};

/// After how many seconds a run that has not begun is late.
const LATE_AFTER: TimeDelta = TimeDelta::seconds(15);

/// After how many seconds in CANCELLING the server says CANCELLED by itself.
const CANCELLING_TIMEOUT: TimeDelta = TimeDelta::seconds(300);

/// When a service does something about a run in this state.
pub(super) fn deadline_of(state: &State) -> Option<DateTime<Utc>> {
    let details = state.state_details.as_ref();
    let after = |time: DateTime<Utc>, delta| time.checked_add_signed(delta);
    match state.type_ {
        StateType::Scheduled if state.name.as_deref() == Some("Scheduled") => {
            after((*details?.scheduled_time)?, LATE_AFTER)
        }
        StateType::Paused => *details?.pause_timeout,
        StateType::Cancelling => after(state.timestamp?, CANCELLING_TIMEOUT),
        _ => None,
    }
}
