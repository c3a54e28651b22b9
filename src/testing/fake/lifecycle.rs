//! The events that the server emits when an object is created, updated or deleted.

use serde::Serialize;
use uuid::Uuid;

use super::events::emit as emit_event;
use super::world::World;
use crate::types::{Event, Json, RelatedResource, Resource};

/// What has become of an object.
#[derive(Clone, Copy)]
pub(super) enum Change {
    Created,
    Updated,
    Deleted,
}

/// An object that has changed, as its event shows it.
pub(super) struct Object<'a> {
    /// The kind of the object, as in `prefect.{kind}.created`.
    pub kind: &'a str,
    pub id: Uuid,
    pub name: &'a str,
    pub related: Vec<RelatedResource>,
}

/// Emits the event of a change of an object.
pub(super) fn emit(
    world: &mut World,
    change: Change,
    object: Object<'_>,
    payload: &impl Serialize,
) {
    let change = match change {
        Change::Created => "created",
        Change::Updated => "updated",
        Change::Deleted => "deleted",
    };
    let (kind, name) = (object.kind, object.name.to_owned());
    let resource = Resource::from([
        (
            "prefect.resource.id".into(),
            format!("prefect.{kind}.{}", object.id),
        ),
        ("prefect.resource.name".into(), name),
    ]);
    let name = format!("prefect.{kind}.{change}");
    let mut event = Event::new(world.now, name, resource, Uuid::new_v4());
    event.related = Some(object.related);
    event.payload = Json::new(payload).ok();
    emit_event(world, event);
}
