//! `Worker`: who sends the events of an emitter.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{mpsc, oneshot};

use super::book::{Book, Delivered};
use super::pace::Pace;
use crate::error::Error;
use crate::raw;
use crate::types::Event;

/// How many events a request has at most. The server takes 5000, and does nothing else meanwhile.
pub(super) const MOST_EVENTS: usize = 200;

/// How many bytes of JSON a request has at most.
const MOST_BYTES: usize = 4_000_000;

/// Who gets the events back that could not be sent.
pub(super) type OnFailure = Box<dyn Fn(Vec<Event>, &Error) + Send + Sync>;

/// What is in the queue.
pub(super) enum Message {
    Event(Queued),
    /// Who wants to know when all before it is settled.
    Flush(oneshot::Sender<Delivered>),
}

/// An event, and how many bytes of JSON it is.
pub(super) struct Queued {
    pub event: Event,
    pub bytes: usize,
}

/// Sends what is in the queue, batch by batch, until nobody can put anything in any more.
pub(super) struct Worker {
    raw: raw::Client,
    queue: mpsc::UnboundedReceiver<Message>,
    /// What came behind a batch and is no part of it.
    behind: Option<Message>,
    book: Arc<Book>,
    pace: Pace,
    batch: usize,
    linger: Duration,
    on_failure: Option<OnFailure>,
    /// Since the last flush.
    delivered: Delivered,
}

impl Worker {
    pub fn new(
        raw: raw::Client,
        queue: mpsc::UnboundedReceiver<Message>,
        book: Arc<Book>,
        pace: Pace,
    ) -> Self {
        Self {
            raw,
            queue,
            behind: None,
            book,
            pace,
            batch: MOST_EVENTS,
            linger: Duration::ZERO,
            on_failure: None,
            delivered: Delivered::default(),
        }
    }

    pub fn batching(mut self, batch: usize, linger: Duration) -> Self {
        self.batch = batch;
        self.linger = linger;
        self
    }

    pub fn telling(mut self, on_failure: Option<OnFailure>) -> Self {
        self.on_failure = on_failure;
        self
    }

    pub async fn run(mut self) {
        loop {
            let message = match self.behind.take() {
                None => self.queue.recv().await,
                message => message,
            };
            match message {
                None => return,
                Some(Message::Flush(reply)) => self.answer(reply),
                Some(Message::Event(first)) => {
                    let batch = self.collect(first).await;
                    self.deliver(batch).await;
                }
            }
        }
    }

    fn answer(&mut self, reply: oneshot::Sender<Delivered>) {
        // Who does not wait any more has not heard of it.
        if reply.send(self.delivered).is_ok() {
            self.delivered = Delivered::default();
        }
    }

    async fn collect(&mut self, first: Queued) -> Vec<Event> {
        let mut bytes = first.bytes;
        let mut batch = vec![first.event];
        let mut linger = self.raw.transport().clock().sleep(self.linger);
        while batch.len() < self.batch {
            let next = pin!(self.queue.recv());
            // What is there already is taken first, however long that was.
            let queued = match select(next, &mut linger).await {
                Either::Left((Some(Message::Event(queued)), _)) => queued,
                Either::Left((other, _)) => {
                    self.behind = other;
                    break;
                }
                Either::Right(_) => break,
            };
            if bytes + queued.bytes > MOST_BYTES {
                self.behind = Some(Message::Event(queued));
                break;
            }
            bytes += queued.bytes;
            batch.push(queued.event);
        }
        batch
    }

    async fn deliver(&mut self, batch: Vec<Event>) {
        let clock = self.raw.transport().clock();
        let wait = self.pace.count(batch.len(), clock.now());
        if !wait.is_zero() {
            clock.sleep(wait).await;
        }
        match self.raw.create_events(&batch).await {
            Ok(_) => self.confirm(batch.len()),
            Err(error) if batch.len() > 1 && may_be_for_one(&error) => {
                tracing::debug!(events = batch.len(), %error, "sending events one by one");
                self.deliver_one_by_one(batch).await;
            }
            Err(error) => self.fail(batch, &error),
        }
    }

    async fn deliver_one_by_one(&mut self, batch: Vec<Event>) {
        let mut events = batch.into_iter();
        while let Some(event) = events.next() {
            let mut event = vec![event];
            match self.raw.create_events(&event).await {
                Ok(_) => self.confirm(1),
                Err(error) if may_be_for_one(&error) => self.fail(event, &error),
                // All others would wait as long for nothing.
                Err(error) => {
                    event.extend(events);
                    return self.fail(event, &error);
                }
            }
        }
    }

    fn confirm(&mut self, events: usize) {
        self.settle(Delivered {
            confirmed: events as u64,
            ..Delivered::default()
        });
    }

    fn fail(&mut self, events: Vec<Event>, error: &Error) {
        tracing::warn!(events = events.len(), %error, "events could not be sent");
        self.settle(Delivered {
            failed: events.len() as u64,
            ..Delivered::default()
        });
        if let Some(call) = &self.on_failure {
            // A panic there must not end the sending of all others.
            let called = catch_unwind(AssertUnwindSafe(|| call(events, error)));
            if called.is_err() {
                tracing::warn!("who is told of events that failed has panicked");
            }
        }
    }

    fn settle(&mut self, delivered: Delivered) {
        self.delivered.confirmed += delivered.confirmed;
        self.delivered.failed += delivered.failed;
        self.book.settle(delivered);
    }
}

impl Drop for Worker {
    /// There is nothing left but after a panic, as in an observer of the client's: then nobody is to wait for
    /// ever, and what is left has failed.
    fn drop(&mut self) {
        self.queue.close();
        self.book.give_up();
    }
}

/// Whether one event may be the reason that the server takes none of them: it is not as it should be (422), cannot
/// be parsed (400) or written (500), or all of them are too much for a gateway (413).
fn may_be_for_one(error: &Error) -> bool {
    let status = error.status().map(|status| status.as_u16());
    matches!(status, Some(400 | 413 | 422 | 500))
}
