//! `/v2/concurrency_limits`: slots of global limits, with and without a lease.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::super::call::Call;
use super::super::reply::{Refusal, Reply};
use super::super::world::World;
use super::limit::Limit;
use super::limits::Limits;
use crate::types::{
    BulkDecrementActiveSlotsRequest, BulkDecrementActiveSlotsWithLeaseRequest,
    BulkIncrementActiveSlotsRequest, BulkIncrementActiveSlotsWithLeaseRequest, Member,
    MinimalConcurrencyLimitResponse, Number, RenewConcurrencyLeaseRequest, SlotMode,
};

/// How long a lease is that names no duration, in seconds.
const DURATION: f64 = 300.0;

pub(super) fn increment(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: BulkIncrementActiveSlotsRequest = call.decode()?;
    check(body.slots, &body.names)?;
    let ids = acquire(
        &mut world.limits,
        body.slots,
        &body.names,
        body.mode,
        world.now,
    )?;
    Ok(Reply::ok(&briefs(&world.limits, &ids)?))
}

pub(super) fn increment_with_lease(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: BulkIncrementActiveSlotsWithLeaseRequest = call.decode()?;
    check(body.slots, &body.names)?;
    let duration = duration(body.lease_duration)?;
    if body
        .holder
        .as_option()
        .as_ref()
        .is_some_and(|holder| holder.undeclared() > 0)
    {
        let text = "Extra inputs are not permitted";
        return Err(Refusal::invalid(
            &["body", "holder"],
            "extra_forbidden",
            text,
        ));
    }
    let (slots, now) = (body.slots, world.now);
    let ids = acquire(&mut world.limits, slots, &body.names, body.mode, now)?;
    let limits = briefs(&world.limits, &ids)?;
    // Names without a limit are no error: there is a lease, even of nothing.
    let holder = body.holder.into_option();
    let lease = world
        .limits
        .leases
        .create(ids, slots, duration, now, holder);
    Ok(Reply::ok(&json!({"lease_id": lease, "limits": limits})))
}

pub(super) fn decrement(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: BulkDecrementActiveSlotsRequest = call.decode()?;
    check(body.slots, &body.names)?;
    let seconds = body.occupancy_seconds.map(Number::as_f64);
    if seconds.is_some_and(|seconds| seconds <= 0.0) {
        let place = ["body", "occupancy_seconds"];
        return Err(Refusal::invalid(
            &place,
            "greater_than",
            "Input should be greater than 0",
        ));
    }
    let ids: Vec<Uuid> = named(&world.limits, &body.names)
        .iter()
        .map(|limit| limit.id)
        .collect();
    let limits = briefs(&world.limits, &ids)?;
    world
        .limits
        .give_back(&ids, body.slots, seconds, world.now)?;
    Ok(Reply::ok(&limits))
}

pub(super) fn decrement_with_lease(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: BulkDecrementActiveSlotsWithLeaseRequest = call.decode()?;
    let now = world.now;
    // Repeating is no error, so neither is a lease that nobody knows.
    if let Some(lease) = world.limits.leases.get(body.lease_id).cloned() {
        // Under a clock that stands still the lease took no time; on a server it always takes some.
        let seconds = (now - lease.created).as_seconds_f64().max(1e-6);
        world
            .limits
            .give_back(&lease.limits, lease.slots, Some(seconds), now)?;
        world.limits.revoke(lease.id);
    }
    Ok(Reply::no_content())
}

pub(super) fn renew(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body: RenewConcurrencyLeaseRequest = match call.body {
        [] => RenewConcurrencyLeaseRequest::new(),
        _ => call.decode()?,
    };
    let lease = Uuid::try_parse(call.text("lease_id")).map_err(|error| {
        let text = format!("Input should be a valid UUID, {error}");
        Refusal::invalid(&["path", "lease_id"], "uuid_parsing", text)
    })?;
    if world
        .limits
        .renew(lease, duration(body.lease_duration)?, world.now)
    {
        return Ok(Reply::no_content());
    }
    let text = "Lease not found - it may have expired or been revoked";
    Err(Refusal::detail(410, text))
}

/// Takes slots of all limits of these names that are switched on, or of none. Returns the limits of these names, also those that
/// are switched off: the server counts those as acquired.
fn acquire(
    limits: &mut Limits,
    slots: i64,
    names: &[String],
    mode: Option<SlotMode>,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, Refusal> {
    let found = named(limits, names);
    let ids: Vec<Uuid> = found.iter().map(|limit| limit.id).collect();
    let on: Vec<&Limit> = found.into_iter().filter(|limit| limit.active).collect();
    if on.iter().any(|limit| limit.limit < slots) {
        return Err(Refusal::detail(
            422,
            "Slots requested is greater than the limit",
        ));
    }
    let lasting: Vec<&str> = on
        .iter()
        .filter(|limit| limit.slot_decay_per_second == 0.0)
        .map(|limit| limit.name.as_str())
        .collect();
    if mode == Some(SlotMode::RateLimit) && !lasting.is_empty() {
        let text = format!(
            "Only concurrency limits with slot decay can be used for rate limiting. \
             The following limits do not have a decay configured: {}",
            quoted(&lasting.join(","))
        );
        return Err(Refusal::detail(422, text));
    }
    // The first one of those that block most, and the last one is what `max_by` returns.
    let most = on
        .iter()
        .rev()
        .max_by(|a, b| a.blocking(slots).total_cmp(&b.blocking(slots)));
    let wait = most.map_or(0.0, |limit| limit.wait(slots));
    let on: Vec<Uuid> = on.iter().map(|limit| limit.id).collect();
    if limits.take(&on, slots, now) {
        return Ok(ids);
    }
    // The slots that are denied are not counted: the server rolls back what it has written.
    let mut locked = Refusal::detail(423, "Locked");
    locked.retry_after = Some(wait);
    Err(locked)
}

/// A text as Python's `repr` quotes it.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let text = text.replace('\\', "\\\\");
    let text = if quote == '\'' {
        text.replace('\'', "\\'")
    } else {
        text
    };
    format!("{quote}{text}{quote}")
}

fn named<'a>(limits: &'a Limits, names: &[String]) -> Vec<&'a Limit> {
    limits.named(names.iter().map(String::as_str))
}

fn briefs(limits: &Limits, ids: &[Uuid]) -> Result<Vec<MinimalConcurrencyLimitResponse>, Refusal> {
    let limits = ids.iter().filter_map(|id| limits.get(*id));
    limits.map(|limit| limit.brief(&limit.name)).collect()
}

fn check(slots: i64, names: &[String]) -> Result<(), Refusal> {
    if slots <= 0 {
        let text = "Input should be greater than 0";
        return Err(Refusal::invalid(&["body", "slots"], "greater_than", text));
    }
    if names.is_empty() {
        let text = "List should have at least 1 item after validation, not 0";
        return Err(Refusal::invalid(&["body", "names"], "too_short", text));
    }
    Ok(())
}

/// The duration of a lease: a minute to a day.
fn duration(seconds: Option<Number>) -> Result<Duration, Refusal> {
    let seconds = seconds.map_or(DURATION, Number::as_f64);
    let place = ["body", "lease_duration"];
    if seconds < 60.0 {
        let text = "Input should be greater than or equal to 60";
        return Err(Refusal::invalid(&place, "greater_than_equal", text));
    }
    if seconds > 86400.0 {
        let text = "Input should be less than or equal to 86400";
        return Err(Refusal::invalid(&place, "less_than_equal", text));
    }
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}
