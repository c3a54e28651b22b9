//! `PollPlan`: which runs a poll reads, and how many at a time.

use std::time::{Duration, Instant};

use uuid::Uuid;

/// How many runs one request asks for: a server returns no more at a time.
pub(super) const IDS_PER_REQUEST: usize = 200;

/// How many runs one request asks for when only those that have ended are returned.
pub(super) const ENDED_IDS_PER_REQUEST: usize = 1000;

/// How long after a change a run is polled once more.
pub(super) const RECHECK_DELAY: Duration = Duration::from_secs(2);

/// The time from one request to the next, on average, when there are many runs.
pub(super) const REQUEST_SPACING: Duration = Duration::from_millis(200);

/// What a subscription is for.
#[derive(Clone, Copy)]
pub(super) enum Interest {
    /// The end of the run.
    End = 0,
    /// Every state that a poll sees.
    EveryState = 1,
    /// Only that the run has changed, as events report it: it is not polled.
    Hints = 2,
}

/// Which runs a poll is to read.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Scope {
    /// Those that have changed.
    Changed,
    /// All.
    All,
    /// All, whether or not they have ended, so that it is seen which of them exist.
    Existing,
}

/// A poll that has begun.
pub(super) struct PollPlan {
    pub number: u64,
    /// The runs of which the state is of interest, whatever it is.
    pub every_state: Vec<Uuid>,
    /// The runs that are of interest only if they have ended.
    pub ended: Vec<Uuid>,
    /// When a run is to be polled once more.
    pub again_at: Option<Instant>,
}

impl PollPlan {
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            every_state: Vec::new(),
            ended: Vec::new(),
            again_at: None,
        }
    }

    /// Adds a run; `was_read` if it is known to exist.
    pub(super) fn add(&mut self, id: Uuid, interests: &Interests, was_read: bool, scope: Scope) {
        let is_awaited = interests.contain(Interest::End);
        let needs_existence = !was_read || scope == Scope::Existing;
        if interests.contain(Interest::EveryState) || (is_awaited && needs_existence) {
            self.every_state.push(id);
        } else if is_awaited {
            self.ended.push(id);
        }
    }
}

/// How many subscriptions to a run there are of each interest.
#[derive(Default)]
pub(super) struct Interests([usize; 3]);

impl Interests {
    pub(super) fn add(&mut self, interest: Interest) {
        self.0[interest as usize] += 1;
    }

    pub(super) fn remove(&mut self, interest: Interest) {
        let count = &mut self.0[interest as usize];
        *count = count.saturating_sub(1);
    }

    pub(super) fn are_none(&self) -> bool {
        self.0.iter().all(|count| *count == 0)
    }

    fn contain(&self, interest: Interest) -> bool {
        self.0[interest as usize] > 0
    }
}
