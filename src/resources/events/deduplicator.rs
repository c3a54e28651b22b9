//! `Deduplicator`: delivers each event once, whichever way it comes.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;

use super::event_update::{EventGap, EventUpdate};
use crate::error::Result;
use crate::resources::seen_window::SeenWindow;
use crate::types::ReceivedEvent;

/// How many events are remembered, so that each is delivered once: five minutes of 600 events a second.
const REMEMBERED_EVENTS: usize = 200_000;

/// A span of time, with both its ends.
pub(super) type Span = (DateTime<Utc>, DateTime<Utc>);

/// How many spans are remembered that cannot be read, so that each is reported once.
const REMEMBERED_GAPS: usize = 100;

/// Delivers each event once.
pub(super) struct Deduplicator {
    updates: mpsc::Sender<Result<EventUpdate>>,
    seen: SeenWindow,
    /// Events that occurred before this time are not delivered.
    since: Option<DateTime<Utc>>,
    /// The latest spans that were reported as unreadable.
    unreadable: VecDeque<Span>,
    /// Since when there have been no live events, and why.
    #[cfg(feature = "websocket")]
    silent_since: Option<(DateTime<Utc>, String)>,
}

impl Deduplicator {
    pub(super) fn new(
        updates: mpsc::Sender<Result<EventUpdate>>,
        since: Option<DateTime<Utc>>,
    ) -> Self {
        Self {
            updates,
            seen: SeenWindow::new(REMEMBERED_EVENTS),
            since,
            unreadable: VecDeque::new(),
            #[cfg(feature = "websocket")]
            silent_since: None,
        }
    }

    /// The time from which on it is known which events were delivered; `None` if of all times.
    pub(super) fn complete_since(&self) -> Option<DateTime<Utc>> {
        self.seen.complete_since()
    }

    /// How many events of this span were delivered.
    pub(super) fn count(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> usize {
        self.seen
            .count_between(since, until + TimeDelta::microseconds(1))
    }

    /// Marks an event as delivered.
    pub(super) fn skip(&mut self, event: &ReceivedEvent) {
        self.seen.insert(event.occurred, event.id);
    }

    /// Delivers a stored event if it is new.
    pub(super) async fn stored(&mut self, event: ReceivedEvent) {
        if !self.is_early(&event) && self.seen.insert(event.occurred, event.id) {
            self.send(EventUpdate::Event(Box::new(event))).await;
        }
    }

    /// Delivers a live event if it is new.
    #[cfg(feature = "websocket")]
    pub(super) async fn live(&mut self, event: ReceivedEvent) {
        // One that is dated before those that are remembered cannot have been read.
        let is_old = self
            .complete_since()
            .is_some_and(|since| event.occurred < since);
        let is_new = is_old || self.seen.insert(event.occurred, event.id);
        if is_new && !self.is_early(&event) {
            self.send(EventUpdate::Event(Box::new(event))).await;
        }
    }

    fn is_early(&self, event: &ReceivedEvent) -> bool {
        self.since.is_some_and(|since| event.occurred < since)
    }

    #[cfg(feature = "websocket")]
    pub(super) fn ended(&mut self, now: DateTime<Utc>, why: &crate::error::Error) {
        self.silent_since
            .get_or_insert_with(|| (now, why.to_string()));
    }

    #[cfg(feature = "websocket")]
    pub(super) async fn opened(&mut self, until: DateTime<Utc>) {
        if let Some((since, reason)) = self.silent_since.take() {
            self.gap(since, until, reason).await;
        }
    }

    /// Reports that the stored events of a span cannot be read, unless it is one that was reported before.
    pub(super) async fn unreadable(&mut self, (since, until): Span, reason: String) {
        let is_known = |known: &Span| known.0 < until && since < known.1;
        if self.unreadable.iter().any(is_known) {
            return;
        }
        self.unreadable.push_back((since, until));
        if self.unreadable.len() > REMEMBERED_GAPS {
            self.unreadable.pop_front();
        }
        self.gap(since, until, reason).await;
    }

    async fn gap(&self, since: DateTime<Utc>, until: DateTime<Utc>, reason: String) {
        let gap = EventGap {
            since,
            until,
            reason,
        };
        self.send(EventUpdate::Gap(gap)).await;
    }

    /// Sends an update, once there is room for it. (When the subscription is dropped, so is this.)
    async fn send(&self, update: EventUpdate) {
        let _ = self.updates.send(Ok(update)).await;
    }
}
