//! `Events::subscribe`: live events, completed by those that the server has stored.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
#[cfg(feature = "websocket")]
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use chrono::{DateTime, Utc};
use futures_core::Stream;
use futures_util::FutureExt as _;
use futures_util::future::{Either, select};
use tokio::sync::{Mutex, mpsc};

use super::deduplicator::Deduplicator;
use super::event_update::EventUpdate;
use super::generated::Events;
use super::stored_events::{DATED_AHEAD, STORAGE_DELAY, ServerClock, StoredEvents};
use super::stored_pages::{MAX_PAGE_ATTEMPTS, StoredPages};
use crate::client::{Background, Client};
use crate::error::{Error, Result};
use crate::raw;
use crate::resources::server_time::server_time;
use crate::types::{EventFilter, EventNameFilter, EventResourceFilter, ReadEventsRequest};

/// How many updates are buffered until the program receives them.
const UPDATE_BUFFER: usize = 1024;

/// The options of a [`Subscription`]: see [`Events::subscribe`].
#[derive(Clone)]
#[must_use = "a subscription delivers nothing until it is started"]
pub struct SubscriptionBuilder {
    client: Client,
    filter: EventFilter,
    since: Option<DateTime<Utc>>,
}

/// A stream of live events: see [`Events::subscribe`].
#[must_use = "streams do nothing unless they are polled"]
pub struct Subscription {
    received: mpsc::Receiver<Result<EventUpdate>>,
}

impl Events<'_> {
    /// Subscribes to events as they happen; without a filter, to all events.
    ///
    /// Events arrive over a WebSocket (`/events/out`), which is reopened whenever it ends, after 1 s up to a
    /// minute when it does not stay open. The server silently drops events when more than 256 wait for one
    /// subscriber, and does not send those that happen just before a socket is opened. So every 10 s, or every
    /// 2 s while there is no socket, stored events are counted (`POST /events/count-by/time`), and those of the
    /// seconds of which other numbers were received are read (`POST /events/filter`). Events that were missed in
    /// this way arrive up to 15 s late, and after newer ones. Each event is delivered once; for this, the latest
    /// 200,000 are remembered.
    ///
    /// [`EventUpdate::Gap`] reports a time without a socket, once it is over: the events that were stored in that
    /// time have been delivered, or will be within 15 s; whether there were others, which the server did not store,
    /// cannot be known. (If no socket was ever opened no gap is reported: all events come from those stored.) A gap
    /// also reports stored events that are left out: one that cannot be decoded, and one for which the server answers
    /// 500 ten times in a row although it is ready (`GET /ready`), each with those of the same millisecond; after ten
    /// of these in one span of time, what is left of the span. At least once a minute, stored events are counted five
    /// minutes back, or as far as they are remembered; events that are dated further back, or stored later, arrive
    /// only over the socket, and events that are dated ahead arrive up to a minute late. Events that were not yet
    /// stored when the subscription was started may be delivered although they are older.
    ///
    /// A server that answers 429 is asked again when it says, within five minutes.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::events::EventUpdate;
    ///
    /// let mut events = client.events().subscribe().prefix("prefect.flow-run.").start().await?;
    /// while let Some(received) = events.next().await {
    ///     match received? {
    ///         EventUpdate::Event(event) => println!("{} {:?}", event.event, event.resource),
    ///         EventUpdate::Gap(gap) => eprintln!("{gap}"),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscribe(self) -> SubscriptionBuilder {
        SubscriptionBuilder {
            client: self.client.clone(),
            filter: EventFilter::new(),
            since: None,
        }
    }
}

impl SubscriptionBuilder {
    /// Replaces the filter; call it before the methods below, which add to it. Its `occurred` and `order` are
    /// overwritten.
    pub fn filter(mut self, filter: EventFilter) -> Self {
        self.filter = filter;
        self
    }

    /// Selects events with this name; if called several times, with any of these names.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        let names: &mut EventNameFilter = self.filter.event.get_or_default();
        names.name.get_or_default().push(name.into());
        self
    }

    /// Selects events whose name has this prefix; if called several times, any of these prefixes.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        let names: &mut EventNameFilter = self.filter.event.get_or_default();
        names.prefix.get_or_default().push(prefix.into());
        self
    }

    /// Selects events about this resource, such as `prefect.flow-run.…`; if called several times, about any
    /// of these resources.
    pub fn resource_id(mut self, id: impl Into<String>) -> Self {
        let resource: &mut EventResourceFilter = self.filter.resource.get_or_default();
        resource.id.get_or_default().push(id.into());
        self
    }

    /// Selects events that have occurred since this time; those already stored are delivered first.
    /// Default: the time of the start.
    pub fn since(mut self, since: DateTime<Utc>) -> Self {
        self.since = Some(since);
        self
    }

    /// Starts the subscription: reads the events that have been stored, then listens for new ones.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors). Once started, the subscription ends with an error only
    /// if the server refuses the credentials or the filter; after any other error it tries again.
    pub async fn start(self) -> Result<Subscription> {
        let background = self.client.service::<Background>()?;
        let (updates, received) = mpsc::channel(UPDATE_BUFFER);
        let mut deduplicator = Deduplicator::new(updates.clone(), self.since);
        let raw = self.client.shared_raw();
        let start = server_time(&raw).await?;
        let clock = ServerClock::new(start, raw.channel().clock().now());
        let ahead = start + DATED_AHEAD;
        let stored_since = start - STORAGE_DELAY;
        if self.since.is_some() {
            // The server is to refuse now what it refuses.
            let one = ReadEventsRequest::new()
                .filter(self.filter.clone())
                .limit(1);
            raw.read_events(&one).await?;
        } else {
            // Events that have already happened are marked as seen, so that only new ones are delivered,
            // whatever the difference between the clocks of server and client.
            StoredPages::new(raw, self.filter.clone())
                .skip((stored_since, ahead), &mut deduplicator)
                .await?;
        }
        let channel = self.client.channel();
        let retry = channel.retry().clone().at_most(MAX_PAGE_ATTEMPTS);
        let raw = Arc::new(background.raw_for(channel).with_retry(retry));
        let pages = StoredPages::new(Arc::clone(&raw), self.filter.clone());
        let (filter, since) = (self.filter, self.since);
        let work = async move {
            let (deduplicator, live) = (Mutex::new(deduplicator), AtomicBool::new(false));
            if let Some(since) = since
                && let Err(error) = pages.deliver_backlog((since, ahead), &deduplicator).await
            {
                return error;
            }
            let since = since.unwrap_or(stored_since);
            let listening = pin!(listen(raw, &filter, &deduplicator, &live));
            let stored = StoredEvents::new(&pages, &deduplicator, &live, since, clock);
            let stored = pin!(stored.poll());
            select(listening, stored).await.factor_first().0
        };
        background.spawn(async move {
            // A panic in a hook of the program is an error, and not the end of all events.
            let panicked = |_| Error::hook_panicked("events are no longer received");
            let work = AssertUnwindSafe(work).catch_unwind();
            let work = work.map(|ended| ended.unwrap_or_else(panicked));
            // Whatever is waited for: when the subscription is dropped, all of it is.
            let (dropped, work) = (pin!(updates.closed()), pin!(work));
            if let Either::Right((error, _)) = select(dropped, work).await {
                let _ = updates.send(Err(error)).await;
            }
        });
        Ok(Subscription { received })
    }
}

/// Does nothing: without WebSockets, all events come from those stored.
#[cfg(not(feature = "websocket"))]
async fn listen(
    _: Arc<raw::Client>,
    _: &EventFilter,
    _: &Mutex<Deduplicator>,
    _: &AtomicBool,
) -> Error {
    std::future::pending().await
}

/// Delivers live events until the server refuses the credentials.
#[cfg(feature = "websocket")]
async fn listen(
    raw: Arc<raw::Client>,
    filter: &EventFilter,
    deduplicator: &Mutex<Deduplicator>,
    live: &AtomicBool,
) -> Error {
    use super::live_stream::{LiveEventStream, StreamEvent};
    use crate::error::ErrorKind;

    let clock = raw.channel().clock();
    let mut stream = LiveEventStream::new(Arc::clone(&raw), filter.clone());
    loop {
        let event = stream.next().await;
        let mut deduplicator = deduplicator.lock().await;
        match event {
            StreamEvent::Opened => {
                live.store(true, Ordering::Relaxed);
                deduplicator.opened(clock.time_of_day()).await;
            }
            StreamEvent::Event(event) => deduplicator.live(*event).await,
            StreamEvent::Ended(error) if error.kind() == ErrorKind::Unauthorized => return error,
            StreamEvent::Ended(error) => {
                live.store(false, Ordering::Relaxed);
                tracing::debug!(%error, "no live events; stored events are read more often");
                deduplicator.ended(clock.time_of_day(), &error);
            }
        }
    }
}

impl Subscription {
    /// Waits for the next update; `None` after an error. No update is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Result<EventUpdate>> {
        self.received.recv().await
    }
}

impl Stream for Subscription {
    type Item = Result<EventUpdate>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.received.poll_recv(context)
    }
}

impl fmt::Debug for SubscriptionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionBuilder")
            .field("filter", &self.filter)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}
