//! `EmitterBuilder`: the options of an emitter.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::batch_sender::{BatchSender, MAX_EVENTS_PER_REQUEST, OnFailure};
use super::emitter::Emitter;
use super::emitters::Emitters;
use super::queue::{OverflowPolicy, Queue};
use super::send_rate::SendRate;
use crate::client::{Background, Client};
use crate::error::{Error, Result};
use crate::types::Event;

/// The options of an [`Emitter`]: see [`Events::emitter`](crate::events::Events::emitter).
///
/// ```no_run
/// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
/// use std::time::Duration;
/// use prefect_sdk::events::OverflowPolicy;
///
/// let emitter = client
///     .events()
///     .emitter()
///     .capacity(50_000)
///     .linger(Duration::from_secs(1))
///     .overflow(OverflowPolicy::Refuse)
///     .on_failure(|events, error| eprintln!("{} events were not sent: {error}", events.len()))
///     .start()?;
/// println!("{:?}", emitter.stats());
/// # Ok(())
/// # }
/// ```
#[must_use = "an emitter does nothing until it is started"]
pub struct EmitterBuilder {
    client: Client,
    capacity: usize,
    batch: usize,
    linger: Duration,
    rate: u32,
    overflow: OverflowPolicy,
    on_failure: Option<OnFailure>,
}

impl EmitterBuilder {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            capacity: 10_000,
            batch: MAX_EVENTS_PER_REQUEST,
            linger: Duration::from_millis(100),
            rate: 200,
            overflow: OverflowPolicy::default(),
            on_failure: None,
        }
    }

    /// Sets how many events may be queued or being sent at a time. Default: 10,000; 0 counts as 1. (They
    /// are held in memory, and an event may have 1.5 MB.)
    pub fn capacity(mut self, events: usize) -> Self {
        self.capacity = events;
        self
    }

    /// Sets how many events one request has at most. Default: 200, which is also the maximum; 0 counts as
    /// 1. A request has at most 4 MB, so it has fewer events if they are large.
    pub fn batch(mut self, events: usize) -> Self {
        self.batch = events.clamp(1, MAX_EVENTS_PER_REQUEST);
        self
    }

    /// Sets how long an event waits for others to be sent with it, unless the batch is full earlier. Default:
    /// 100 ms.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Sets how many events are sent per second, after a burst of 4000. Default: 200, so that 10,000 take
    /// half a minute; 0 means no limit: as many as the server answers.
    ///
    /// A server puts events into a queue of 10,000, from which it stores them one after the other. When
    /// that queue is full the server drops events, yet still answers 204: of 40,000 events sent as fast as
    /// it answered, a server on two cores stored 11,441. It kept up with 500 per second, but not with 800;
    /// with automations, or other clients that emit, the limit is lower.
    pub fn rate(mut self, events_per_second: u32) -> Self {
        self.rate = events_per_second;
        self
    }

    /// Sets what [`Emitter::emit`] does when the queue is full. Default: [`OverflowPolicy::Drop`].
    pub fn overflow(mut self, overflow: OverflowPolicy) -> Self {
        self.overflow = overflow;
        self
    }

    /// Sets a callback that receives the events that could not be sent, and the error; dropped events are
    /// not among them. When a reply was lost the server may have recorded them
    /// ([`Error::may_have_happened`]): sent again with the same ids, they are not recorded twice.
    ///
    /// While the callback runs, this emitter sends nothing. It may block, but must not wait for the emitter.
    pub fn on_failure(mut self, call: impl Fn(Vec<Event>, &Error) + Send + Sync + 'static) -> Self {
        self.on_failure = Some(Box::new(call));
        self
    }

    /// Starts the emitter. Sends nothing yet.
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
    #[inline]
    pub fn start(self) -> Result<Emitter> {
        let background = self.client.service::<Background>()?;
        let raw = background.raw_for(self.client.channel());
        let (messages, received) = mpsc::unbounded_channel();
        let queue = Arc::new(Queue::new(self.capacity));
        let emitters = self.client.service::<Emitters>()?;
        emitters.add(Arc::clone(&queue))?;
        let rate = SendRate::new(self.rate);
        let sender = BatchSender::new(raw, received, Arc::clone(&queue), rate)
            .batching(self.batch, self.linger)
            .with_on_failure(self.on_failure);
        background.spawn(sender.run());
        Ok(Emitter::new(messages, queue, self.overflow))
    }
}

impl fmt::Debug for EmitterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmitterBuilder")
            .field("capacity", &self.capacity)
            .field("batch", &self.batch)
            .field("linger", &self.linger)
            .field("rate", &self.rate)
            .field("overflow", &self.overflow)
            .finish_non_exhaustive()
    }
}
