//! Changes of task runs that are no transitions, and their deletion.

use super::read::missing;
use crate::testing::fake::call::Call;
use crate::testing::fake::flow_runs::{orphan_subflows, random_name};
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;
use crate::types::TaskRunUpdate;

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let (id, body): (_, TaskRunUpdate) = (call.id("id")?, call.run_body()?);
    let is_named = call.json()?.get("name").is_some();
    let now = world.now;
    let row = world.task_runs.rows.get_mut(id);
    let row = row.ok_or_else(|| Refusal::not_found("Task run not found"))?;
    row.shown.updated = now.into();
    // Null and an empty name are replaced by one that the server draws.
    if is_named {
        let name = body.name.filter(|name| !name.is_empty());
        row.shown.name = Some(name.unwrap_or_else(random_name));
    }
    Ok(Reply::no_content())
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    world.task_runs.remove(id).ok_or_else(missing)?;
    world.logs.remove_of_task_run(id);
    orphan_subflows(world, &[id].into());
    Ok(Reply::no_content())
}
