//! Resuming a flow run that is paused.

use serde_json::json;

use super::caller::Caller;
use super::set_state::propose;
use crate::testing::fake::call::Call;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;
use crate::types::{StateCreate, StateType};

pub(super) fn resume(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let (id, body) = (call.id("id")?, call.json()?);
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
    let input = body["run_input"].as_object().cloned().unwrap_or_default();
    if let Some(keyset) = &keyset {
        let key = keyset.get("schema").map_or("", String::as_str);
        let Some(schema) = world.inputs.get(id, key) else {
            return Ok(Reply::ok(&json!({
                "state": paused, "status": "REJECT",
                "details": {"type": "abort_details", "reason": "Run input schema not found."},
            })));
        };
        if !is_without_conditions(schema) {
            return Err(Refusal::unsupported("the check of run input by its schema"));
        }
    }
    let state = match details.pause_reschedule == Some(true) {
        true => StateCreate::new(StateType::Scheduled).name("Resuming"),
        false => StateCreate::running(),
    };
    let (result, written) = propose(world, id, state, false, Caller::of(call))?;
    if let Some(keyset) = keyset.filter(|_| !input.is_empty() && written) {
        let key = keyset.get("response").cloned().unwrap_or_default();
        let value = serde_json::to_string(&input).unwrap_or_default();
        world.inputs.put(world.now, id, key, value, None)?;
    }
    Ok(Reply::created_if(written, &result))
}

/// Whether any object fulfils a schema.
fn is_without_conditions(schema: &str) -> bool {
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap_or_default();
    let conditions = [
        "required",
        "properties",
        "allOf",
        "anyOf",
        "oneOf",
        "$ref",
        "additionalProperties",
    ];
    schema.is_object()
        && conditions.iter().all(|word| {
            schema[*word].as_object().is_none_or(|o| o.is_empty())
                && schema[*word].as_array().is_none_or(Vec::is_empty)
        })
}
