//! The slots that the orchestration of flow runs takes of the limits of deployments, and gives back.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::reply::Refusal;
use super::limits::Limits;
use crate::types::ConcurrencyLeaseHolder;

impl Limits {
    /// Takes slots of one limit and leases them; `None` when the limit has no room.
    ///
    /// The server names the flow run as the holder only when it takes a slot again that was lost during provisioning.
    pub(crate) fn acquire(
        &mut self,
        limit: Uuid,
        slots: i64,
        duration: Duration,
        now: DateTime<Utc>,
        holder: Option<ConcurrencyLeaseHolder>,
    ) -> Option<Uuid> {
        let acquired = self.take(&[limit], slots, now);
        acquired.then(|| {
            self.leases
                .create(vec![limit], slots, duration, now, holder)
        })
    }

    /// Renews a lease; `false` when there is none of this id.
    pub(crate) fn renew(&mut self, lease: Uuid, duration: Duration, now: DateTime<Utc>) -> bool {
        self.leases.renew(lease, duration, now)
    }

    /// Forgets a lease; its slots stay counted. The server does so to a run whose client is too old to renew.
    pub(crate) fn revoke(&mut self, lease: Uuid) {
        self.leases.revoke(lease);
    }

    /// Gives back the slots of a lease, and forgets it. Where there is no such lease any more, a slot of the limit `instead` (the one
    /// that the deployment has now) is given back.
    ///
    /// # Errors
    ///
    /// 500, and nothing is changed, when a limit that the slots are of was deleted or switched off. The real server refuses the transition
    /// with it: a run whose deployment has lost its limit cannot end as long as its lease lives.
    pub(crate) fn release(
        &mut self,
        lease: Uuid,
        instead: Option<Uuid>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        match (self.leases.get(lease).cloned(), instead) {
            (Some(found), _) => {
                self.decrement(&found.limits, found.slots, now)?;
                self.leases.revoke(lease);
                Ok(())
            }
            (None, Some(limit)) => self.decrement(&[limit], 1, now),
            (None, None) => Ok(()),
        }
    }

    /// Gives slots of each of these limits back that no lease is known of.
    ///
    /// # Errors
    ///
    /// 500, and nothing is changed, when one of the limits was deleted or switched off.
    pub(crate) fn decrement(
        &mut self,
        limits: &[Uuid],
        slots: i64,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let active = |id: &Uuid| self.get(*id).is_some_and(|limit| limit.active);
        if !limits.iter().all(active) {
            return Err(Refusal::message(500, "Internal Server Error"));
        }
        self.give_back(limits, slots, None, now)
    }
}
