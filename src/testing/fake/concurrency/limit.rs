//! `Limit`: one concurrency limit, and how its slots are counted as time passes.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// What the name of a limit on a tag starts with.
pub(crate) const TAG: &str = "tag:";

/// How long a client is told to wait at most for a slot of a tag (`PREFECT_SERVER_TASKS_TAG_CONCURRENCY_SLOT_WAIT_SECONDS`).
pub(crate) const TAG_WAIT: f64 = 10.0;

/// The same for any other limit (`PREFECT_SERVER_CONCURRENCY_MAXIMUM_CONCURRENCY_SLOT_WAIT_SECONDS`).
const WAIT: f64 = 30.0;

/// The least time that the average of occupancies counts a slot for.
const LEAST_OCCUPANCY: f64 = 0.1;

/// A concurrency limit. The server has one table of them: those of tags and of deployments are told by their names.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    pub id: Uuid,
    pub created: DateTime<Utc>,
    /// The last change, of the slots too: decay is counted from here.
    pub updated: DateTime<Utc>,
    pub active: bool,
    pub name: String,
    pub limit: i64,
    /// The slots in use at the last change.
    pub active_slots: i64,
    pub denied_slots: i64,
    pub slot_decay_per_second: f64,
    pub avg_slot_occupancy_seconds: f64,
}

impl Limit {
    pub(super) fn new(name: String, limit: i64, now: DateTime<Utc>) -> Self {
        Self {
            id: Uuid::new_v4(),
            created: now,
            updated: now,
            active: true,
            name,
            limit,
            active_slots: 0,
            denied_slots: 0,
            slot_decay_per_second: 0.0,
            avg_slot_occupancy_seconds: 2.0,
        }
    }

    /// The tag that the limit is for, if it is one of a tag.
    pub(crate) fn tag(&self) -> Option<&str> {
        self.name.strip_prefix(TAG)
    }

    /// The slots in use: those of a rate limit become free by themselves.
    pub(crate) fn occupied(&self, now: DateTime<Utc>) -> i64 {
        (self.active_slots - self.decayed(self.slot_decay_per_second, now)).max(0)
    }

    fn denied(&self, now: DateTime<Utc>) -> i64 {
        let rate = if self.slot_decay_per_second > 0.0 {
            self.slot_decay_per_second
        } else {
            // The database compares the name here, and without case, unlike the rest of the server.
            let start = self.name.as_bytes().get(..TAG.len());
            let is_tag = start.is_some_and(|start| start.eq_ignore_ascii_case(TAG.as_bytes()));
            let longest = if is_tag { TAG_WAIT } else { WAIT };
            let occupancy = self.avg_slot_occupancy_seconds.min(longest);
            occupancy.max(LEAST_OCCUPANCY).recip()
        };
        (self.denied_slots - self.decayed(rate, now)).max(0)
    }

    /// How many slots have become free since the last change.
    fn decayed(&self, rate: f64, now: DateTime<Utc>) -> i64 {
        let since = (now - self.updated).as_seconds_f64().max(0.0);
        // The kit's clock goes by whole seconds: 0.1 × 30 s are 3 slots, whatever the last bit of the product is.
        // A float that is too large becomes the largest integer, and frees all slots.
        (rate * since + 1e-9).floor() as i64
    }

    /// Whether slots can be taken: never from a limit that is switched off.
    pub(super) fn has_room(&self, slots: i64, now: DateTime<Utc>) -> bool {
        self.active && self.occupied(now).saturating_add(slots) <= self.limit
    }

    pub(super) fn take(&mut self, slots: i64, now: DateTime<Utc>) {
        self.denied_slots = self.denied(now);
        self.active_slots = self.occupied(now).saturating_add(slots);
        self.touch(now);
    }

    /// Gives slots back that were occupied for so many seconds, which goes into the average of the limit.
    pub(super) fn give_back(&mut self, slots: i64, seconds: Option<f64>, now: DateTime<Utc>) {
        self.denied_slots = self.denied(now);
        self.active_slots = self.occupied(now).saturating_sub(slots).max(0);
        self.touch(now);
        if let Some(seconds) = seconds {
            let per_slot = (seconds / as_f64(slots)).max(LEAST_OCCUPANCY);
            let samples = as_f64(self.limit) * 2.0;
            self.avg_slot_occupancy_seconds +=
                (per_slot - self.avg_slot_occupancy_seconds) / samples;
        }
    }

    pub(super) fn touch(&mut self, now: DateTime<Utc>) {
        self.updated = self.updated.max(now);
    }

    /// How many slots stand in the way of one who wants so many; the limit with most of them is the one to wait for.
    pub(super) fn blocking(&self, slots: i64) -> f64 {
        let wanted = as_f64(slots.saturating_add(self.denied_slots));
        if self.slot_decay_per_second > 0.0 {
            wanted
        } else {
            wanted / as_f64(self.limit)
        }
    }

    /// After how many seconds one who found no slots should ask again. The real server scatters this at random, from three quarters of
    /// it to 1.3 times as much.
    pub(super) fn wait(&self, slots: i64) -> f64 {
        let blocking = self.blocking(slots);
        if self.slot_decay_per_second > 0.0 {
            blocking / self.slot_decay_per_second
        } else {
            let longest = self.tag().map_or(WAIT, |_| TAG_WAIT);
            (self.avg_slot_occupancy_seconds.min(longest) * blocking).min(longest)
        }
    }
}

/// Slots as a float. No server has as many as a float cannot count.
pub(super) const fn as_f64(slots: i64) -> f64 {
    slots as f64
}
