//! `Chunk`: runs that are requested together.

use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::types::{DeploymentFlowRunCreate, Field};

/// The operation that creates many runs.
pub(super) const BULK_OPERATION: &str = "bulk_create_flow_runs_from_deployment";

/// Runs that are requested together.
pub(super) struct Chunk {
    /// The runs that are still to be requested, and the positions of their items.
    pub runs: Vec<DeploymentFlowRunCreate>,
    pub positions: Vec<usize>,
    pub items: Vec<Item>,
}

/// The result of one run so far.
pub(super) struct Item {
    pub outcome: Result<Uuid>,
    /// Whether the SDK generated its idempotency key.
    has_our_key: bool,
    /// Whether the run may exist in spite of the server's reply.
    pub is_ambiguous: bool,
}

impl Chunk {
    pub(super) fn new(mut runs: Vec<DeploymentFlowRunCreate>) -> Self {
        let items = runs.iter_mut().map(|run| Item {
            outcome: Err(
                Error::new(ErrorKind::UnexpectedBody, "the run was not requested")
                    .with_operation(BULK_OPERATION),
            ),
            has_our_key: give_key(run),
            is_ambiguous: false,
        });
        Self {
            items: items.collect(),
            positions: (0..runs.len()).collect(),
            runs,
        }
    }

    /// Takes out all runs that are still to be requested, with their positions.
    pub(super) fn take(&mut self) -> Vec<(usize, DeploymentFlowRunCreate)> {
        let positions = std::mem::take(&mut self.positions).into_iter();
        positions.zip(std::mem::take(&mut self.runs)).collect()
    }

    /// Records the outcome of an item; another attempt may replace it.
    pub(super) fn settle(&mut self, position: usize, outcome: Result<Uuid>) {
        let item = &mut self.items[position];
        item.outcome = outcome.map_err(|error| {
            item.is_ambiguous |= error.may_have_happened();
            // Another call would generate another key, and so might create a second run.
            let again = error.is_retryable() && !(item.is_ambiguous && item.has_our_key);
            error.with_outcome(item.is_ambiguous, again)
        });
    }
}

/// Adds an idempotency key to a run without one, so that two requests for it create one run. Returns whether
/// it had none.
fn give_key(run: &mut DeploymentFlowRunCreate) -> bool {
    // The server treats an empty key as none.
    let has_none = run.idempotency_key.as_deref().is_none_or(str::is_empty);
    if has_none {
        run.idempotency_key = Field::value(Uuid::new_v4().to_string());
    }
    has_none
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> Result<Uuid> {
        Err(Error::new(ErrorKind::Connection, "lost").with_outcome(true, true))
    }

    /// Another call generates another key, and so creates a second run.
    #[test]
    fn who_gave_the_key_may_call_again() {
        let own = DeploymentFlowRunCreate::new().idempotency_key("mine");
        let empty = DeploymentFlowRunCreate::new().idempotency_key("");
        let mut chunk = Chunk::new(vec![own, empty, DeploymentFlowRunCreate::new()]);
        let runs = chunk.take();
        assert_eq!(runs[0].1.idempotency_key.as_deref(), Some("mine"));
        for (position, run) in runs {
            assert!(
                !run.idempotency_key
                    .as_deref()
                    .unwrap_or_default()
                    .is_empty()
            );
            chunk.settle(position, lost());
        }
        let errors = chunk.items.into_iter().map(|item| item.outcome);
        let errors = errors.map(|outcome| outcome.expect_err("lost"));
        let again: Vec<_> = errors.map(|error| error.is_retryable()).collect();
        assert_eq!(again, [true, false, false]);
    }

    #[test]
    fn what_may_have_happened_still_may_when_another_attempt_did_nothing() {
        let mut chunk = Chunk::new(vec![DeploymentFlowRunCreate::new()]);
        chunk.settle(0, lost());
        let refused = Error::new(ErrorKind::Server, "locked").with_outcome(false, true);
        chunk.settle(0, Err(refused));
        let error = chunk.items.remove(0).outcome.expect_err("refused");
        assert!(error.may_have_happened() && !error.is_retryable());
    }
}
