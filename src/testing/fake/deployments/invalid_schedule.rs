//! The refusal of a schedule.

use crate::testing::fake::reply::Refusal;

/// Refuses a schedule.
pub(super) fn invalid(text: &str) -> Refusal {
    Refusal::invalid(&["body", "schedule"], "value_error", text)
}
