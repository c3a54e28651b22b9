//! Runs of a deployment that have not begun: they go when the deployment is changed or deleted.

use uuid::Uuid;

use crate::testing::fake::flow_runs;
use crate::testing::fake::world::World;
use crate::types::StateType;

/// Which runs that have not begun are removed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    All,
    /// Those that the scheduler has planned.
    Auto,
    /// Those of them that are due later.
    AutoInFuture,
}

/// Removes runs of a deployment that have not begun, and do not wait for a slot.
pub(super) fn remove_waiting_runs(world: &mut World, deployment: Uuid, which: Which) {
    let now = world.now;
    let is_removed = |run: &&flow_runs::Run| {
        let shown = &run.shown;
        *shown.deployment_id == Some(deployment)
            && shown.state_type.as_ref() == Some(&StateType::Scheduled)
            && shown.state_name.as_deref() != Some("AwaitingConcurrencySlot")
            && shown.run_count.unwrap_or(0) == 0
            && (which == Which::All || shown.auto_scheduled == Some(true))
            && (which != Which::AutoInFuture
                || shown.next_scheduled_start_time.is_some_and(|at| at > now))
    };
    let removed = world.flow_runs.rows.iter().filter(is_removed);
    let removed: Vec<Uuid> = removed.map(|run| run.shown.id).collect();
    for run in removed {
        flow_runs::remove(world, run);
    }
}
