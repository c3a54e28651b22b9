//! `SeenWindow`: which of the items of a time were seen, so that each is delivered once.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// The ids of the latest items that were seen, with their times; at most so many, whatever comes.
pub(crate) struct SeenWindow {
    seen: BTreeSet<(DateTime<Utc>, Uuid)>,
    capacity: usize,
    /// What is older may have been seen and forgotten.
    complete_since: Option<DateTime<Utc>>,
}

impl SeenWindow {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            seen: BTreeSet::new(),
            capacity,
            complete_since: None,
        }
    }

    /// Marks an item as seen; `false` if it was before, or may have been.
    pub(crate) fn insert(&mut self, time: DateTime<Utc>, id: Uuid) -> bool {
        if self.complete_since.is_some_and(|since| time < since) {
            return false;
        }
        let is_new = self.seen.insert((time, id));
        if self.seen.len() > self.capacity {
            self.forget_oldest();
        }
        is_new
    }

    /// Forgets all items of the oldest time, so that those of a time are all known, or none.
    fn forget_oldest(&mut self) {
        let Some((oldest, _)) = self.seen.pop_first() else {
            return;
        };
        let since = oldest + TimeDelta::microseconds(1);
        while self.seen.first().is_some_and(|(time, _)| *time < since) {
            self.seen.pop_first();
        }
        self.complete_since = Some(since);
    }

    pub(crate) fn contains(&self, time: DateTime<Utc>, id: Uuid) -> bool {
        self.seen.contains(&(time, id))
    }

    /// The time from which on all items that were seen are known; `None` if all are.
    pub(crate) fn complete_since(&self) -> Option<DateTime<Utc>> {
        self.complete_since
    }

    /// The time of the newest item.
    pub(crate) fn newest(&self) -> Option<DateTime<Utc>> {
        self.seen.last().map(|(time, _)| *time)
    }

    /// How many items were seen of this time and later ones.
    pub(crate) fn count_since(&self, since: Option<DateTime<Utc>>) -> usize {
        match since {
            Some(since) => self.seen.range((since, Uuid::nil())..).count(),
            None => self.seen.len(),
        }
    }

    /// How many items were seen of the times from `since` to before `until`.
    pub(crate) fn count_between(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> usize {
        if since >= until {
            return 0;
        }
        let range = (since, Uuid::nil())..(until, Uuid::nil());
        self.seen.range(range).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("a time")
    }

    #[test]
    fn what_was_forgotten_is_not_taken_for_new() {
        let mut window = SeenWindow::new(100);
        let ids: Vec<_> = (0..1000)
            .map(|second| (at(second), Uuid::new_v4()))
            .collect();
        for (time, id) in &ids {
            assert!(window.insert(*time, *id));
            assert!(!window.insert(*time, *id));
        }
        assert!(ids.iter().all(|(time, id)| !window.insert(*time, *id)));
        assert!(window.count_since(None) <= 100);
        let since = window.complete_since().expect("some are forgotten");
        let known = ids.iter().filter(|(time, _)| *time >= since).count();
        assert_eq!(window.count_since(Some(since)), known);
    }

    #[test]
    fn items_of_one_time_are_known_or_forgotten_together() {
        let mut window = SeenWindow::new(10);
        for second in [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2] {
            window.insert(at(second), Uuid::new_v4());
        }
        assert_eq!(window.count_since(None), 5);
        assert_eq!(window.count_between(at(1), at(2)), 4);
        assert_eq!(window.count_between(at(2), at(1)), 0);
        assert_eq!(window.newest(), Some(at(2)));
    }
}
