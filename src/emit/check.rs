//! Whether the server takes an event, and keeps it.

use std::io;

use chrono::Datelike as _;

use crate::error::{Error, Result};
use crate::types::{Event, Resource};

/// An event with more bytes of JSON the server drops, and answers 204.
const MOST_BYTES: usize = 1_500_000;

/// What the server may add before it measures: when it was received, and what was not said (82 bytes).
const ADDED_BYTES: usize = 100;

/// In characters.
const LONGEST_NAME: usize = 1024;

const MOST_RELATED: usize = 100;
const MOST_LABELS: usize = 500;

const ID: &str = "prefect.resource.id";
const ROLE: &str = "prefect.resource.role";

/// An error if the server would refuse or drop an event, or come to harm by it; else how many bytes of
/// JSON it is.
pub(super) fn check(event: &Event) -> Result<usize> {
    let bytes = sound(event).and_then(|()| size(event));
    bytes.map_err(|error| error.of("create_events"))
}

fn sound(event: &Event) -> Result<()> {
    let refused = |says: String| Err(Error::invalid_request(says));
    if event.event.is_empty() {
        return refused("the event has no name".to_owned());
    }
    let length = event.event.chars().count();
    if length > LONGEST_NAME {
        return refused(format!(
            "the name of the event has {length} characters, and not {LONGEST_NAME} at most"
        ));
    }
    // The server takes others, and then cannot store them, nor the events that came with them.
    if !(1..=9999).contains(&event.occurred.year()) {
        return refused("the event did not occur in the years 1 to 9999".to_owned());
    }
    has(&event.resource, ID, "the resource")?;
    let related = event.related.as_deref().unwrap_or_default();
    if related.len() > MOST_RELATED {
        return refused(format!(
            "the event has {} related resources, and not {MOST_RELATED} at most",
            related.len()
        ));
    }
    for resource in related {
        has(resource, ID, "a related resource")?;
        has(resource, ROLE, "a related resource")?;
    }
    for resource in related.iter().chain([&event.resource]) {
        if resource.len() > MOST_LABELS {
            return refused(format!(
                "a resource has {} labels, and not {MOST_LABELS} at most",
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

fn has(resource: &Resource, label: &str, whose: &str) -> Result<()> {
    match resource.get(label) {
        Some(value) if !value.is_empty() => Ok(()),
        _ => Err(Error::invalid_request(format!("{whose} has no `{label}`"))),
    }
}

fn size(event: &Event) -> Result<usize> {
    let mut counted = Counted(0);
    serde_json::to_writer(&mut counted, event)
        .map_err(|error| Error::invalid_request("the event has no JSON").caused_by(error))?;
    let (bytes, most) = (counted.0, MOST_BYTES - ADDED_BYTES);
    if bytes > most {
        return Err(Error::invalid_request(format!(
            "the event is too large: its JSON has {bytes} bytes, and not {most} at most"
        )));
    }
    Ok(bytes)
}

/// Counts what is written, and keeps nothing.
struct Counted(usize);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
