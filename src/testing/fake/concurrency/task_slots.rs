//! The slots of tags that the orchestration of task runs takes and gives back.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::reply::Refusal;
use super::limit::{TAG_WAIT, as_f64};
use super::limits::{FOR_GOOD, Limits};
use crate::types::{ConcurrencyLeaseHolder, ConcurrencyLeaseHolderType};

/// What became of the slots that a task run needs to run.
#[derive(Debug, PartialEq)]
pub(crate) enum TaskSlots {
    /// No tag of the run has a limit.
    Unlimited,
    /// The run holds the slots by this lease.
    Acquired(Uuid),
    /// The transition is to wait (WAIT) for so many seconds.
    Full { wait: f64, reason: String },
    /// The transition is to be given up (ABORT): a limit is 0.
    Never { reason: String },
}

impl Limits {
    /// Takes a slot of each limit on the tags of a task run that goes to RUNNING.
    pub(crate) fn acquire_of_task(
        &mut self,
        run: Uuid,
        tags: &[String],
        now: DateTime<Utc>,
    ) -> TaskSlots {
        let mut limits = self.of_tags(tags);
        limits.retain(|limit| limit.active);
        if let Some(zero) = limits.iter().find(|limit| limit.limit == 0) {
            let tag = zero.tag().unwrap_or_default();
            let reason = format!(
                "The concurrency limit on tag \"{tag}\" is 0 and will deadlock if the task tries to run again."
            );
            return TaskSlots::Never { reason };
        }
        // Limits below 0, which the older route lets pass, count for nothing here.
        limits.retain(|limit| limit.limit > 0);
        if limits.is_empty() {
            return TaskSlots::Unlimited;
        }
        let used = |limit: i64, slots: i64| as_f64(slots) / as_f64(limit);
        let fullest = limits
            .iter()
            .rev()
            .max_by(|a, b| used(a.limit, a.active_slots).total_cmp(&used(b.limit, b.active_slots)));
        let occupancy = fullest.map_or(0.0, |limit| limit.avg_slot_occupancy_seconds);
        let wait = if occupancy == 0.0 {
            TAG_WAIT
        } else {
            occupancy.min(TAG_WAIT)
        };
        let tags: Vec<&str> = limits.iter().filter_map(|limit| limit.tag()).collect();
        let reason = format!("Concurrency limit reached for tags: {}", tags.join(", "));
        let ids: Vec<Uuid> = limits.iter().map(|limit| limit.id).collect();
        if !self.take(&ids, 1, now) {
            let wait = wait.round_ties_even();
            return TaskSlots::Full { wait, reason };
        }
        let holder = ConcurrencyLeaseHolder::new(ConcurrencyLeaseHolderType::TaskRun, run);
        TaskSlots::Acquired(self.leases.create(ids, 1, FOR_GOOD, now, Some(holder)))
    }

    /// Gives back what a task run holds, when it goes to a state other than RUNNING and CANCELLING.
    ///
    /// # Errors
    ///
    /// 500, when a limit of its lease was deleted or switched off: the server refuses the transition.
    pub(crate) fn release_of_task(
        &mut self,
        run: Uuid,
        tags: &[String],
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        for lease in self.leases_of(run, tags, now) {
            self.release(lease, None, now)?;
        }
        Ok(())
    }

    /// The leases that a task run holds of the limits on these tags.
    pub(super) fn leases_of(&self, run: Uuid, tags: &[String], now: DateTime<Utc>) -> Vec<Uuid> {
        let mut leases = Vec::new();
        for limit in self.of_tags(tags) {
            for (lease, holder) in self.leases.held(limit.id, now) {
                if holder.id == run && !leases.contains(&lease) {
                    leases.push(lease);
                }
            }
        }
        leases
    }
}
