//! `Deduplicator`: delivers each event once, whichever way it comes.

use std::collections::{HashSet, VecDeque};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use uuid::Uuid;

#[cfg(feature = "websocket")]
use super::event_update::EventGap;
use super::event_update::EventUpdate;
use crate::error::Result;
use crate::types::ReceivedEvent;

/// How many event ids are remembered, so that each event is delivered once.
const REMEMBERED_EVENT_IDS: usize = 20_000;

/// Delivers each event once.
pub(super) struct Deduplicator {
    pub(super) updates: mpsc::Sender<Result<EventUpdate>>,
    seen: HashSet<Uuid>,
    order: VecDeque<Uuid>,
    /// Events that occurred before this time are not delivered.
    since: Option<DateTime<Utc>>,
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
            seen: HashSet::new(),
            order: VecDeque::new(),
            since,
            #[cfg(feature = "websocket")]
            silent_since: None,
        }
    }

    pub(super) fn is_new(&mut self, id: Uuid) -> bool {
        let is_new = self.seen.insert(id);
        if is_new {
            self.order.push_back(id);
            if self.order.len() > REMEMBERED_EVENT_IDS
                && let Some(oldest) = self.order.pop_front()
            {
                self.seen.remove(&oldest);
            }
        }
        is_new
    }

    /// Delivers an event if it is new; `false` when the subscription has been dropped.
    pub(super) async fn event(&mut self, event: ReceivedEvent) -> bool {
        let is_early = self.since.is_some_and(|since| event.occurred < since);
        match !is_early && self.is_new(event.id) {
            true => self.send(EventUpdate::Event(Box::new(event))).await,
            false => true,
        }
    }

    #[cfg(feature = "websocket")]
    pub(super) fn ended(&mut self, why: &crate::error::Error) {
        self.silent_since
            .get_or_insert_with(|| (Utc::now(), why.to_string()));
    }

    #[cfg(feature = "websocket")]
    pub(super) async fn opened(&mut self) -> bool {
        match self.silent_since.take() {
            None => true,
            Some((since, reason)) => {
                let until = Utc::now();
                let gap = EventGap {
                    since,
                    until,
                    reason,
                };
                self.send(EventUpdate::Gap(gap)).await
            }
        }
    }

    pub(super) async fn send(&self, received: EventUpdate) -> bool {
        self.updates.send(Ok(received)).await.is_ok()
    }
}
