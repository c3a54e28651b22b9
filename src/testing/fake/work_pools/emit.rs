//! The events that the server emits of its own resources.

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::testing::fake::events::emit as emit_event;
use crate::testing::fake::world::{World, row};
use crate::types::Event;

/// An event of the server's own.
pub(crate) struct ServerEvent {
    pub id: Uuid,
    pub name: String,
    pub resource: Value,
    pub related: Vec<Value>,
    pub payload: Value,
    pub follows: Option<Uuid>,
}

impl ServerEvent {
    pub(crate) fn new(name: impl Into<String>, resource: Value) -> Self {
        Self {
            id: Uuid::new_v4(),
            name: name.into(),
            resource,
            related: Vec::new(),
            payload: json!({}),
            follows: None,
        }
    }
}

/// The value of a field in the payload of an event; null where it is none for serde_json, such as a number without end.
pub(crate) fn plain(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// The payload of an event about changes: each field with the value before and after.
pub(crate) fn changes(fields: Vec<(&str, Value, Value)>) -> Option<Value> {
    let changed = fields.into_iter().filter(|(_, from, to)| from != to);
    let changed: Vec<_> = changed.collect();
    let names: Vec<_> = changed.iter().map(|(name, ..)| *name).collect();
    if names.is_empty() {
        return None;
    }
    let mut updates = json!({});
    for (name, from, to) in &changed {
        updates[*name] = json!({"from": from, "to": to});
    }
    Some(json!({"updated_fields": names, "updates": updates}))
}

/// Emits an event.
pub(crate) fn emit(world: &mut World, event: ServerEvent) {
    let built = row(json!({
        "occurred": world.now, "event": event.name, "resource": event.resource, "related": event.related,
        "payload": event.payload, "id": event.id, "follows": event.follows,
    }));
    // Nothing of it can be refused: all names and labels are there.
    let built: Result<Event, _> = built;
    if let Ok(event) = built {
        emit_event(world, event);
    }
}
