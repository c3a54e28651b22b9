//! `NextPoll`: when which runs are polled.

use std::time::{Duration, Instant};

use super::poll_plan::{PollPlan, REQUEST_SPACING, Scope};

/// The interval at which all runs are polled while events report changes.
const POLL_INTERVAL_LIVE: Duration = Duration::from_secs(10);

/// The interval at which all runs are polled while no events are received. It is longer when that takes many
/// requests.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// The interval at which all runs are polled whether or not they have ended, so that it is seen that one was deleted.
const EXISTENCE_INTERVAL: Duration = Duration::from_secs(60);

/// When the next polls are due.
pub(super) struct NextPoll {
    /// Of all runs.
    all_at: Instant,
    /// Of all runs, whether or not they have ended.
    existing_at: Instant,
    /// Of the runs that have changed lately, once more.
    changed_at: Option<Instant>,
    /// What the poll that has begun reads.
    scope: Scope,
}

impl NextPoll {
    /// All polls are due now.
    pub(super) fn now() -> Self {
        let now = Instant::now();
        Self {
            all_at: now,
            existing_at: now,
            changed_at: None,
            scope: Scope::Changed,
        }
    }

    /// What the poll that begins now is to read.
    pub(super) fn scope(&mut self, now: Instant) -> Scope {
        self.scope = match (now >= self.existing_at, now >= self.all_at) {
            (true, _) => Scope::Existing,
            (false, true) => Scope::All,
            (false, false) => Scope::Changed,
        };
        self.scope
    }

    /// Schedules the polls after this one.
    pub(super) fn schedule(&mut self, plan: &PollPlan, is_live: bool, retry_after: Duration) {
        let now = Instant::now();
        let interval = match is_live {
            true => POLL_INTERVAL_LIVE,
            false => POLL_INTERVAL,
        };
        let spaced = REQUEST_SPACING.saturating_mul(plan.requests() as u32);
        let due = now + interval.max(spaced).max(retry_after);
        self.all_at = match self.scope {
            Scope::Changed if retry_after.is_zero() => self.all_at.min(due),
            // Those that could not be read are read with all others.
            _ => due,
        };
        if self.scope == Scope::Existing && retry_after.is_zero() {
            self.existing_at = now + EXISTENCE_INTERVAL;
        }
        if plan.has_changed {
            self.changed_at.get_or_insert(now + POLL_INTERVAL);
        }
    }

    /// When the next poll is due, unless a run changes before.
    pub(super) fn at(&self) -> Instant {
        let changed_at = self.changed_at.unwrap_or(self.all_at);
        self.all_at.min(changed_at)
    }

    /// Whether the runs that have changed lately are due, once.
    pub(super) fn polls_changed_again(&mut self) -> bool {
        let is_due = self.changed_at.is_some_and(|at| Instant::now() >= at);
        if is_due {
            self.changed_at = None;
        }
        is_due
    }
}
