//! Events as they happen, from a socket that is opened again whenever it ends.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::raw;
use crate::retry::RetryPolicy;
use crate::transport::Socket;
use crate::types::{EventFilter, EventOccurredFilter, ReceivedEvent};

/// What is heard of a feed.
pub(crate) enum Heard {
    /// From now on events come.
    Opened,
    Event(Box<ReceivedEvent>),
    /// From now on none come, until it is opened again.
    Ended(Error),
}

/// From when on events may have occurred, before the feed was opened: whatever the clocks say. (A server
/// makes it 15 minutes.)
const BACK: Duration = Duration::from_secs(24 * 60 * 60);

/// Without an end that is to come, the server sends nothing that is to come.
const AHEAD: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[derive(Deserialize)]
struct Told {
    event: ReceivedEvent,
}

/// Events as they happen, for ever.
pub(crate) struct Feed {
    raw: Arc<raw::Client>,
    filter: EventFilter,
    socket: Option<Socket>,
    /// How often it has ended, or not been opened, in a row.
    failures: u32,
}

impl Feed {
    pub fn new(raw: Arc<raw::Client>, filter: EventFilter) -> Self {
        Self {
            raw,
            filter,
            socket: None,
            failures: 0,
        }
    }

    /// What is heard next. After an end it waits, and opens the socket again.
    pub async fn next(&mut self) -> Heard {
        if let Some(socket) = &mut self.socket {
            return match next_event(socket).await {
                Ok(event) => Heard::Event(event),
                Err(error) => self.ended(error),
            };
        }
        let transport = self.raw.transport();
        if self.failures > 0 {
            let backoff = RetryPolicy::default()
                .base_delay(Duration::from_secs(1))
                .max_delay(Duration::from_secs(30));
            let wait = backoff.delay(self.failures, None, fastrand::f64());
            tokio::time::sleep(wait).await;
        }
        match transport
            .socket("/events/out", &from_now(&self.filter))
            .await
        {
            Err(error) => self.ended(error),
            Ok(socket) => {
                self.socket = Some(socket);
                self.failures = 0;
                Heard::Opened
            }
        }
    }

    fn ended(&mut self, error: Error) -> Heard {
        self.socket = None;
        self.failures += 1;
        Heard::Ended(error)
    }
}

async fn next_event(socket: &mut Socket) -> Result<Box<ReceivedEvent>> {
    loop {
        let told = socket.next_text().await?;
        match serde_json::from_str::<Told>(&told) {
            Ok(told) => return Ok(Box::new(told.event)),
            Err(error) => tracing::warn!(%error, "an event is of no known form"),
        }
    }
}

/// The filter from some time before now on.
fn from_now(filter: &EventFilter) -> EventFilter {
    let now = Utc::now();
    let occurred = EventOccurredFilter::new()
        .since(now - BACK)
        .until(now + AHEAD);
    filter.clone().occurred(occurred)
}
