//! `/v2/concurrency_limits`: global limits, by id or by name.

use uuid::Uuid;

use super::super::call::Call;
use super::super::lifecycle::Change;
use super::super::page;
use super::super::reply::{Refusal, Reply};
use super::super::world::World;
use super::events;
use super::limit::Limit;
use crate::types::{ConcurrencyLimitV2Create, ConcurrencyLimitV2Update};

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: ConcurrencyLimitV2Create = call.body()?;
    check_name(&body.name)?;
    let slots = [
        ("limit", Some(body.limit)),
        ("active_slots", body.active_slots),
        ("denied_slots", body.denied_slots),
    ];
    check_slots(&slots)?;
    let decay = body
        .slot_decay_per_second
        .map_or(0.0, |decay| decay.as_f64());
    check_decay(decay)?;
    let limit = Limit {
        active: body.active.unwrap_or(true),
        active_slots: body.active_slots.unwrap_or_default(),
        denied_slots: body.denied_slots.unwrap_or_default(),
        slot_decay_per_second: decay,
        ..Limit::new(body.name, body.limit, world.now)
    };
    let reply = Reply::created(&limit.whole()?);
    world.limits.add(limit.clone())?;
    events::emit(world, Change::Created, &limit);
    Ok(reply)
}

pub(super) fn read(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let limit = world.limits.get(found(world, call)?).ok_or_else(missing)?;
    Ok(Reply::ok(&limit.global(limit.occupied(world.now))?))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let rows = page::page(world.limits.by_name().collect(), &call.json()?)?;
    let shown = rows
        .into_iter()
        .map(|limit| limit.global(limit.occupied(world.now)));
    Ok(Reply::ok(&shown.collect::<Result<Vec<_>, _>>()?))
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: ConcurrencyLimitV2Update = call.body()?;
    let slots = [
        ("limit", *body.limit.as_option()),
        ("active_slots", *body.active_slots.as_option()),
        ("denied_slots", *body.denied_slots.as_option()),
    ];
    body.name.as_deref().map_or(Ok(()), check_name)?;
    check_slots(&slots)?;
    body.slot_decay_per_second
        .as_option()
        .map_or(Ok(()), |decay| check_decay(decay.as_f64()))?;
    let id = found(world, call)?;
    // No column takes null.
    if body.active.is_null()
        || body.name.is_null()
        || body.limit.is_null()
        || body.active_slots.is_null()
        || body.denied_slots.is_null()
        || body.slot_decay_per_second.is_null()
    {
        return Err(Refusal::integrity());
    }
    if let Some(name) = body.name.into_option() {
        world.limits.rename(id, name)?;
    }
    let now = world.now;
    let limit = world.limits.get_mut(id).ok_or_else(missing)?;
    // Slots that have become free since the last change are forgotten: the server writes what it is sent, and decay starts anew.
    limit.touch(now);
    limit.active = body.active.unwrap_or(limit.active);
    limit.limit = body.limit.unwrap_or(limit.limit);
    limit.active_slots = body.active_slots.unwrap_or(limit.active_slots);
    limit.denied_slots = body.denied_slots.unwrap_or(limit.denied_slots);
    if let Some(decay) = body.slot_decay_per_second.into_option() {
        limit.slot_decay_per_second = decay.as_f64();
    }
    let limit = limit.clone();
    events::emit(world, Change::Updated, &limit);
    Ok(Reply::no_content())
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = found(world, call)?;
    let limit = world.limits.remove(id).ok_or_else(missing)?;
    events::emit(world, Change::Deleted, &limit);
    Ok(Reply::no_content())
}

/// The limit that the path names by its id or by its name; a name that reads as an id is one.
fn found(world: &World, call: &Call<'_>) -> Result<Uuid, Refusal> {
    let text = call.text("id_or_name");
    let id = match id(text) {
        Some(id) => world.limits.get(id).map(|limit| limit.id),
        None => world.limits.id_of(text),
    };
    id.ok_or_else(missing)
}

/// The id that a text is to Python, which takes more than the usual form.
fn id(text: &str) -> Option<Uuid> {
    let text = text.replace("urn:", "").replace("uuid:", "");
    let digits = text.trim_matches(['{', '}']).replace('-', "");
    Uuid::try_parse(&digits).ok()
}

fn missing() -> Refusal {
    Refusal::not_found("Concurrency Limit not found")
}

fn check_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() || name.contains(['/', '%', '&', '>', '<']) {
        let text = "String should match pattern '^[^/%&><]+$'";
        return Err(Refusal::invalid(
            &["body", "name"],
            "string_pattern_mismatch",
            text,
        ));
    }
    Ok(())
}

fn check_slots(slots: &[(&str, Option<i64>)]) -> Result<(), Refusal> {
    let negative = slots
        .iter()
        .find(|(_, value)| value.is_some_and(|value| value < 0));
    negative.map_or(Ok(()), |(name, _)| Err(below_zero(name)))
}

fn check_decay(decay: f64) -> Result<(), Refusal> {
    if decay < 0.0 {
        return Err(below_zero("slot_decay_per_second"));
    }
    Ok(())
}

fn below_zero(name: &str) -> Refusal {
    let text = "Input should be greater than or equal to 0";
    Refusal::invalid(&["body", name], "greater_than_equal", text)
}
