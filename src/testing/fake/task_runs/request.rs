//! Requests that create task runs: what the server checks before it looks at anything else.

use serde_json::Value;

use super::inputs;
use super::policy;
use super::set_state::check;
use crate::testing::fake::call::Call;
use crate::testing::fake::labels::check_labels;
use crate::testing::fake::reply::Refusal;
use crate::types::TaskRunCreate;

/// The most characters of a cache key.
const MAX_CACHE_KEY: usize = 2000;

/// The request, with its policy and its inputs as the server completes them.
pub(super) fn checked(call: &Call<'_>) -> Result<TaskRunCreate, Refusal> {
    let mut body: TaskRunCreate = call.run_body()?;
    refuse_nulls(&call.json()?)?;
    if let Some(state) = body.state.as_option() {
        check(state)?;
    }
    let key_length = body.cache_key.as_ref().map_or(0, |key| key.chars().count());
    if key_length > MAX_CACHE_KEY {
        let text =
            format!("Cache key exceeded maximum allowed length of {MAX_CACHE_KEY} characters.");
        return Err(invalid("cache_key", text));
    }
    check_labels(&body.labels)?;
    body.empirical_policy = Some(policy::complete(body.empirical_policy)?);
    let completed = inputs::complete(body.task_inputs.unwrap_or_default());
    let completed = completed.ok_or_else(|| invalid("task_inputs", "Input should be an input"))?;
    body.task_inputs = Some(completed);
    Ok(body)
}

/// Refuses null where the server takes none.
fn refuse_nulls(body: &Value) -> Result<(), Refusal> {
    let is_null = |value: Option<&Value>| value.is_some_and(Value::is_null);
    let policy = body.get("empirical_policy");
    if is_null(policy) {
        // The server reads the older names of its fields before it looks at what it has.
        return Err(Refusal::message(500, "Internal Server Error"));
    }
    let words = ["tags", "task_inputs"].map(|word| (word, body.get(word)));
    let of_policy = ["max_retries", "retry_delay_seconds"]
        .map(|word| (word, policy.and_then(|policy| policy.get(word))));
    let state = body
        .get("state")
        .and_then(|state| state.get("state_details"));
    let mut all = words
        .into_iter()
        .chain(of_policy)
        .chain([("state_details", state)]);
    match all.find(|(_, value)| is_null(*value)) {
        Some((word, _)) => Err(invalid(word, "Input should not be null")),
        None => Ok(()),
    }
}

fn invalid(word: &str, text: impl Into<String>) -> Refusal {
    Refusal::invalid(&["body", word], "value_error", text)
}
