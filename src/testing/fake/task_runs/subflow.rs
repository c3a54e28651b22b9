//! The task run that stands for a subflow in the graph of its parent.

use uuid::Uuid;

use super::set_state::propose;
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::World;
use crate::types::State;

/// Gives the task run that a subflow was created for the state of the subflow.
pub(crate) fn mirror_subflow(
    world: &mut World,
    task_run: Uuid,
    child: Uuid,
    state: &State,
) -> Result<(), Refusal> {
    if !world.task_runs.rows.contains(task_run) {
        return Ok(());
    }
    let mut copy = state.clone();
    copy.id = Uuid::new_v4();
    copy.timestamp = Some(world.now);
    copy.state_details.get_or_insert_default().child_flow_run_id = child.into();
    propose(world, task_run, copy, true).map(|_| ())
}
