//! Live events, from a WebSocket that is reopened whenever it ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::raw;
use crate::runtime::Backoff;
use crate::transport::Socket;
use crate::types::{EventFilter, EventOccurredFilter, ReceivedEvent};

/// An item of a [`LiveEventStream`].
pub(crate) enum StreamEvent {
    /// The socket is open: events follow.
    Opened,
    Event(Box<ReceivedEvent>),
    /// The socket has ended, or could not be opened: no events follow until the next `Opened`.
    Ended(Error),
}

/// How long to wait before the socket is reopened: from 1 s, doubled up to 60 s.
const RECONNECT_BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

/// How long a socket must have been open for the next one to be opened after the shortest wait.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);

/// How long before the socket is opened an event may have occurred: long enough for any difference between
/// the clocks. (The server shortens it to 15 minutes.)
const SINCE_OFFSET: Duration = Duration::from_secs(24 * 60 * 60);

/// How far ahead the filter reaches: without an end in the future, the server sends no future events.
const UNTIL_OFFSET: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[derive(Deserialize)]
struct EventMessage {
    event: ReceivedEvent,
}

/// An endless stream of live events.
pub(crate) struct LiveEventStream {
    raw: Arc<raw::Client>,
    filter: EventFilter,
    socket: Option<Socket>,
    opened_at: Instant,
    /// How many times in a row the socket has ended soon, or could not be opened.
    failures: u32,
    /// The wait that the server has asked for.
    retry_after: Option<Duration>,
}

impl LiveEventStream {
    pub(crate) fn new(raw: Arc<raw::Client>, filter: EventFilter) -> Self {
        let opened_at = raw.channel().clock().now();
        Self {
            raw,
            filter,
            socket: None,
            opened_at,
            failures: 0,
            retry_after: None,
        }
    }

    /// Returns the next item. After an end it waits, and opens the socket again.
    pub(crate) async fn next(&mut self) -> StreamEvent {
        if let Some(socket) = &mut self.socket {
            return match next_event(socket).await {
                Ok(event) => StreamEvent::Event(event),
                Err(error) => self.ended(error),
            };
        }
        if self.failures > 0 {
            let wait = RECONNECT_BACKOFF.delay(self.failures, self.retry_after);
            self.raw.channel().clock().sleep(wait).await;
        }
        let now = self.raw.channel().clock().time_of_day();
        let filter = around(now, &self.filter);
        match self.raw.channel().socket("/events/out", &filter).await {
            Err(error) => self.ended(error),
            Ok(socket) => {
                self.socket = Some(socket);
                self.opened_at = self.raw.channel().clock().now();
                StreamEvent::Opened
            }
        }
    }

    fn ended(&mut self, error: Error) -> StreamEvent {
        let now = self.raw.channel().clock().now();
        let open = now.saturating_duration_since(self.opened_at);
        let was_healthy = self.socket.take().is_some() && open >= HEALTHY_AFTER;
        self.failures = match was_healthy {
            true => 1,
            false => self.failures + 1,
        };
        self.retry_after = error.retry_after();
        StreamEvent::Ended(error)
    }
}

async fn next_event(socket: &mut Socket) -> Result<Box<ReceivedEvent>> {
    loop {
        let text = socket.next_text().await?;
        match serde_json::from_str::<EventMessage>(&text) {
            Ok(message) => return Ok(Box::new(message.event)),
            Err(error) => tracing::warn!(%error, "an event could not be parsed"),
        }
    }
}

/// Returns the filter with a time range around this time.
fn around(now: DateTime<Utc>, filter: &EventFilter) -> EventFilter {
    let occurred = EventOccurredFilter::new()
        .since(now - SINCE_OFFSET)
        .until(now + UNTIL_OFFSET);
    filter.clone().occurred(occurred)
}
