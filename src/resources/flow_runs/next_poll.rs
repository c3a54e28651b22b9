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
    /// Of runs that have changed lately, once more.
    again_at: Option<Instant>,
    /// The shortest interval between polls of all runs, as many requests as they take.
    spacing: Duration,
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
            again_at: None,
            spacing: Duration::ZERO,
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

    /// Schedules the polls after this one, which took so many requests.
    pub(super) fn schedule(
        &mut self,
        plan: &PollPlan,
        requests: usize,
        is_live: bool,
        retry_after: Duration,
    ) {
        let now = Instant::now();
        let interval = match is_live {
            true => POLL_INTERVAL_LIVE,
            false => POLL_INTERVAL,
        };
        if self.scope != Scope::Changed {
            let requests = u32::try_from(requests).unwrap_or(u32::MAX);
            self.spacing = REQUEST_SPACING.saturating_mul(requests);
        }
        let due = now + interval.max(self.spacing).max(retry_after);
        self.all_at = match self.scope {
            Scope::Changed if retry_after.is_zero() => self.all_at.min(due),
            // Those that could not be read are read with all others.
            _ => due,
        };
        if self.scope == Scope::Existing && retry_after.is_zero() {
            self.existing_at = now + EXISTENCE_INTERVAL.max(self.spacing);
        }
        self.again_at = plan.again_at;
    }

    /// When the next poll is due, unless a run changes before.
    pub(super) fn at(&self) -> Instant {
        let again_at = self.again_at.unwrap_or(self.all_at);
        self.all_at.min(again_at)
    }

    /// Whether this poll reads all runs.
    pub(super) fn is_of_all(&self) -> bool {
        self.scope != Scope::Changed
    }
}
