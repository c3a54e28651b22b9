//! `Lease`: slots that are held until a time, unless somebody renews them.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::super::table::Table;
use crate::types::ConcurrencyLeaseHolder;

/// Slots of some limits that are held until a time.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub id: Uuid,
    /// The limits that the slots are of.
    pub limits: Vec<Uuid>,
    /// So many slots of each.
    pub slots: i64,
    pub holder: Option<ConcurrencyLeaseHolder>,
    pub created: DateTime<Utc>,
    pub expires: DateTime<Utc>,
}

/// All leases. As in the server's memory, they know nothing of the limits: a lease may outlive its limit.
#[derive(Default)]
pub(crate) struct Leases {
    rows: Table<Lease>,
}

impl Leases {
    pub(super) fn create(
        &mut self,
        limits: Vec<Uuid>,
        slots: i64,
        duration: Duration,
        now: DateTime<Utc>,
        holder: Option<ConcurrencyLeaseHolder>,
    ) -> Uuid {
        let id = Uuid::new_v4();
        let lease = Lease {
            id,
            limits,
            slots,
            holder,
            created: now,
            expires: end(now, duration),
        };
        self.rows.insert(id, lease);
        id
    }

    pub(super) fn get(&self, id: Uuid) -> Option<&Lease> {
        self.rows.get(id)
    }

    /// Renews a lease that is there. One that has ended is, until the server takes its slots back.
    pub(super) fn renew(&mut self, id: Uuid, duration: Duration, now: DateTime<Utc>) -> bool {
        let lease = self.rows.get_mut(id);
        lease
            .map(|lease| lease.expires = end(now, duration))
            .is_some()
    }

    /// Forgets a lease; its slots stay counted.
    pub(super) fn revoke(&mut self, id: Uuid) {
        self.rows.remove(id);
    }

    /// Forgets the running leases of a limit; their slots stay counted.
    pub(super) fn revoke_of(&mut self, limit: Uuid, now: DateTime<Utc>) {
        let running = |lease: &&Lease| lease.limits.contains(&limit) && lease.expires > now;
        let ids: Vec<Uuid> = self
            .rows
            .iter()
            .filter(running)
            .map(|lease| lease.id)
            .collect();
        for id in ids {
            self.rows.remove(id);
        }
    }

    /// The running leases of a limit that name a holder, in the order in which they were given.
    pub(super) fn held(
        &self,
        limit: Uuid,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = (Uuid, &ConcurrencyLeaseHolder)> {
        let running = self.rows.iter().filter(move |lease| lease.expires > now);
        running
            .filter(move |lease| lease.limits.contains(&limit))
            .filter_map(|lease| Some((lease.id, lease.holder.as_ref()?)))
    }

    /// The leases that have ended, the earliest first.
    pub(super) fn ended(&self, now: DateTime<Utc>) -> Vec<Lease> {
        let ended = self.rows.iter().filter(|lease| lease.expires < now);
        let mut ended: Vec<Lease> = ended.cloned().collect();
        ended.sort_by_key(|lease| lease.expires);
        ended
    }
}

fn end(now: DateTime<Utc>, duration: Duration) -> DateTime<Utc> {
    let duration = TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(duration)
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
