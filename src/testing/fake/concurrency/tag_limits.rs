//! `/concurrency_limits`: the limits of tags. The server keeps them as global limits of the name `tag:{tag}`.

use uuid::Uuid;

use super::super::call::Call;
use super::super::lifecycle::Change;
use super::super::page;
use super::super::reply::{Refusal, Reply};
use super::super::world::World;
use super::events;
use super::limit::{Limit, TAG};
use super::limits::FOR_GOOD;
use crate::types::{
    ConcurrencyLeaseHolder, ConcurrencyLeaseHolderType, ConcurrencyLimit, ConcurrencyLimitCreate,
    ResetConcurrencyLimitByTagRequest,
};

/// Creates the limit of a tag, or changes the one that there is.
pub(super) fn create(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: ConcurrencyLimitCreate = call.body()?;
    let name = format!("{TAG}{}", body.tag);
    let now = world.now;
    let existing = world.limits.id_of(&name);
    // The route checks neither value, what it calls does: a limit below 0 passes only when it is new.
    let negative = existing.is_some() && body.concurrency_limit < 0;
    if negative || body.tag.contains(['/', '%', '&', '>', '<']) {
        return Err(Refusal::message(500, "Internal Server Error"));
    }
    let id = match existing {
        Some(id) => id,
        None => world
            .limits
            .add(Limit::new(name, body.concurrency_limit, now))?,
    };
    if let Some(limit) = world.limits.get_mut(id) {
        limit.limit = body.concurrency_limit;
        limit.touch(now);
    }
    let change = existing.map_or(Change::Created, |_| Change::Updated);
    if let Some(limit) = world.limits.get(id).cloned() {
        events::emit(world, change, &limit);
    }
    Ok(Reply::created_if(existing.is_none(), &shown(world, id)?))
}

pub(super) fn read(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::ok(&shown(world, call.id("id")?)?))
}

pub(super) fn read_by_tag(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::ok(&shown(world, by_tag(world, call)?)?))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    let (limit, offset) = (page::limit(&body)?, page::offset(&body)?);
    // The server reads as many limits as end the page, and drops then those that are of no tag: so a page may be short.
    let rows = world.limits.by_name().take(limit.saturating_add(offset));
    let rows = rows
        .filter(|limit| limit.tag().is_some())
        .skip(offset)
        .take(limit);
    let shown = rows.map(|limit| shown(world, limit.id));
    Ok(Reply::ok(&shown.collect::<Result<Vec<_>, _>>()?))
}

/// Forgets who holds slots of a tag. The slots stay counted, also those of the holders that the request names instead.
pub(super) fn reset(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: ResetConcurrencyLimitByTagRequest = match call.body {
        [] => ResetConcurrencyLimitByTagRequest::new(),
        _ => call.decode()?,
    };
    let id = by_tag(world, call)?;
    let now = world.now;
    let limits = &mut world.limits;
    limits.leases.revoke_of(id, now);
    for run in body.slot_override.unwrap_or_default() {
        let holder = ConcurrencyLeaseHolder::new(ConcurrencyLeaseHolderType::TaskRun, run);
        // Where the limit is full, the run becomes a holder all the same.
        limits.take(&[id], 1, now);
        limits
            .leases
            .create(vec![id], 1, FOR_GOOD, now, Some(holder));
    }
    Ok(Reply::ok(&()))
}

/// Deletes a limit and its leases. By its id, this route deletes a global limit of any name.
pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    remove(world, id)
}

pub(super) fn delete_by_tag(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = by_tag(world, call)?;
    remove(world, id)
}

fn remove(world: &mut World, id: Uuid) -> Result<Reply, Refusal> {
    let limit = world.limits.remove(id).ok_or_else(missing)?;
    events::emit(world, Change::Deleted, &limit);
    let now = world.now;
    world.limits.leases.revoke_of(id, now);
    Ok(Reply::ok(&()))
}

fn by_tag(world: &World, call: &Call<'_>) -> Result<Uuid, Refusal> {
    let name = format!("{TAG}{}", call.text("tag"));
    world.limits.id_of(&name).ok_or_else(missing)
}

fn shown(world: &World, id: Uuid) -> Result<ConcurrencyLimit, Refusal> {
    let limit = world.limits.get(id).ok_or_else(missing)?;
    let tag = limit.tag().ok_or_else(missing)?;
    limit.of_tag(tag, &world.limits.holding(id, world.now))
}

fn missing() -> Refusal {
    Refusal::not_found("Concurrency limit not found")
}
