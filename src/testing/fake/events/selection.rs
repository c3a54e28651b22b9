//! `Selection`: the events that an `EventFilter` selects.
//!
//! Stored events are selected by SQL, live ones by Python. The two differ: SQL ignores the case of ASCII letters and takes `%` and
//! `_` in prefixes for wildcards; a live subscriber gets events whatever they are related to.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::labels;
use crate::testing::fake::filter::like;
use crate::testing::fake::reply::Refusal;
use crate::types::{
    EventAnyResourceFilter, EventFilter, EventFilterAnyResource, EventFilterRelated, EventOrder,
    EventRelatedFilter, LabelMatch, ReceivedEvent, Resource, ResourceSpecification,
};

/// The most characters of a query for a text.
const MAX_QUERY: usize = 200;

/// The events that an `EventFilter` selects.
pub(crate) struct Selection {
    filter: EventFilter,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    related: Vec<EventRelatedFilter>,
    any_resource: Vec<EventAnyResourceFilter>,
}

impl Selection {
    /// Reads a filter; without `occurred`, it selects what has occurred in the last 180 days until now.
    pub(crate) fn of(filter: &Value, now: DateTime<Utc>) -> Result<Self, Refusal> {
        let invalid = |text: String| Refusal::invalid(&["body", "filter"], "value_error", text);
        let is_null = |word: &&str| filter.get(*word).is_some_and(Value::is_null);
        if ["occurred", "id", "order"].iter().any(is_null) {
            return Err(invalid("Input should not be null".to_owned()));
        }
        let filter = match filter {
            Value::Null => EventFilter::new(),
            filter => serde_json::from_value(filter.clone())
                .map_err(|error| invalid(error.to_string()))?,
        };
        let midnight = now.with_time(NaiveTime::MIN).single().unwrap_or(now);
        let occurred = filter.occurred.clone().unwrap_or_default();
        let selection = Self {
            since: occurred.since.unwrap_or(midnight - TimeDelta::days(180)),
            until: occurred.until.unwrap_or(now),
            related: match filter.related.as_option() {
                None | Some(EventFilterRelated::Unknown(_)) => Vec::new(),
                Some(EventFilterRelated::EventRelatedFilter(one)) => vec![one.clone()],
                Some(EventFilterRelated::List(list)) => list.clone(),
            },
            any_resource: match filter.any_resource.as_option() {
                None | Some(EventFilterAnyResource::Unknown(_)) => Vec::new(),
                Some(EventFilterAnyResource::EventAnyResourceFilter(one)) => vec![one.clone()],
                Some(EventFilterAnyResource::List(list)) => list.clone(),
            },
            filter,
        };
        if selection.is_malformed() {
            return Err(invalid("Extra inputs are not permitted".to_owned()));
        }
        let text = selection.filter.text.as_ref();
        if text.is_some_and(|text| !text.query.trim().is_empty()) {
            return Err(Refusal::unsupported("the search for events by text"));
        }
        Ok(selection)
    }

    /// The filter in which the times are written down, as the next page needs it.
    pub(super) fn to_value(&self) -> Value {
        let mut filter = self.filter.clone();
        let occurred = filter.occurred.get_or_insert_default();
        (occurred.since, occurred.until) = (Some(self.since), Some(self.until));
        serde_json::to_value(filter).unwrap_or_default()
    }

    /// The earliest and the latest time of an event.
    pub(super) fn span(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        (self.since, self.until)
    }

    pub(super) fn is_descending(&self) -> bool {
        self.filter.order != Some(EventOrder::Asc)
    }

    /// Whether only the first event of each resource is selected.
    pub(super) fn is_distinct(&self) -> bool {
        let resource = self.filter.resource.as_option().as_ref();
        resource.is_some_and(|resource| resource.distinct == Some(true))
    }

    /// The most events that a page can have: as many as ids are named.
    pub(super) fn most(&self) -> usize {
        self.ids().map_or(usize::MAX, <[Uuid]>::len)
    }

    fn ids(&self) -> Option<&[Uuid]> {
        let ids = self.filter.id.as_ref()?.id.as_deref();
        ids.filter(|ids| !ids.is_empty())
    }

    fn has_id_and_time(&self, event: &ReceivedEvent) -> bool {
        let is_named = self.ids().is_none_or(|ids| ids.contains(&event.id));
        is_named && (self.since..=self.until).contains(&event.occurred)
    }

    /// Whether a query finds the stored event.
    pub(super) fn includes_stored(&self, event: &ReceivedEvent) -> bool {
        self.has_id_and_time(event)
            && self.has_name(event, |prefix, name| like(&format!("{prefix}%"), name))
            && self.has_stored_resource(event)
            && self.related.iter().all(|filter| is_related(filter, event))
            && self
                .any_resource
                .iter()
                .all(|filter| has_any(filter, event))
    }

    /// Whether a live subscriber gets the event.
    pub(super) fn includes_live(&self, event: &ReceivedEvent) -> bool {
        self.has_id_and_time(event)
            && self.has_name(event, |prefix, name| name.starts_with(prefix))
            && self.has_live_resource(event)
            && self.any_resource.iter().all(|filter| {
                resources(event).any(|(resource, _)| {
                    let id = id_of(resource);
                    chosen(&filter.id, |wanted| wanted == id)
                        && chosen(&filter.id_prefix, |prefix| id.starts_with(prefix))
                        && filter
                            .labels
                            .as_ref()
                            .is_none_or(|labels| labels::live(labels, resource))
                })
            })
    }

    fn has_name(&self, event: &ReceivedEvent, begins: impl Fn(&str, &str) -> bool) -> bool {
        let Some(filter) = self.filter.event.as_option() else {
            return true;
        };
        let name = event.event.as_str();
        let excluded = |names: &Option<Vec<String>>, fits: &dyn Fn(&str) -> bool| {
            names.iter().flatten().any(|one| fits(one))
        };
        chosen(&filter.prefix, |prefix| begins(prefix, name))
            && !excluded(&filter.exclude_prefix, &|prefix| begins(prefix, name))
            && chosen(&filter.name, |wanted| wanted == name)
            && !excluded(&filter.exclude_name, &|unwanted| unwanted == name)
    }

    fn has_stored_resource(&self, event: &ReceivedEvent) -> bool {
        let Some(filter) = self.filter.resource.as_option() else {
            return true;
        };
        let id = id_of(&event.resource);
        chosen(&filter.id, |wanted| wanted == id)
            && chosen(&filter.id_prefix, |prefix| like(&format!("{prefix}%"), id))
            && filter
                .labels
                .as_ref()
                .is_none_or(|labels| labels::stored(labels, &event.resource, "", false))
    }

    fn has_live_resource(&self, event: &ReceivedEvent) -> bool {
        let Some(filter) = self.filter.resource.as_option() else {
            return true;
        };
        let id = id_of(&event.resource);
        chosen(&filter.id, |wanted| wanted == id)
            && chosen(&filter.id_prefix, |prefix| id.starts_with(prefix))
            && filter
                .labels
                .as_ref()
                .is_none_or(|labels| labels::live(labels, &event.resource))
    }
}

/// Whether a resource of the event fulfils all of a filter of related ones.
fn is_related(filter: &EventRelatedFilter, event: &ReceivedEvent) -> bool {
    let is_given = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let names_roles = is_given(&filter.role);
    let pairs: Vec<_> = filter.resources_in_roles.iter().flatten().collect();
    let labels = filter.labels.as_ref().filter(|labels| !labels.is_empty());
    if !names_roles && !is_given(&filter.id) && pairs.is_empty() && labels.is_none() {
        return true;
    }
    resources(event).any(|(resource, role)| {
        let id = id_of(resource);
        chosen(&filter.id, |wanted| wanted == id)
            && chosen(&filter.role, |wanted| wanted == role)
            && (pairs.is_empty() || pairs.iter().any(|pair| ***pair == [id, role]))
            && labels.is_none_or(|labels| labels::stored(labels, resource, role, true))
            // The resource that the event is about is found only by its role, which is empty.
            && (names_roles || !role.is_empty())
    })
}

/// Whether a resource of the stored event fulfils all of a filter of any of them.
fn has_any(filter: &EventAnyResourceFilter, event: &ReceivedEvent) -> bool {
    resources(event).any(|(resource, role)| {
        let id = id_of(resource);
        chosen(&filter.id, |wanted| wanted == id)
            && chosen(&filter.id_prefix, |prefix| like(&format!("{prefix}%"), id))
            && filter
                .labels
                .as_ref()
                .is_none_or(|labels| labels::stored(labels, resource, role, true))
    })
}

/// Whether one of the alternatives fits; an empty list is no condition.
fn chosen(alternatives: &Option<Vec<String>>, fits: impl Fn(&str) -> bool) -> bool {
    let mut alternatives = alternatives.iter().flatten().peekable();
    alternatives.peek().is_none() || alternatives.any(|one| fits(one))
}

/// The resource of the event and the related ones, with their roles.
fn resources(event: &ReceivedEvent) -> impl Iterator<Item = (&Resource, &str)> {
    let related = event.related.iter().flatten();
    let related = related.map(|one| {
        (
            one,
            one.get("prefect.resource.role").map_or("", String::as_str),
        )
    });
    std::iter::once((&event.resource, "")).chain(related)
}

fn id_of(resource: &Resource) -> &str {
    resource
        .get("prefect.resource.id")
        .map_or("", String::as_str)
}

/// Whether a specification has a value that is neither a text nor a list of them.
fn has_no_text(labels: &Option<ResourceSpecification>) -> bool {
    let mut values = labels.iter().flatten().map(|(_, value)| value);
    values.any(|value| matches!(value, LabelMatch::Unknown(_)))
}

impl Selection {
    /// Whether the filter has words or values that the server refuses.
    fn is_malformed(&self) -> bool {
        let filter = &self.filter;
        let resource = filter.resource.as_option().as_ref();
        let words = [
            Some(filter.extra.len()),
            filter
                .occurred
                .as_ref()
                .map(|occurred| occurred.extra.len()),
            filter.id.as_ref().map(|id| id.extra.len()),
            filter.event.as_ref().map(|event| event.extra.len()),
            filter.text.as_ref().map(|text| text.extra.len()),
            resource.map(|resource| resource.extra.len()),
        ];
        words.into_iter().flatten().any(|unknown| unknown > 0)
            || resource.is_some_and(|resource| has_no_text(&resource.labels))
            || filter
                .text
                .as_ref()
                .is_some_and(|text| text.query.chars().count() > MAX_QUERY)
            || matches!(
                filter.related.as_option(),
                Some(EventFilterRelated::Unknown(_))
            )
            || matches!(
                filter.any_resource.as_option(),
                Some(EventFilterAnyResource::Unknown(_))
            )
            || self.related.iter().any(|related| {
                let mut pairs = related.resources_in_roles.iter().flatten();
                !related.extra.is_empty()
                    || has_no_text(&related.labels)
                    || pairs.any(|pair| pair.len() != 2)
            })
            || self
                .any_resource
                .iter()
                .any(|any| !any.extra.is_empty() || has_no_text(&any.labels))
    }
}
