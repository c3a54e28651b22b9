//! Resuming a flow run that is paused.

use std::collections::BTreeMap;

use serde_json::json;
use uuid::Uuid;

use super::caller::Caller;
use super::set_state::propose;
use crate::testing::fake::call::Call;
use crate::testing::fake::deployments::{BadInput, check_input, check_object, filled_input};
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;
use crate::types::{Json, ResumeFlowRunRequest, StateCreate, StateType};

pub(super) fn resume(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    let body: ResumeFlowRunRequest = call.decode()?;
    check_object("run_input", body.run_input.as_ref())?;
    // The server meets a run that it has not looked for.
    let run = world
        .flow_runs
        .rows
        .get(id)
        .ok_or_else(|| Refusal::message(500, "Internal Server Error"))?;
    let paused = run.state().filter(|state| state.type_ == StateType::Paused);
    let Some(paused) = paused else {
        let reason = "Cannot resume a flow run that is not paused.";
        return Ok(Reply::ok(&json!({
            "state": null, "status": "ABORT", "details": {"type": "abort_details", "reason": reason},
        })));
    };
    let details = paused.state_details.clone().unwrap_or_default();
    let keyset = details.run_input_keyset.into_option();
    let mut input = body.run_input.into_option().unwrap_or_else(empty);
    if let Some(keyset) = &keyset {
        match checked(world, id, keyset, &input) {
            Ok(filled) => input = filled,
            Err(BadInput::Refused(refusal)) => return Err(refusal),
            Err(BadInput::Reason(reason)) => {
                return Ok(Reply::ok(&json!({
                    "state": paused, "status": "REJECT", "details": {"type": "abort_details", "reason": reason},
                })));
            }
        }
    }
    let state = match details.pause_reschedule == Some(true) {
        true => StateCreate::new(StateType::Scheduled).name("Resuming"),
        false => StateCreate::running(),
    };
    let (result, written) = propose(world, id, state, false, Caller::of(call))?;
    if let Some(keyset) = keyset.filter(|_| input != empty() && written) {
        let key = keyset.get("response").cloned().unwrap_or_default();
        let value = input.as_str().to_owned();
        world.inputs.put(world.now, id, key, value, None)?;
    }
    Ok(Reply::created_if(written, &result))
}

/// The input as it is kept, if it is what the pause asks for.
fn checked(
    world: &World,
    run: Uuid,
    keyset: &BTreeMap<String, String>,
    input: &Json,
) -> Result<Json, BadInput> {
    let key = |of: &str| keyset.get(of).map_or("", String::as_str);
    let input = filled_input(world, input)?;
    let schema = world.inputs.get(run, key("schema"));
    let schema =
        schema.ok_or_else(|| BadInput::Reason("Run input schema not found.".to_owned()))?;
    check_input(&input, schema)?;
    if input != empty() && world.inputs.get(run, key("response")).is_some() {
        // The server sets the state, and takes it back when it cannot store the input.
        return Err(Refusal::unsupported("a second response to a pause").into());
    }
    Ok(input)
}

fn empty() -> Json {
    json!({}).into()
}
