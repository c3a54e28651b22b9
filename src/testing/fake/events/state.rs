//! `Events`: what the server was told, in the order in which it came.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::selection::Selection;
use crate::types::{ReceivedEvent, RelatedResource};

/// How long the server remembers what the events of a flow run are related to: changes of its tags and of names show later
/// (`PREFECT_API_EVENTS_RELATED_RESOURCE_CACHE_TTL`).
const RELATED_TTL: TimeDelta = TimeDelta::minutes(5);

/// What the server was told, in the order in which it came.
#[derive(Default)]
pub(crate) struct Events {
    received: Vec<ReceivedEvent>,
    ids: HashSet<Uuid>,
    related: HashMap<Uuid, (DateTime<Utc>, Vec<RelatedResource>)>,
}

impl Events {
    /// Keeps an event; whether it is new. Of two events with one id, the server keeps the first.
    pub(super) fn add(&mut self, event: ReceivedEvent) -> bool {
        let is_new = self.ids.insert(event.id);
        if is_new {
            self.received.push(event);
        }
        is_new
    }

    /// All events, in the order in which they came.
    pub(crate) fn all(&self) -> &[ReceivedEvent] {
        &self.received
    }

    /// How many events there are.
    pub(crate) fn len(&self) -> usize {
        self.received.len()
    }

    /// The events behind the first so many that a live subscriber gets, in the order in which they came.
    pub(crate) fn matching(&self, from: usize, selection: &Selection) -> Vec<&ReceivedEvent> {
        let new = self.received.iter().skip(from);
        new.filter(|event| selection.includes_live(event)).collect()
    }

    /// The stored events that a query finds, in its order.
    pub(crate) fn stored(&self, selection: &Selection) -> Vec<&ReceivedEvent> {
        let mut found: Vec<&ReceivedEvent> = self
            .received
            .iter()
            .filter(|event| selection.includes_stored(event))
            .collect();
        // Events of the same time are in the order in which they came, and in a descending list the other way round.
        match selection.is_descending() {
            true => {
                found.reverse();
                found.sort_by_key(|event| Reverse(event.occurred));
            }
            false => found.sort_by_key(|event| event.occurred),
        }
        if selection.is_distinct() {
            let mut resources = HashSet::new();
            found.retain(|event| resources.insert(event.resource.get("prefect.resource.id")));
        }
        found
    }

    /// What the events of a flow run are related to, if the server still remembers it.
    pub(super) fn related_to(&self, run: Uuid, now: DateTime<Utc>) -> Option<Vec<RelatedResource>> {
        let (since, related) = self.related.get(&run)?;
        (now - *since < RELATED_TTL).then(|| related.clone())
    }

    pub(super) fn remember_related(
        &mut self,
        run: Uuid,
        now: DateTime<Utc>,
        related: Vec<RelatedResource>,
    ) {
        self.related.insert(run, (now, related));
    }
}
