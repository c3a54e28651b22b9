//! Events that come in: by a request, by a WebSocket, or from the server itself.

use super::own::received;
use crate::testing::fake::call::Call;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::task_runs::record;
use crate::testing::fake::work_pools::no_null;
use crate::testing::fake::world::World;
use crate::types::{Event, Json, ReceivedEvent, Resource};

/// The most characters of the name of an event.
const MAX_NAME: usize = 1024;

/// The most labels of a resource.
const MAX_LABELS: usize = 500;

/// The most resources that an event is related to.
const MAX_RELATED: usize = 100;

/// The most bytes of an event; a larger one is dropped without a word.
const MAX_BYTES: usize = 1_500_000;

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let events: Vec<Event> = call.decode()?;
    for sent in call.json()?.as_array().into_iter().flatten() {
        no_null(sent, &["related", "payload"])?;
    }
    for (index, event) in events.iter().enumerate() {
        check(event)
            .map_err(|text| Refusal::invalid(&["body", &index.to_string()], "value_error", text))?;
    }
    for event in events {
        receive(world, event)?;
    }
    Ok(Reply::no_content())
}

/// Receives an event: it is stored at once, and what it says of a task run is recorded.
///
/// # Errors
///
/// When the server would refuse the event.
pub(crate) fn receive(world: &mut World, event: Event) -> Result<(), Refusal> {
    check(&event).map_err(|text| Refusal::invalid(&["body"], "value_error", text))?;
    let received = received(world, event)?;
    keep(world, received);
    Ok(())
}

/// Stores an event unless there is one with its id, and lets the recorder of task runs read it.
pub(super) fn keep(world: &mut World, event: ReceivedEvent) {
    let size = serde_json::to_string(&event).map_or(0, |text| text.len());
    if size <= MAX_BYTES && world.events.add(event.clone()) {
        record(world, &event);
    }
}

/// What the server would refuse an event for.
fn check(event: &Event) -> Result<(), String> {
    if event.event.chars().count() > MAX_NAME {
        return Err(format!("Event name must be at most {MAX_NAME} characters"));
    }
    let payload = event.payload.as_ref().map(Json::as_str);
    if payload.is_some_and(|payload| !payload.starts_with('{')) {
        return Err("Input should be a valid dictionary".to_owned());
    }
    check_resource(&event.resource)?;
    let related = event.related.as_deref().unwrap_or_default();
    if related.len() > MAX_RELATED {
        return Err(format!(
            "The maximum number of related resources is {MAX_RELATED}"
        ));
    }
    for resource in related {
        check_resource(resource)?;
        let role = "prefect.resource.role";
        match resource.get(role) {
            None => return Err(format!("Related Resources must include the {role} label")),
            Some(value) if value.is_empty() => {
                return Err(format!("The {role} label must be non-empty"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn check_resource(resource: &Resource) -> Result<(), String> {
    let id = "prefect.resource.id";
    match resource.get(id) {
        _ if resource.len() > MAX_LABELS => Err(format!(
            "The maximum number of labels per resource is {MAX_LABELS}"
        )),
        None => Err(format!("Resources must include the {id} label")),
        Some(value) if value.is_empty() => Err(format!("The {id} label must be non-empty")),
        Some(_) => Ok(()),
    }
}
