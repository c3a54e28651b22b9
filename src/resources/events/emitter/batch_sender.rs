//! `BatchSender`: the background task that sends the events of an emitter.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{mpsc, oneshot};

use super::queue::{FlushReport, Message, Queue, QueuedEvent};
use super::send_rate::SendRate;
use crate::error::Error;
use crate::raw;
use crate::types::Event;

/// The most events in one request. The server accepts 5000, but does nothing else meanwhile.
pub(super) const MAX_EVENTS_PER_REQUEST: usize = 200;

/// The most bytes of JSON in one request.
const MAX_BYTES_PER_REQUEST: usize = 4_000_000;

/// The callback that receives the events that could not be sent, and the error.
pub(super) type OnFailure = Box<dyn Fn(Vec<Event>, &Error) + Send + Sync>;

/// Sends the queued events, batch by batch, until all senders of messages are dropped.
pub(super) struct BatchSender {
    raw: raw::Client,
    messages: mpsc::UnboundedReceiver<Message>,
    /// A message that was received while a batch was collected, and is not part of it.
    next_message: Option<Message>,
    queue: Arc<Queue>,
    rate: SendRate,
    batch: usize,
    linger: Duration,
    on_failure: Option<OnFailure>,
    /// The counts since the last flush.
    delivered: FlushReport,
}

impl BatchSender {
    pub(super) fn new(
        raw: raw::Client,
        messages: mpsc::UnboundedReceiver<Message>,
        queue: Arc<Queue>,
        rate: SendRate,
    ) -> Self {
        Self {
            raw,
            messages,
            next_message: None,
            queue,
            rate,
            batch: MAX_EVENTS_PER_REQUEST,
            linger: Duration::ZERO,
            on_failure: None,
            delivered: FlushReport::default(),
        }
    }

    pub(super) fn batching(mut self, batch: usize, linger: Duration) -> Self {
        self.batch = batch;
        self.linger = linger;
        self
    }

    pub(super) fn with_on_failure(mut self, on_failure: Option<OnFailure>) -> Self {
        self.on_failure = on_failure;
        self
    }

    pub(super) async fn run(mut self) {
        loop {
            let message = match self.next_message.take() {
                None => self.messages.recv().await,
                message => message,
            };
            match message {
                None => return,
                Some(Message::Flush(reply)) => self.reply_to_flush(reply),
                Some(Message::Event(first)) => {
                    let batch = self.collect(first).await;
                    self.deliver(batch).await;
                }
            }
        }
    }

    fn reply_to_flush(&mut self, reply: oneshot::Sender<FlushReport>) {
        // If the caller no longer waits, the counts are kept for the next flush.
        if reply.send(self.delivered).is_ok() {
            self.delivered = FlushReport::default();
        }
    }

    async fn collect(&mut self, first: QueuedEvent) -> Vec<Event> {
        let mut bytes = first.bytes;
        let mut batch = vec![first.event];
        let mut linger = self.raw.channel().clock().sleep(self.linger);
        while batch.len() < self.batch {
            let next = pin!(self.messages.recv());
            // Messages already received are taken first, even if the linger time is over.
            let queued = match select(next, &mut linger).await {
                Either::Left((Some(Message::Event(queued)), _)) => queued,
                Either::Left((other, _)) => {
                    self.next_message = other;
                    break;
                }
                Either::Right(_) => break,
            };
            if bytes + queued.bytes > MAX_BYTES_PER_REQUEST {
                self.next_message = Some(Message::Event(queued));
                break;
            }
            bytes += queued.bytes;
            batch.push(queued.event);
        }
        batch
    }

    async fn deliver(&mut self, batch: Vec<Event>) {
        let clock = self.raw.channel().clock();
        let wait = self.rate.count(batch.len(), clock.now());
        if !wait.is_zero() {
            clock.sleep(wait).await;
        }
        match self.raw.create_events(&batch).await {
            Ok(_) => self.confirm(batch.len()),
            Err(error) if batch.len() > 1 && may_be_one_bad_event(&error) => {
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
                Err(error) if may_be_one_bad_event(&error) => self.fail(event, &error),
                // The remaining events would fail in the same way, after the same wait.
                Err(error) => {
                    event.extend(events);
                    return self.fail(event, &error);
                }
            }
        }
    }

    fn confirm(&mut self, events: usize) {
        self.settle(FlushReport {
            confirmed: events as u64,
            ..FlushReport::default()
        });
    }

    fn fail(&mut self, events: Vec<Event>, error: &Error) {
        tracing::warn!(events = events.len(), %error, "events could not be sent");
        self.settle(FlushReport {
            failed: events.len() as u64,
            ..FlushReport::default()
        });
        if let Some(call) = &self.on_failure {
            // A panic in the callback must not stop the sending of later events.
            let called = catch_unwind(AssertUnwindSafe(|| call(events, error)));
            if called.is_err() {
                tracing::warn!("the `on_failure` callback panicked");
            }
        }
    }

    fn settle(&mut self, delivered: FlushReport) {
        self.delivered.confirmed += delivered.confirmed;
        self.delivered.failed += delivered.failed;
        self.queue.settle(delivered);
    }
}

impl Drop for BatchSender {
    /// Counts the events that are left as failed, so that nobody waits for them forever. There are some only
    /// after a panic, as in an observer of the client.
    fn drop(&mut self) {
        self.messages.close();
        self.queue.fail_remaining();
    }
}

/// Whether a single event may be the reason that the server refused the batch: it is invalid (422), or
/// cannot be parsed (400) or stored (500); or the events together are too large for a gateway (413).
fn may_be_one_bad_event(error: &Error) -> bool {
    let status = error.status().map(|status| status.as_u16());
    matches!(status, Some(400 | 413 | 422 | 500))
}
