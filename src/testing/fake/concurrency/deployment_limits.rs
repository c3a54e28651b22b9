//! The limits of deployments: a global limit that the server keeps for each deployment with a `concurrency_limit`.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::reply::Refusal;
use super::limit::Limit;
use super::limits::Limits;

impl Limits {
    /// Makes the limit of a deployment what a creation or an update of it asks for, and returns the limit that it has then
    /// (`concurrency_limit_id` in the server's table). The server emits no event for these.
    ///
    /// `current` is the limit that the deployment has. It may be any global limit (`global_concurrency_limit_id`): that one is changed
    /// then, and even deleted. A request that does not name `concurrency_limit` leaves the limit alone: do not call this.
    ///
    /// # Errors
    ///
    /// 409, when a limit of the deployment's name exists that is not its own.
    pub(crate) fn set_of_deployment(
        &mut self,
        deployment: Uuid,
        current: Option<Uuid>,
        wanted: Option<i64>,
        now: DateTime<Utc>,
    ) -> Result<Option<Uuid>, Refusal> {
        // One that was deleted since is none: the server sets the reference null.
        let current = current.filter(|id| self.get(*id).is_some());
        let Some(wanted) = wanted else {
            self.remove_of_deployment(current);
            return Ok(None);
        };
        let Some(id) = current else {
            let name = format!("deployment:{deployment}");
            return self.add(Limit::new(name, wanted, now)).map(Some);
        };
        if let Some(limit) = self.get_mut(id)
            && limit.limit != wanted
        {
            limit.limit = wanted;
            limit.touch(now);
        }
        Ok(Some(id))
    }

    /// Deletes the limit of a deployment that is deleted. Its leases stay; the server emits no event.
    pub(crate) fn remove_of_deployment(&mut self, current: Option<Uuid>) {
        current.and_then(|id| self.remove(id));
    }
}
