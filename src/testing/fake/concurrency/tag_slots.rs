//! `/concurrency_limits`: slots of tags, as clients before leases take them and give them back.

use uuid::Uuid;

use super::super::call::Call;
use super::super::reply::{Refusal, Reply};
use super::super::world::World;
use super::limit::{TAG, TAG_WAIT};
use super::limits::FOR_GOOD;
use crate::types::{
    ConcurrencyLeaseHolder, ConcurrencyLeaseHolderType, DecrementConcurrencyLimitsV1Request,
    IncrementConcurrencyLimitsV1Request,
};

pub(super) fn increment(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: IncrementConcurrencyLimitsV1Request = call.decode()?;
    let now = world.now;
    let mut ids: Vec<Uuid> = Vec::new();
    let mut taken = Vec::new();
    for tag in &body.names {
        let id = world.limits.id_of(&format!("{TAG}{tag}"));
        let Some(limit) = id.and_then(|id| world.limits.get(id)) else {
            continue;
        };
        // Also one that is switched off; and without `Retry-After`, since waiting does not help.
        if limit.limit == 0 {
            let text = format!(
                "The concurrency limit on tag \"{tag}\" is 0 and will deadlock if the task tries to run again."
            );
            return Err(Refusal::detail(423, text));
        }
        if limit.active {
            ids.push(limit.id);
            taken.push((limit.brief(tag)?, tag));
        }
    }
    if !world.limits.take(&ids, 1, now) {
        // The server blames the first tag, whichever limit is full.
        let tag = taken.first().map_or("", |(_, tag)| tag.as_str());
        let text = format!("Concurrency limit for the {tag} tag has been reached");
        let mut locked = Refusal::detail(423, text);
        locked.retry_after = Some(TAG_WAIT);
        return Err(locked);
    }
    if !ids.is_empty() {
        let holder = ConcurrencyLeaseHolderType::TaskRun;
        let holder = ConcurrencyLeaseHolder::new(holder, body.task_run_id);
        world
            .limits
            .leases
            .create(ids, 1, FOR_GOOD, now, Some(holder));
    }
    let taken: Vec<_> = taken.into_iter().map(|(brief, _)| brief).collect();
    Ok(Reply::ok(&taken))
}

pub(super) fn decrement(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: DecrementConcurrencyLimitsV1Request = call.decode()?;
    let (limits, now) = (&mut world.limits, world.now);
    let named = limits.of_tags(&body.names).into_iter();
    let reply: Vec<_> = named
        .map(|limit| limit.brief(&limit.name))
        .collect::<Result<_, _>>()?;
    for id in limits.leases_of(body.task_run_id, &body.names, now) {
        if let Some(lease) = limits.leases.get(id).cloned() {
            limits.give_back(&lease.limits, lease.slots, None, now)?;
            limits.revoke(id);
        }
    }
    Ok(Reply::ok(&reply))
}
