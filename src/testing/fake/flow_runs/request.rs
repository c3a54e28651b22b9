//! What the server checks of requests about flow runs before it looks at anything else.

use serde_json::Value;

use crate::testing::fake::call::refuse_undeclared;
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::work_pools::no_null;
use crate::types::{StateCreate, StateType};

/// The keys of a flow run that take no null.
pub(super) const NOT_NULL: [&str; 4] = ["parameters", "context", "empirical_policy", "tags"];

/// Refuses a state that the server cannot read; `sent` is what the request has under its key.
pub(crate) fn check_state(state: &StateCreate, sent: &Value) -> Result<(), Refusal> {
    refuse_undeclared(state)?;
    no_null(sent, &["state_details"])?;
    match &state.type_ {
        StateType::Unknown(_) => {
            let text = "Input should be the type of a state";
            Err(Refusal::invalid(&["body", "state", "type"], "enum", text))
        }
        _ => Ok(()),
    }
}
