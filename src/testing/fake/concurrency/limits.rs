//! `Limits`: all concurrency limits and leases, and how slots are taken and given back.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::reply::Refusal;
use super::super::table::Table;
use super::lease::Leases;
use super::limit::{Limit, TAG};

/// For how long the older routes, whose clients cannot renew, lease a slot: for good.
pub(super) const FOR_GOOD: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// All concurrency limits and leases.
#[derive(Default)]
pub(crate) struct Limits {
    rows: Table<Limit>,
    /// The names, which are unique; the server lists limits in their order.
    names: BTreeMap<String, Uuid>,
    pub(super) leases: Leases,
}

impl Limits {
    pub(crate) fn get(&self, id: Uuid) -> Option<&Limit> {
        self.rows.get(id)
    }

    pub(super) fn get_mut(&mut self, id: Uuid) -> Option<&mut Limit> {
        self.rows.get_mut(id)
    }

    pub(super) fn id_of(&self, name: &str) -> Option<Uuid> {
        self.names.get(name).copied()
    }

    /// All limits in the order of their names.
    pub(super) fn by_name(&self) -> impl Iterator<Item = &Limit> {
        self.names.values().filter_map(|id| self.rows.get(*id))
    }

    /// Those limits that there are of these names, in the order of the names.
    pub(super) fn named<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Vec<&Limit> {
        let mut names: Vec<&str> = names.into_iter().collect();
        names.sort_unstable();
        names.dedup();
        let ids = names.into_iter().filter_map(|name| self.id_of(name));
        ids.filter_map(|id| self.rows.get(id)).collect()
    }

    /// Those limits that there are on these tags, in the order of the tags.
    pub(super) fn of_tags(&self, tags: &[String]) -> Vec<&Limit> {
        let names: Vec<String> = tags.iter().map(|tag| format!("{TAG}{tag}")).collect();
        self.named(names.iter().map(String::as_str))
    }

    /// Adds a limit; 409 where its name is taken.
    pub(super) fn add(&mut self, limit: Limit) -> Result<Uuid, Refusal> {
        let id = limit.id;
        if self.names.contains_key(&limit.name) {
            return Err(Refusal::integrity());
        }
        self.names.insert(limit.name.clone(), id);
        self.rows.insert(id, limit);
        Ok(id)
    }

    /// Gives a limit another name; 409 where that is taken.
    pub(super) fn rename(&mut self, id: Uuid, name: String) -> Result<(), Refusal> {
        if self.id_of(&name).is_some_and(|other| other != id) {
            return Err(Refusal::integrity());
        }
        if let Some(limit) = self.rows.get_mut(id) {
            self.names.remove(&limit.name);
            self.names.insert(name.clone(), id);
            limit.name = name;
        }
        Ok(())
    }

    /// Deletes a limit; its leases stay.
    pub(super) fn remove(&mut self, id: Uuid) -> Option<Limit> {
        let limit = self.rows.remove(id)?;
        self.names.remove(&limit.name);
        Some(limit)
    }

    /// Takes slots of each of these limits, or of none of them.
    ///
    /// The server counts the rows that it has changed, so a limit that is named twice counts as one without room.
    pub(super) fn take(&mut self, ids: &[Uuid], slots: i64, now: DateTime<Utc>) -> bool {
        let room = |id: &Uuid| {
            self.rows
                .get(*id)
                .is_some_and(|limit| limit.has_room(slots, now))
        };
        let distinct = ids.iter().enumerate().all(|(i, id)| !ids[..i].contains(id));
        if !distinct || !ids.iter().all(room) {
            return false;
        }
        for id in ids {
            if let Some(limit) = self.rows.get_mut(*id) {
                limit.take(slots, now);
            }
        }
        true
    }

    /// Gives slots back that were occupied for so many seconds, to those of these limits that are switched on.
    ///
    /// # Errors
    ///
    /// 409, and nothing is given back, when the seconds are known and one of the limits is 0: the server divides by it.
    pub(super) fn give_back(
        &mut self,
        ids: &[Uuid],
        slots: i64,
        seconds: Option<f64>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let active = |id: &&Uuid| self.rows.get(**id).is_some_and(|limit| limit.active);
        let mut on: Vec<Uuid> = ids.iter().filter(active).copied().collect();
        on.sort_unstable();
        on.dedup();
        let zero = |id: &Uuid| self.rows.get(*id).is_some_and(|limit| limit.limit == 0);
        if seconds.is_some() && on.iter().any(zero) {
            return Err(Refusal::integrity());
        }
        for id in &on {
            if let Some(limit) = self.rows.get_mut(*id) {
                limit.give_back(slots, seconds, now);
            }
        }
        Ok(())
    }

    /// The task runs that hold slots of a limit, as the older routes show them.
    pub(super) fn holding(&self, limit: Uuid, now: DateTime<Utc>) -> Vec<Uuid> {
        use crate::types::ConcurrencyLeaseHolderType::TaskRun;
        let held = self.leases.held(limit, now).map(|(_, holder)| holder);
        held.filter(|holder| holder.type_ == TaskRun)
            .map(|holder| holder.id)
            .collect()
    }

    /// Takes back the slots of the leases that have ended: what the service `Repossessor` does every 15 s.
    pub(super) fn expire(&mut self, now: DateTime<Utc>) {
        for lease in self.leases.ended(now) {
            let seconds = (lease.expires - lease.created).as_seconds_f64();
            let given = self.give_back(&lease.limits, lease.slots, Some(seconds), lease.expires);
            // Where the database refuses, the lease stays, and the service tries again for ever.
            if given.is_ok() {
                self.leases.revoke(lease.id);
            }
        }
    }
}
