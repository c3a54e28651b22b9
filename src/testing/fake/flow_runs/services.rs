//! What the services of the server do about flow runs when time passes.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::caller::Caller;
use super::set_state::{force_state, propose};
use crate::testing::fake::world::World;
use crate::types::{StateCreate, StateType};

/// Does what is due by now.
pub(crate) fn tick(world: &mut World) {
    while let Some(first) = world.flow_runs.deadlines.first().copied()
        && first.0 <= world.now
    {
        world.flow_runs.deadlines.remove(&first);
        expire(world, first);
    }
}

fn expire(world: &mut World, (at, id, state): (DateTime<Utc>, Uuid, Uuid)) {
    let Some(run) = world.flow_runs.rows.get(id) else {
        return;
    };
    let Some(current) = run.state().filter(|current| current.id == state) else {
        return;
    };
    let scheduled = current
        .state_details
        .as_ref()
        .and_then(|details| *details.scheduled_time);
    let kind = current.type_.clone();
    // What a service does, it does when it is due, however far the clock has jumped.
    let now = std::mem::replace(&mut world.now, at);
    let done = match kind {
        StateType::Scheduled => {
            let mut late = StateCreate::new(StateType::Scheduled).name("Late");
            late.state_details.get_or_insert_default().scheduled_time = scheduled.into();
            propose(world, id, late, false, Caller::default()).map(|_| ())
        }
        StateType::Paused => {
            let message = "The flow was paused and never resumed.";
            force_state(world, id, StateCreate::failed(message))
        }
        _ => {
            let mut cancelled = StateCreate::new(StateType::Cancelled);
            cancelled.message =
                "Flow run cancellation timed out; marked this flow run as Cancelled.".into();
            force_state(world, id, cancelled)
        }
    };
    world.now = now;
    // Nothing can refuse what the service does: the run and its state are there.
    drop(done);
}
