//! `Emitter`: the queue, as those see it who put events in.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::book::{Book, Delivered, Stats, full};
use super::builder::WhenFull;
use super::check::check;
use super::worker::{Message, Queued};
use crate::error::{Error, ErrorKind, Result};
use crate::types::Event;

/// Emits events in the background: see [`Events::emitter`](crate::Events::emitter). Cheap to clone; clones share
/// one queue, and its counts.
///
/// # How they are sent
///
/// In the order in which they came, by `POST /events` with up to 200 of them, one request after the other, at the
/// [`rate`](super::EmitterBuilder::rate) that a server keeps up with. It is done by a thread of the
/// client's own with connections of its own, so that it also goes on while all threads of the program are busy.
/// Each request is repeated as the [`RetryPolicy`](crate::RetryPolicy) of the client says; the
/// server knows events by their ids, so that none is doubled by it.
///
/// The server refuses a whole batch for one bad event. Its events are then sent one by one (also after a 400, a 413
/// or a 500), so that only the bad one fails.
///
/// # What is lost, and who knows
///
/// Nothing is lost silently: [`stats`](Self::stats) counts what was dropped because the queue was full, and what
/// could not be sent. Either is also a warning in the log, and
/// [`on_failure`](super::EmitterBuilder::on_failure) gets what could not be sent back. The queue is in memory: what
/// is in it when the process ends is lost, so [`close`](Self::close) it before.
///
/// When the last clone is dropped, what is in the queue is still sent as long as the process lives.
#[derive(Clone)]
pub struct Emitter(Arc<Shared>);

struct Shared {
    queue: mpsc::UnboundedSender<Message>,
    book: Arc<Book>,
    when_full: WhenFull,
}

impl Emitter {
    pub(super) fn new(
        queue: mpsc::UnboundedSender<Message>,
        book: Arc<Book>,
        when_full: WhenFull,
    ) -> Self {
        Self(Arc::new(Shared {
            queue,
            book,
            when_full,
        }))
    }

    /// Puts an event into the queue, and never waits. It needs no runtime, and may be called from any thread. When
    /// the queue is full, [`WhenFull`] says what happens: unless told otherwise, the event is dropped
    /// and counted, which is no error.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for an event that [`Events::emit`](crate::Events::emit)
    /// refuses, and when this is closed; [`RateLimited`](crate::ErrorKind::RateLimited) when the queue is full, with
    /// [`WhenFull::Refuse`].
    ///
    /// ```no_run
    /// # fn example(emitter: prefect_sdk::Emitter) -> prefect_sdk::Result<()> {
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
            queue,
            book,
            when_full,
        } = &*self.0;
        match (book.try_take_room()?, when_full) {
            (true, _) => book.queue(Queued { event, bytes }, queue),
            (false, WhenFull::Refuse) => Err(full()),
            (false, WhenFull::Drop) => {
                book.drop_one();
                Ok(())
            }
        }
    }

    /// Puts an event into the queue as soon as there is room, first come, first served. If this is dropped before,
    /// the event is not in the queue.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for an event that [`Events::emit`](crate::Events::emit)
    /// refuses, and when this is closed.
    ///
    /// ```no_run
    /// # async fn example(emitter: prefect_sdk::Emitter, events: Vec<prefect_sdk::types::Event>) -> prefect_sdk::Result<()> {
    /// for event in events {
    ///     emitter.send(event).await?; // as fast as they are sent
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send(&self, event: Event) -> Result<()> {
        let bytes = check(&event)?;
        let Shared { queue, book, .. } = &*self.0;
        book.take_room().await?;
        book.queue(Queued { event, bytes }, queue)
    }

    /// Waits until each event that was put into the queue before has been sent, or given up; they do not wait for
    /// others any more. Returns what has become of events since the flush before, of this or another clone.
    ///
    /// # Errors
    ///
    /// [`Connection`](crate::ErrorKind::Connection) when there is nobody any more who sends, as after a panic in an
    /// observer of the client's. (That events could not be sent is no error of this: see
    /// [`Delivered::failed`].)
    ///
    /// ```no_run
    /// # async fn example(emitter: prefect_sdk::Emitter) -> prefect_sdk::Result<()> {
    /// let delivered = emitter.flush().await?;
    /// println!("{} events were taken, {} were not", delivered.confirmed, delivered.failed);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn flush(&self) -> Result<Delivered> {
        let (tell, told) = oneshot::channel();
        // If it cannot be asked, nobody tells.
        let _ = self.0.queue.send(Message::Flush(tell));
        let ended =
            |gone| Error::new(ErrorKind::Connection, "the emitter has ended").caused_by(gone);
        told.await.map_err(ended)
    }

    /// What has become of events so far.
    pub fn stats(&self) -> Stats {
        self.0.book.stats()
    }

    /// Ends this and all its clones: waits until what is in the queue has been sent, or given up, and returns what
    /// has become of all events. Who puts one in after that, by another clone, gets an error.
    ///
    /// If this is dropped before its end, what is in the queue is still sent.
    ///
    /// ```no_run
    /// # async fn example(emitter: prefect_sdk::Emitter) -> prefect_sdk::Result<()> {
    /// let stats = emitter.close().await;
    /// println!("{} events were dropped, {} failed", stats.dropped, stats.failed);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn close(self) -> Stats {
        self.0.book.close();
        // If it fails, all that was left is counted as failed.
        let _ = self.flush().await;
        self.stats()
    }
}

impl fmt::Debug for Emitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter")
            .field("when_full", &self.0.when_full)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
