//! Checks whether the server would accept and store an event.

use std::io;

use chrono::Datelike as _;

use crate::error::{Error, Result};
use crate::transport::storable;
use crate::types::{Event, Resource};

/// The most bytes of JSON in one event: the server drops a larger one, and answers 204.
const MAX_EVENT_BYTES: usize = 1_500_000;

/// How many bytes the server may add before it measures: the time of receipt and unset fields (82 bytes).
const SERVER_ADDED_BYTES: usize = 100;

/// The most characters in the name of an event.
const MAX_NAME_CHARACTERS: usize = 1024;

const MAX_RELATED_RESOURCES: usize = 100;
const MAX_LABELS_PER_RESOURCE: usize = 500;

const RESOURCE_ID: &str = "prefect.resource.id";
const RESOURCE_ROLE: &str = "prefect.resource.role";

/// Returns the size of an event's JSON in bytes, or an error if the server would refuse or drop the event,
/// or be harmed by it.
pub(crate) fn check(event: &Event) -> Result<usize> {
    let bytes = check_limits(event).and_then(|()| size(event));
    bytes.map_err(|error| error.with_operation("create_events"))
}

fn check_limits(event: &Event) -> Result<()> {
    let refused = |says: String| Err(Error::invalid_request(says));
    if event.event.is_empty() {
        return refused("the event has no name".to_owned());
    }
    let length = event.event.chars().count();
    if length > MAX_NAME_CHARACTERS {
        return refused(format!(
            "the name of the event has {length} characters; at most {MAX_NAME_CHARACTERS} are allowed"
        ));
    }
    // The server accepts other years, but then can store neither the event nor those sent with it.
    if !(1..=9999).contains(&event.occurred.year()) {
        return refused("the event did not occur in the years 1 to 9999".to_owned());
    }
    require_label(&event.resource, RESOURCE_ID, "the resource")?;
    let related = event.related.as_deref().unwrap_or_default();
    if related.len() > MAX_RELATED_RESOURCES {
        return refused(format!(
            "the event has {} related resources; at most {MAX_RELATED_RESOURCES} are allowed",
            related.len()
        ));
    }
    for resource in related {
        require_label(resource, RESOURCE_ID, "a related resource")?;
        require_label(resource, RESOURCE_ROLE, "a related resource")?;
    }
    for resource in related.iter().chain([&event.resource]) {
        if resource.len() > MAX_LABELS_PER_RESOURCE {
            return refused(format!(
                "a resource has {} labels; at most {MAX_LABELS_PER_RESOURCE} are allowed",
                resource.len()
            ));
        }
    }
    let is_object = |payload: &str| payload.starts_with('{');
    match &event.payload {
        Some(payload) if !is_object(payload.as_str()) => {
            refused("the payload of the event is no JSON object".to_owned())
        }
        _ => Ok(()),
    }
}

fn require_label(resource: &Resource, label: &str, whose: &str) -> Result<()> {
    match resource.get(label) {
        Some(value) if !value.is_empty() => Ok(()),
        _ => Err(Error::invalid_request(format!("{whose} has no `{label}`"))),
    }
}

fn size(event: &Event) -> Result<usize> {
    let mut counted = ByteCounter::default();
    serde_json::to_writer(&mut counted, event).map_err(|error| {
        Error::invalid_request("the event cannot be serialized as JSON").with_source(error)
    })?;
    // The server confirms an event that it cannot store, and loses those of others with it.
    if counted.is_suspect {
        let json = serde_json::to_vec(event).unwrap_or_default();
        storable::check_json(&json).map_err(Error::invalid_request)?;
    }
    let (bytes, most) = (counted.bytes, MAX_EVENT_BYTES - SERVER_ADDED_BYTES);
    if bytes > most {
        return Err(Error::invalid_request(format!(
            "the event is too large: its JSON has {bytes} bytes; at most {most} are allowed"
        )));
    }
    Ok(bytes)
}

/// A writer that only counts the bytes written, and looks for what cannot be stored.
#[derive(Default)]
struct ByteCounter {
    bytes: usize,
    is_suspect: bool,
}

impl io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len();
        self.is_suspect |= storable::is_suspect(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
