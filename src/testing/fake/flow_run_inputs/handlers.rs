//! The routes of the inputs of flow runs.

use crate::testing::fake::call::Call;
use crate::testing::fake::filter::like;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;
use crate::types::{CreateFlowRunInputRequest, FilterFlowRunInputRequest, FlowRunInput};

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let run = call.id("id")?;
    let body: CreateFlowRunInputRequest = call.decode()?;
    // The key comes first: whether there is such a flow run, only the database knows.
    if !world.flow_runs.rows.contains(run) {
        let text = "Flow run not found";
        return Err(Refusal::detail(404, text));
    }
    let sender = body.sender.into_option();
    world
        .inputs
        .put(world.now, run, body.key, body.value, sender)?;
    Ok(Reply::created(&()))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let run = call.id("id")?;
    let body: FilterFlowRunInputRequest = call.decode()?;
    let excluded = body.exclude_keys.unwrap_or_default();
    // A negative limit is none.
    let limit = usize::try_from(body.limit.unwrap_or(1)).unwrap_or(usize::MAX);
    let found = world.inputs.of(run).iter().filter(|input| {
        like(&format!("{}%", body.prefix), &input.key) && !excluded.contains(&input.key)
    });
    Ok(Reply::ok(
        &found.take(limit).collect::<Vec<&FlowRunInput>>(),
    ))
}

pub(super) fn read(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let value = world.inputs.get(call.id("id")?, call.text("key"));
    let value = value.ok_or_else(missing)?;
    Ok(Reply::text("text/plain; charset=utf-8", value))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    match world.inputs.remove(call.id("id")?, call.text("key")) {
        true => Ok(Reply::no_content()),
        false => Err(missing()),
    }
}

fn missing() -> Refusal {
    Refusal::not_found("Flow run input not found")
}
