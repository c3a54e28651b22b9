//! The policy by which a task run is retried.

use serde_json::json;

use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::row;
use crate::types::{FlowsSettingsDefaultRetryDelaySeconds as Delays, Number, TaskRunPolicy};

/// The most delays of a list.
const MAX_DELAYS: usize = 50;

/// The policy with all keys that the server returns. What is only given by its older names is given by the newer ones, too.
pub(super) fn complete(given: Option<TaskRunPolicy>) -> Result<TaskRunPolicy, Refusal> {
    let invalid = |word: &str, text: &str| {
        Refusal::invalid(&["body", "empirical_policy", word], "value_error", text)
    };
    let given = given.unwrap_or_default();
    let mut policy: TaskRunPolicy = row(json!({
        "max_retries": given.max_retries.unwrap_or(0), "retry_delay_seconds": 0.0,
        "retries": null, "retry_delay": null, "retry_jitter_factor": null,
    }))?;
    let older_delay = given.retry_delay_seconds;
    policy.retry_delay_seconds = Some(older_delay.map_or(0.0, Number::as_f64).into());
    policy.retries = given.retries.into_option().into();
    if policy.retries.unwrap_or(0) == 0 && given.max_retries.unwrap_or(0) != 0 {
        policy.retries = given.max_retries.into();
    }
    policy.retry_delay = given.retry_delay.into_option().map(alike).into();
    let is_zero = policy.retry_delay.as_ref().is_none_or(|delay| match delay {
        Delays::Number(number) => number.as_f64() == 0.0,
        Delays::List(list) => list.is_empty(),
        Delays::Unknown(_) => false,
    });
    if let Some(older) = older_delay.filter(|older| is_zero && older.as_f64() != 0.0) {
        policy.retry_delay = Delays::Number(older).into();
    }
    match policy.retry_delay.as_option() {
        Some(Delays::List(list)) if list.len() > MAX_DELAYS => {
            return Err(invalid(
                "retry_delay",
                "Can not configure more than 50 retry delays per task.",
            ));
        }
        Some(Delays::Unknown(_)) => return Err(invalid("retry_delay", "Input should be a number")),
        _ => {}
    }
    if let Some(factor) = given.retry_jitter_factor.into_option() {
        if factor.as_f64() < 0.0 {
            return Err(invalid(
                "retry_jitter_factor",
                "`retry_jitter_factor` must be >= 0.",
            ));
        }
        policy.retry_jitter_factor = Number::from(factor.as_f64()).into();
    }
    Ok(policy)
}

/// A list with a fraction is one of fractions.
fn alike(delays: Delays) -> Delays {
    match delays {
        Delays::List(list) if list.iter().any(|delay| delay.as_f64().fract() != 0.0) => {
            Delays::List(
                list.iter()
                    .map(|delay| Number::from(delay.as_f64()))
                    .collect(),
            )
        }
        delays => delays,
    }
}

/// The delay before the next attempt, in seconds.
///
/// # Errors
///
/// 500, when the list of delays is empty.
pub(super) fn delay(policy: &TaskRunPolicy, run_count: i64) -> Result<f64, Refusal> {
    let delays = match policy.retry_delay.as_option() {
        None | Some(Delays::Unknown(_)) => return Ok(0.0),
        Some(Delays::Number(delay)) => return Ok(delay.as_f64()),
        Some(Delays::List(delays)) => delays,
    };
    // Python counts from the end where an index is negative.
    let last = i64::try_from(delays.len()).unwrap_or(i64::MAX) - 1;
    let index = (run_count - 1).min(last);
    let index = if index < 0 { index + last + 1 } else { index };
    let delay = usize::try_from(index)
        .ok()
        .and_then(|index| delays.get(index));
    let delay = delay.ok_or_else(|| Refusal::message(500, "Internal Server Error"))?;
    Ok(delay.as_f64())
}
