//! `Chunk`: runs that are asked for together.

use uuid::Uuid;

use super::creation::MANY;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{DeploymentFlowRunCreate, Field};

/// Runs that are asked for together.
pub(super) struct Chunk {
    /// What is still to be asked for, and the places of its items.
    pub runs: Vec<DeploymentFlowRunCreate>,
    pub places: Vec<usize>,
    pub items: Vec<Item>,
}

pub(super) struct Item {
    pub outcome: Result<Uuid>,
    /// Whether its key was made here.
    has_our_key: bool,
    /// Whether it may be there in spite of what the server says.
    pub unclear: bool,
}

impl Chunk {
    pub fn new(mut runs: Vec<DeploymentFlowRunCreate>) -> Self {
        let items = runs.iter_mut().map(|run| Item {
            outcome: Err(Error::new(ErrorKind::UnexpectedBody, "it was not asked for").of(MANY)),
            has_our_key: give_key(run),
            unclear: false,
        });
        Self {
            items: items.collect(),
            places: (0..runs.len()).collect(),
            runs,
        }
    }

    /// All that is open; nothing is, then.
    pub fn take(&mut self) -> Vec<(usize, DeploymentFlowRunCreate)> {
        let places = std::mem::take(&mut self.places).into_iter();
        places.zip(std::mem::take(&mut self.runs)).collect()
    }

    /// Takes down what came of an item, for now.
    pub fn settle(&mut self, place: usize, outcome: Result<Uuid>) {
        let item = &mut self.items[place];
        item.outcome = outcome.map_err(|error| {
            item.unclear |= error.may_have_happened();
            // Who calls again gives another key, and so may get a second run.
            let again = error.is_retryable() && !(item.unclear && item.has_our_key);
            error.judged(item.unclear, again)
        });
    }
}

/// A key makes that a run which is asked for twice is one; whether it had none.
fn give_key(run: &mut DeploymentFlowRunCreate) -> bool {
    // An empty key is none to the server.
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
        Err(Error::new(ErrorKind::Connection, "lost").judged(true, true))
    }

    /// Another call makes another key, and so a second run.
    #[test]
    fn who_gave_the_key_may_call_again() {
        let own = DeploymentFlowRunCreate::new().idempotency_key("mine");
        let empty = DeploymentFlowRunCreate::new().idempotency_key("");
        let mut chunk = Chunk::new(vec![own, empty, DeploymentFlowRunCreate::new()]);
        let runs = chunk.take();
        assert_eq!(runs[0].1.idempotency_key.as_deref(), Some("mine"));
        for (place, run) in runs {
            assert!(
                !run.idempotency_key
                    .as_deref()
                    .unwrap_or_default()
                    .is_empty()
            );
            chunk.settle(place, lost());
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
        let refused = Error::new(ErrorKind::Server, "locked").judged(false, true);
        chunk.settle(0, Err(refused));
        let error = chunk.items.remove(0).outcome.expect_err("refused");
        assert!(error.may_have_happened() && !error.is_retryable());
    }
}
