//! `EmitterBuilder`: what an emitter can be told.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::book::Book;
use super::emitter::Emitter;
use super::pace::Pace;
use super::worker::{MOST_EVENTS, OnFailure, Worker};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::raw;
use crate::types::Event;

/// What [`Emitter::emit`] does when the queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// The new event is dropped and counted, and the log has a warning when that begins.
    #[default]
    Drop,
    /// The new event is refused: an error of the kind [`RateLimited`](crate::ErrorKind::RateLimited).
    Refuse,
}

/// Options of an [`Emitter`]: see [`Events::emitter`](crate::Events::emitter).
///
/// ```no_run
/// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
/// use std::time::Duration;
/// use prefect_sdk::WhenFull;
///
/// let emitter = client
///     .events()
///     .emitter()
///     .capacity(50_000)
///     .linger(Duration::from_secs(1))
///     .when_full(WhenFull::Refuse)
///     .on_failure(|events, error| eprintln!("{} events were not sent: {error}", events.len()))
///     .start()?;
/// println!("{:?}", emitter.stats());
/// # Ok(())
/// # }
/// ```
#[must_use = "there is no emitter before it is started"]
pub struct EmitterBuilder {
    client: Client,
    capacity: usize,
    batch: usize,
    linger: Duration,
    rate: u32,
    when_full: WhenFull,
    on_failure: Option<OnFailure>,
}

impl EmitterBuilder {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            capacity: 10_000,
            batch: MOST_EVENTS,
            linger: Duration::from_millis(100),
            rate: 200,
            when_full: WhenFull::default(),
            on_failure: None,
        }
    }

    /// How many events there may be at a time that wait or are being sent. Default: 10,000; 0 counts as 1.
    /// (They are held in memory, and an event may have 1.5 MB.)
    pub fn capacity(mut self, events: usize) -> Self {
        self.capacity = events;
        self
    }

    /// How many events are sent in one request at most. Default: 200, which is also the most; 0 counts as 1. A
    /// request has 4 MB at most, so of large events there are fewer.
    pub fn batch(mut self, events: usize) -> Self {
        self.batch = events.clamp(1, MOST_EVENTS);
        self
    }

    /// How long an event waits for others to be sent with it, unless the batch is full before. Default: 100 ms.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// How many events are sent a second, after 4000 that go at once. Default: 200, so that 10,000 take half a
    /// minute; 0 is as many as the server answers to.
    ///
    /// A server puts events into a queue of 10,000, from which it stores them one after the other. When that is
    /// full it drops them, and answers 204 all the same: of 40,000 that were sent as fast as it
    /// answered, one on two cores stored 11,441. It kept up with 500 a second, and with 800 it did not;
    /// with automations, or other clients that emit, it is fewer.
    pub fn rate(mut self, events_per_second: u32) -> Self {
        self.rate = events_per_second;
        self
    }

    /// What [`Emitter::emit`] does when the queue is full. Default: [`WhenFull::Drop`].
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Calls this with events that could not be sent, and why; those that were dropped are not among them.
    /// When a reply was lost the server may have taken them
    /// ([`Error::may_have_happened`]): sent again with the ids that they have, they are not doubled.
    ///
    /// It is called on the client's own thread: as long as it works, nothing is sent, no lease of a
    /// [`Slot`](crate::Slot) is renewed, and no run is looked at. So hand the events on, as to a channel.
    pub fn on_failure(mut self, call: impl Fn(Vec<Event>, &Error) + Send + Sync + 'static) -> Self {
        self.on_failure = Some(Box::new(call));
        self
    }

    /// Starts to wait for events. Sends nothing.
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration) when the client's own thread cannot be started.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, event: prefect_sdk::types::Event) -> prefect_sdk::Result<()> {
    /// let emitter = client.events().emitter().start()?;
    /// emitter.emit(event)?;
    /// emitter.flush().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn start(self) -> Result<Emitter> {
        let background = self.client.background()?;
        // That thread has the policy and the timeout that the first client was built with.
        let (own, ours) = (background.raw().transport(), self.client.raw().transport());
        let own = own.with_retry(ours.retry().clone());
        let raw = raw::Client::with_transport(own.with_timeout(ours.timeout()));
        let (queue, queued) = mpsc::unbounded_channel();
        let book = Arc::new(Book::new(self.capacity));
        let pace = Pace::new(self.rate);
        let worker = Worker::new(raw, queued, Arc::clone(&book), pace)
            .batching(self.batch, self.linger)
            .telling(self.on_failure);
        background.spawn(worker.run());
        Ok(Emitter::new(queue, book, self.when_full))
    }
}

impl fmt::Debug for EmitterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmitterBuilder")
            .field("capacity", &self.capacity)
            .field("batch", &self.batch)
            .field("linger", &self.linger)
            .field("rate", &self.rate)
            .field("when_full", &self.when_full)
            .finish_non_exhaustive()
    }
}
