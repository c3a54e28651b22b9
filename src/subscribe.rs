//! `Events::subscribe`: events as they happen.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_core::Stream;
use futures_util::future::select;
use tokio::sync::{Mutex, mpsc};
use uuid::Uuid;

use crate::client::Client;
use crate::error::Result;
use crate::handles::Events;
use crate::pager::Position;
use crate::query::Listing as _;
use crate::raw;
use crate::retry::RetryPolicy;
use crate::types::{
    EventFilter, EventNameFilter, EventOccurredFilter, EventOrder, EventResourceFilter,
    ReadEventsRequest, ReceivedEvent,
};

/// How often what was stored is read, while events come.
const SELDOM: Duration = Duration::from_secs(10);

/// And while they do not.
const OFTEN: Duration = Duration::from_secs(2);

/// How long after it has occurred an event may be stored: the server stores them every 5 s.
const LATE: Duration = Duration::from_secs(30);

/// And now and then.
const LATER: Duration = Duration::from_secs(300);

/// Events may be dated ahead, or the server's clock go before ours.
const AHEAD_OF_US: Duration = Duration::from_secs(3600);

/// How many events are remembered as seen.
const REMEMBERED: usize = 20_000;

/// How many events wait to be taken.
const AHEAD: usize = 1024;

/// Events to be told of: see [`Events::subscribe`].
#[derive(Clone)]
#[must_use = "nothing is told before it is started"]
pub struct Subscribe {
    client: Client,
    filter: EventFilter,
    since: Option<DateTime<Utc>>,
}

/// What a subscription tells.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Received {
    /// An event, each once.
    Event(Box<ReceivedEvent>),
    /// Something may be missing.
    MayHaveMissed(Gap),
}

/// A time in which events did not come as they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// From when on.
    pub since: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

/// Events as they happen, as a stream: see [`Events::subscribe`].
#[must_use = "streams do nothing unless they are polled"]
pub struct Subscription {
    received: mpsc::Receiver<Result<Received>>,
}

impl Events<'_> {
    /// Events as they happen, of all kinds if nothing else is said.
    ///
    /// They come over a WebSocket (`/events/out`), which is opened again whenever it ends. Beside it what the
    /// server has stored is read every 10 s, or every 2 s while there is no socket (`POST /events/filter`): the server drops
    /// events without a word when more than 256 wait for one who listens, and does not send those
    /// that happen just before a socket is opened. What was missed so comes up to 15 s late, and after
    /// newer ones. Each event comes once, by its id, as far as 20,000 are remembered.
    ///
    /// [`Received::MayHaveMissed`] tells of a time without a socket, when it is over: what was
    /// stored in it has come, or comes within 15 s; what a server has not stored, nobody can tell.
    /// (Where no socket was ever opened there is no such time: all comes from what is stored.) Every minute
    /// or less what is stored is read five minutes back; events that are dated further back, or stored later, only
    /// come by the socket. Events that were not yet stored when it was begun may come although they are older.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::Received;
    ///
    /// let mut events = client.events().subscribe().prefix("prefect.flow-run.").start().await?;
    /// while let Some(received) = events.next().await {
    ///     match received? {
    ///         Received::Event(event) => println!("{} {:?}", event.event, event.resource),
    ///         Received::MayHaveMissed(gap) => eprintln!("{gap}"),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscribe(self) -> Subscribe {
        Subscribe {
            client: self.client.clone(),
            filter: EventFilter::new(),
            since: None,
        }
    }
}

impl Subscribe {
    /// Another filter than none; its `occurred` and `order` are replaced. Say the words after it.
    pub fn filter(mut self, filter: EventFilter) -> Self {
        self.filter = filter;
        self
    }

    /// Events of this name; said several times, of any of them.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        let names: &mut EventNameFilter = self.filter.event.get_or_default();
        names.name.get_or_default().push(name.into());
        self
    }

    /// Events whose name begins so; said several times, with any of them.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        let names: &mut EventNameFilter = self.filter.event.get_or_default();
        names.prefix.get_or_default().push(prefix.into());
        self
    }

    /// Events of this resource, as `prefect.flow-run.…`; said several times, of any of them.
    pub fn resource_id(mut self, id: impl Into<String>) -> Self {
        let resource: &mut EventResourceFilter = self.filter.resource.get_or_default();
        resource.id.get_or_default().push(id.into());
        self
    }

    /// Events that have occurred since this time, which come first. Default: from the start on.
    pub fn since(mut self, since: DateTime<Utc>) -> Self {
        self.since = Some(since);
        self
    }

    /// Begins: reads what has been stored since, and listens.
    ///
    /// # Errors
    ///
    /// Those of any call. Once begun, only a server that refuses credentials or filter ends it with an error;
    /// all else is tried again.
    pub async fn start(self) -> Result<Subscription> {
        let background = self.client.background()?;
        let (tell, received) = mpsc::channel(AHEAD);
        let mut teller = Teller {
            tell,
            seen: HashSet::new(),
            order: VecDeque::new(),
            since: self.since,
            #[cfg(feature = "websocket")]
            silent_since: None,
        };
        let raw = self.client.shared_raw();
        let start = server_time(&raw).await?;
        let (first, since) = match self.since {
            Some(since) => (stored(&raw, &self.filter, since).await?, since),
            // What has happened before is known from now on, so that only what is new is told of,
            // whatever the clocks of server and client say.
            None => {
                for event in stored(&raw, &self.filter, start - LATE).await? {
                    teller.is_new(event.id);
                }
                (Vec::new(), start)
            }
        };
        let (raw, filter) = (background.raw().clone(), self.filter);
        background.spawn(async move {
            for event in first {
                if !teller.event(event).await {
                    return;
                }
            }
            let (teller, live) = (Mutex::new(teller), AtomicBool::new(false));
            let listening = pin!(listen(raw.clone(), &filter, &teller, &live));
            let reading = pin!(read_on(raw, &filter, &teller, &live, since.max(start)));
            select(listening, reading).await;
        });
        Ok(Subscription { received })
    }
}

/// Reads what the server has stored of events since a time, and goes on.
async fn read_on(
    raw: Arc<raw::Client>,
    filter: &EventFilter,
    teller: &Mutex<Teller>,
    live: &AtomicBool,
    mut read_until: DateTime<Utc>,
) {
    let transport = raw.transport().with_retry(RetryPolicy::none());
    let raw = Arc::new(raw::Client::with_transport(transport));
    // The server's clock, from here on.
    let (start, since_start) = (read_until, Instant::now());
    let mut rounds = 0_u32;
    loop {
        let pause = if live.load(Ordering::Relaxed) {
            SELDOM
        } else {
            OFTEN
        };
        tokio::time::sleep(pause).await;
        if teller.lock().await.tell.is_closed() {
            return;
        }
        let now = start + since_start.elapsed();
        // Now and then further back: some are stored long after they have occurred.
        rounds = rounds.wrapping_add(1);
        let back = if rounds.is_multiple_of(6) {
            LATER
        } else {
            LATE
        };
        match stored(&raw, filter, read_until - back).await {
            Ok(events) => {
                read_until = now;
                for event in events {
                    if !teller.lock().await.event(event).await {
                        return;
                    }
                }
            }
            Err(error) if error.is_hopeless() => {
                let _ = teller.lock().await.tell.send(Err(error)).await;
                return;
            }
            Err(error) => tracing::debug!(%error, "stored events cannot be read; trying on"),
        }
    }
}

/// The server's time, by its reply; ours, if it does not tell.
async fn server_time(raw: &raw::Client) -> Result<DateTime<Utc>> {
    let reply = raw.read_events(&ReadEventsRequest::new().limit(1)).await?;
    let date = reply.headers().get(reqwest::header::DATE);
    let date = date.and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    Ok(date.map_or_else(Utc::now, |date| date.to_utc()))
}

/// What the server has stored of events that have occurred since a time, the oldest first.
async fn stored(
    raw: &Arc<raw::Client>,
    filter: &EventFilter,
    since: DateTime<Utc>,
) -> Result<Vec<ReceivedEvent>> {
    let occurred = EventOccurredFilter::new()
        .since(since)
        .until(Utc::now() + AHEAD_OF_US);
    let filter = filter.clone().occurred(occurred).order(EventOrder::Asc);
    let request = ReadEventsRequest::new().filter(filter);
    let (mut events, mut at) = (Vec::new(), Some(Position::Start));
    while let Some(position) = at {
        let page = request
            .clone()
            .page(raw.clone(), (), position, None)
            .await?;
        events.extend(page.items);
        at = page.next;
    }
    Ok(events)
}

/// Without sockets, only what is stored is read.
#[cfg(not(feature = "websocket"))]
async fn listen(_: Arc<raw::Client>, _: &EventFilter, _: &Mutex<Teller>, _: &AtomicBool) {
    std::future::pending().await
}

/// Listens, until nobody wants to know any more.
#[cfg(feature = "websocket")]
async fn listen(
    raw: Arc<raw::Client>,
    filter: &EventFilter,
    teller: &Mutex<Teller>,
    live: &AtomicBool,
) {
    use crate::error::ErrorKind;
    use crate::feed::{Feed, Heard};

    let mut feed = Feed::new(raw, filter.clone());
    loop {
        let heard = feed.next().await;
        let mut teller = teller.lock().await;
        let goes_on = match heard {
            Heard::Opened => {
                live.store(true, Ordering::Relaxed);
                teller.opened().await
            }
            Heard::Event(event) => teller.event(*event).await,
            Heard::Ended(error) => {
                live.store(false, Ordering::Relaxed);
                tracing::debug!(%error, "no events come; what is stored is read more often");
                if error.kind() == ErrorKind::Unauthorized {
                    let _ = teller.tell.send(Err(error)).await;
                    return;
                }
                teller.ended(&error);
                true
            }
        };
        if !goes_on {
            return;
        }
    }
}

/// Who tells of each event once.
struct Teller {
    tell: mpsc::Sender<Result<Received>>,
    seen: HashSet<Uuid>,
    order: VecDeque<Uuid>,
    /// What has occurred before is not told.
    since: Option<DateTime<Utc>>,
    /// Since when no events come, and why.
    #[cfg(feature = "websocket")]
    silent_since: Option<(DateTime<Utc>, String)>,
}

impl Teller {
    fn is_new(&mut self, id: Uuid) -> bool {
        let is_new = self.seen.insert(id);
        if is_new {
            self.order.push_back(id);
            if self.order.len() > REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.seen.remove(&oldest);
            }
        }
        is_new
    }

    /// `false` when nobody wants to know any more.
    async fn event(&mut self, event: ReceivedEvent) -> bool {
        let is_early = self.since.is_some_and(|since| event.occurred < since);
        match !is_early && self.is_new(event.id) {
            true => self.send(Received::Event(Box::new(event))).await,
            false => true,
        }
    }

    #[cfg(feature = "websocket")]
    fn ended(&mut self, why: &crate::error::Error) {
        self.silent_since
            .get_or_insert_with(|| (Utc::now(), why.to_string()));
    }

    #[cfg(feature = "websocket")]
    async fn opened(&mut self) -> bool {
        match self.silent_since.take() {
            None => true,
            Some((since, reason)) => {
                let until = Utc::now();
                let gap = Gap {
                    since,
                    until,
                    reason,
                };
                self.send(Received::MayHaveMissed(gap)).await
            }
        }
    }

    async fn send(&self, received: Received) -> bool {
        self.tell.send(Ok(received)).await.is_ok()
    }
}

impl Subscription {
    /// What comes next; `None` after an error. Nothing is lost when this is dropped before.
    pub async fn next(&mut self) -> Option<Result<Received>> {
        self.received.recv().await
    }
}

impl Stream for Subscription {
    type Item = Result<Received>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.received.poll_recv(context)
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            since,
            until,
            reason,
        } = self;
        write!(f, "events from {since} to {until} may be missing: {reason}")
    }
}

impl fmt::Debug for Subscribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribe")
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
