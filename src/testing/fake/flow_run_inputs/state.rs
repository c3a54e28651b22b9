//! `Inputs`: the inputs of flow runs, in the order in which they came.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::testing::fake::reply::Refusal;
use crate::types::FlowRunInput;

/// The inputs of flow runs, in the order in which they came.
#[derive(Default)]
pub(crate) struct Inputs {
    of_run: HashMap<Uuid, Vec<FlowRunInput>>,
}

impl Inputs {
    /// The value under a key of a flow run.
    pub(crate) fn get(&self, run: Uuid, key: &str) -> Option<&str> {
        let mut inputs = self.of(run).iter();
        inputs
            .find(|input| input.key == key)
            .map(|input| input.value.as_str())
    }

    /// Adds a value under a key of a flow run.
    ///
    /// # Errors
    ///
    /// 409, when there is one; 500, when the server does not take the key.
    pub(crate) fn put(
        &mut self,
        now: DateTime<Utc>,
        run: Uuid,
        key: String,
        value: String,
        sender: Option<String>,
    ) -> Result<(), Refusal> {
        let is_allowed = |c: char| c == '-' || c.is_ascii_lowercase() || c.is_ascii_digit();
        if !key.chars().all(is_allowed) {
            return Err(Refusal::message(500, "Internal Server Error"));
        }
        if self.get(run, &key).is_some() {
            let text = "A flow run input with this key already exists.";
            return Err(Refusal::detail(409, text));
        }
        let input = serde_json::from_value(json!({
            "id": Uuid::new_v4(), "created": now, "updated": now, "flow_run_id": run, "key": key, "value": value,
            "sender": sender,
        }));
        let input = input.map_err(|error| Refusal::unsupported(format!("inputs ({error})")))?;
        self.of_run.entry(run).or_default().push(input);
        Ok(())
    }

    /// The inputs of a flow run.
    pub(super) fn of(&self, run: Uuid) -> &[FlowRunInput] {
        self.of_run.get(&run).map_or(&[], Vec::as_slice)
    }

    /// Removes the value under a key of a flow run; whether there was one.
    pub(crate) fn remove(&mut self, run: Uuid, key: &str) -> bool {
        let Some(inputs) = self.of_run.get_mut(&run) else {
            return false;
        };
        let before = inputs.len();
        inputs.retain(|input| input.key != key);
        inputs.len() < before
    }

    pub(crate) fn remove_of_flow_run(&mut self, run: Uuid) {
        self.of_run.remove(&run);
    }
}
