//! `Queue`: the runs that the last poll has found.

use std::collections::{HashSet, VecDeque};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::due_run::private::Scheduled;
use super::due_run::{DueRun, Withheld, taken_at};
use super::source::MAX_RUNS;

/// The runs that the last poll has found, in the order in which they are taken.
pub(super) struct Queue<R> {
    runs: VecDeque<(DateTime<Utc>, R)>,
    /// All runs that the last poll has found.
    known: HashSet<Uuid>,
    withheld: Withheld,
    /// Whether the last poll has found as many runs as it may.
    is_full: bool,
    /// Whether one of its runs was taken.
    is_taken: bool,
}

impl<R> Default for Queue<R> {
    fn default() -> Self {
        Self {
            runs: VecDeque::new(),
            known: HashSet::new(),
            withheld: Withheld::default(),
            is_full: false,
            is_taken: false,
        }
    }
}

impl<R> Queue<R> {
    /// When the next run is to be taken.
    pub(super) fn next_due(&self) -> Option<DateTime<Utc>> {
        self.runs.front().map(|(due, _)| *due)
    }

    /// Whether there may be more runs than the last poll has found, of which all that are due were taken.
    pub(super) fn wants_more(&self) -> bool {
        self.is_full && self.is_taken
    }
}

impl<R: Scheduled> Queue<R> {
    /// Takes the run that has waited longest.
    pub(super) fn take(&mut self, now: DateTime<Utc>) -> Option<DueRun<R>> {
        while self.next_due().is_some_and(|due| due <= now) {
            let (_, run) = self.runs.pop_front()?;
            if !self.withheld.has(run.id()) {
                self.is_taken = true;
                return Some(DueRun::new(run, &self.withheld));
            }
        }
        None
    }

    /// Replaces the runs by those of another poll; returns whether one of these is new.
    pub(super) fn replace(&mut self, found: Vec<R>, now: DateTime<Utc>) -> bool {
        self.withheld.tidy();
        self.is_full = found.len() >= MAX_RUNS;
        self.is_taken = false;
        let before = std::mem::take(&mut self.known);
        self.known = found.iter().map(Scheduled::id).collect();
        let free = found.into_iter();
        let free = free.filter(|run| !self.withheld.has(run.id()));
        let mut runs: Vec<_> = free.map(|run| (taken_at(&run), run)).collect();
        // Stable: of a pool, the server has sorted them by priority.
        runs.sort_by_key(|(due, _)| (*due).max(now));
        self.runs = runs.into();
        self.known.iter().any(|run| !before.contains(run))
    }
}
