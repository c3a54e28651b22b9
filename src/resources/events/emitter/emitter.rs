//! `Emitter`: puts events into a queue, from which they are sent in the background.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::queue::{EmitterStats, FlushReport, Message, OverflowPolicy, Queue, QueuedEvent, full};
use crate::error::{Error, ErrorKind, Result};
use crate::resources::events::event_check::check;
use crate::types::Event;

/// How long the events of an emitter that is closed or dropped are sent.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(60);

/// Emits events in the background: see [`Events::emitter`](crate::events::Events::emitter). Cheap to clone;
/// clones share one queue and its counts.
///
/// # How they are sent
///
/// Events are sent in the order in which they were queued, by `POST /events` with up to 200 of them, one
/// request after the other, at a [`rate`](super::EmitterBuilder::rate) that a server keeps up with. They
/// are sent by the client's own thread over its own connections, so sending goes on while all threads of
/// the program are busy. The server identifies events by their ids, so none is recorded twice when a request
/// is repeated.
///
/// While the server is out of reach, or answers 408, 429 or a 5xx but 500, events stay in the queue, and are sent again
/// after the waits of the client's [`RetryPolicy`](crate::RetryPolicy). They fail only when the queue is full
/// and they were sent as often as that policy allows; or when the emitter is closed and its time is over.
///
/// The server refuses a whole batch because of one bad event. The events of that batch are then sent one by
/// one (also after a 400, a 413 or a 500), so that only the bad one fails. A 500 may
/// be the server's fault as well: an event that is answered with it is sent once more if others were accepted, and
/// otherwise as often as the retry policy allows.
///
/// # What can be lost
///
/// Nothing is lost silently: [`stats`](Self::stats) counts the events that were dropped because the queue
/// was full, and those that could not be sent. Both are also logged as warnings, and
/// [`on_failure`](super::EmitterBuilder::on_failure) receives the events that could not be sent. The queue
/// is in memory: events that are in it when the process ends are lost, so [`close`](Self::close) it before,
/// or [shut the client down](crate::Client::shutdown).
///
/// A server may lose what it has confirmed: beyond its [`rate`](super::EmitterBuilder::rate), and when one of several servers
/// that pass events on through Redis is killed while it takes a batch. It notes up to five ids before it passes their events on;
/// when the events are sent again, in the next five minutes, the others take them for known.
///
/// When the last clone is dropped, the events in the queue are still sent, for up to a minute, as long as the
/// process lives.
#[derive(Clone)]
pub struct Emitter(Arc<Shared>);

struct Shared {
    messages: mpsc::UnboundedSender<Message>,
    queue: Arc<Queue>,
    overflow: OverflowPolicy,
}

impl Emitter {
    pub(super) fn new(
        messages: mpsc::UnboundedSender<Message>,
        queue: Arc<Queue>,
        overflow: OverflowPolicy,
    ) -> Self {
        Self(Arc::new(Shared {
            messages,
            queue,
            overflow,
        }))
    }

    /// Puts an event into the queue, and never waits. It needs no runtime, and may be called from any
    /// thread. When the queue is full, [`OverflowPolicy`] decides what happens: by default the event is
    /// dropped and counted, which is not an error.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for an event that
    /// [`Events::emit`](crate::events::Events::emit) refuses, and when the emitter is closed;
    /// [`RateLimited`](crate::ErrorKind::RateLimited) when the queue is full, with
    /// [`OverflowPolicy::Refuse`].
    ///
    /// ```no_run
    /// # fn example(emitter: prefect_sdk::events::Emitter) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::types::Event;
    /// use uuid::Uuid;
    ///
    /// let order = [("prefect.resource.id".to_owned(), "shop.order.42".to_owned())];
    /// emitter.emit(Event::new(chrono::Utc::now(), "shop.order.paid", order, Uuid::new_v4()))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn emit(&self, event: Event) -> Result<()> {
        let bytes = check(&event)?;
        let Shared {
            messages,
            queue,
            overflow,
        } = &*self.0;
        match (queue.try_take_room()?, overflow) {
            (true, _) => queue.push(QueuedEvent { event, bytes }, messages),
            (false, OverflowPolicy::Refuse) => Err(full()),
            (false, OverflowPolicy::Drop) => {
                queue.drop_one();
                Ok(())
            }
        }
    }

    /// Puts an event into the queue as soon as there is room, first come, first served. If the future is
    /// dropped before that, the event is not queued.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for an event that
    /// [`Events::emit`](crate::events::Events::emit) refuses, and when the emitter is closed.
    ///
    /// ```no_run
    /// # async fn example(emitter: prefect_sdk::events::Emitter, events: Vec<prefect_sdk::types::Event>) -> prefect_sdk::Result<()> {
    /// for event in events {
    ///     emitter.send(event).await?; // as fast as they are sent
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send(&self, event: Event) -> Result<()> {
        let bytes = check(&event)?;
        let Shared {
            messages, queue, ..
        } = &*self.0;
        queue.take_room().await?;
        queue.push(QueuedEvent { event, bytes }, messages)
    }

    /// Waits until every event that was queued before has been sent, or has failed, however long the server is
    /// out of reach; these events are sent without waiting for others. Returns the counts since the previous flush, by this or another clone.
    ///
    /// # Errors
    ///
    /// [`Connection`](crate::ErrorKind::Connection) when the background task has ended, as after a panic in
    /// an observer of the client. (Events that could not be sent are not an error here: see
    /// [`FlushReport::failed`].)
    ///
    /// ```no_run
    /// # async fn example(emitter: prefect_sdk::events::Emitter) -> prefect_sdk::Result<()> {
    /// let delivered = emitter.flush().await?;
    /// println!("{} events were taken, {} were not", delivered.confirmed, delivered.failed);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn flush(&self) -> Result<FlushReport> {
        let (reply, report) = oneshot::channel();
        // If this fails, `reply` is dropped, and `report` returns the error.
        let _ = self.0.messages.send(Message::Flush(reply));
        let ended =
            |gone| Error::new(ErrorKind::Connection, "the emitter has ended").with_source(gone);
        report.await.map_err(ended)
    }

    /// The counts of events so far.
    pub fn stats(&self) -> EmitterStats {
        self.0.queue.stats()
    }

    /// Closes this emitter and all its clones: waits until the events in the queue have been sent, or have
    /// failed, for up to a minute, and returns the final counts. Putting an event into a clone after that is an
    /// error.
    ///
    /// If the future is dropped before it completes, the events in the queue are still sent, in the same time.
    ///
    /// ```no_run
    /// # async fn example(emitter: prefect_sdk::events::Emitter) -> prefect_sdk::Result<()> {
    /// let stats = emitter.close().await;
    /// println!("{} events were dropped, {} failed", stats.dropped, stats.failed);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn close(self) -> EmitterStats {
        self.close_within(CLOSE_TIMEOUT).await
    }

    /// Closes this emitter and all its clones, as [`close`](Self::close) does, within this time, a day at most:
    /// events that could not be sent by then have failed.
    ///
    /// ```no_run
    /// # async fn example(emitter: prefect_sdk::events::Emitter) -> prefect_sdk::Result<()> {
    /// use std::time::Duration;
    ///
    /// let stats = emitter.close_within(Duration::from_secs(5)).await;
    /// println!("{} events could not be sent", stats.failed);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn close_within(self, timeout: Duration) -> EmitterStats {
        self.0.queue.close(timeout);
        // If the flush fails, all remaining events are counted as failed.
        let _ = self.flush().await;
        self.stats()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close(CLOSE_TIMEOUT);
    }
}

impl fmt::Debug for Emitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter")
            .field("overflow", &self.0.overflow)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
