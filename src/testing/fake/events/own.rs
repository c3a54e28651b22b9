//! The events that the server emits of its own accord.

use chrono::SubsecRound as _;
use serde_json::json;

use crate::testing::fake::reply::Refusal;
use crate::testing::fake::world::{World, row};
use crate::types::{Event, Json, ReceivedEvent};

/// An event as the server stores it, received at its present time.
pub(super) fn received(world: &World, event: Event) -> Result<ReceivedEvent, Refusal> {
    // The server knows no time shorter than a microsecond.
    let mut received: ReceivedEvent = row(json!({
        "occurred": event.occurred.trunc_subsecs(6), "event": event.event, "resource": event.resource,
        "related": event.related.unwrap_or_default(), "id": event.id,
        "follows": event.follows.into_option(), "received": world.now,
    }))?;
    received.payload = Some(event.payload.unwrap_or_else(|| Json::from(json!({}))));
    Ok(received)
}

/// Emits an event of the server's own. The server does so without waiting for what becomes of it: no request fails by its event.
pub(crate) fn emit(world: &mut World, event: Event) {
    if let Ok(event) = received(world, event) {
        world.events.add(event);
    }
}
