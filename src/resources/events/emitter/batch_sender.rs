//! `BatchSender`: the background task that sends the events of an emitter.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{mpsc, oneshot};
use tokio::task::block_in_place;

use super::queue::{FlushReport, Message, Queue, QueuedEvent};
use super::send_rate::SendRate;
use crate::error::{Error, ErrorKind, Result};
use crate::raw;
use crate::types::Event;

/// The most events in one request. The server accepts 5000, but does nothing else meanwhile.
pub(super) const MAX_EVENTS_PER_REQUEST: usize = 200;

/// The most bytes of JSON in one request.
const MAX_BYTES_PER_REQUEST: usize = 4_000_000;

/// The shortest pause before events are sent again, whatever the retry policy and the server say.
const MIN_PAUSE: Duration = Duration::from_millis(100);

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
        let linger = self.raw.channel().clock().sleep(self.linger);
        // Of an emitter that is closed, nothing waits for others.
        let closed = pin!(self.queue.closed());
        let mut linger = select(linger, closed);
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

    /// Sends a batch, and its events one by one if one of them may be the reason that it is refused.
    async fn deliver(&mut self, batch: Vec<Event>) {
        let clock = self.raw.channel().clock();
        let wait = self.rate.count(batch.len(), clock.now());
        if !wait.is_zero() {
            self.queue.before_end(clock.sleep(wait)).await;
        }
        let mut unsent = VecDeque::from([batch]);
        // Events that were answered with 500 by themselves: are they bad, or is the server?
        let (mut suspects, mut rounds, mut any_was_accepted) = (Vec::new(), 0, false);
        loop {
            while let Some(mut batch) = unsent.pop_front() {
                match self.send(&batch).await {
                    Ok(()) => {
                        if !std::mem::replace(&mut any_was_accepted, true) {
                            rounds = 0;
                        }
                        self.confirm(batch.len());
                    }
                    // Between the first round and the last, a server that answers 500 to everything is asked once a round.
                    Err(error)
                        if error.is_server_error()
                            && !any_was_accepted
                            && rounds > 0
                            && self.raw.channel().retry().allows(rounds + 1) =>
                    {
                        let events = batch.into_iter();
                        suspects.extend(events.map(|event| (event, error.copy())));
                    }
                    Err(error) if batch.len() > 1 && may_be_one_bad_event(&error) => {
                        tracing::debug!(events = batch.len(), %error, "sending events one by one");
                        unsent.extend(batch.into_iter().map(|event| vec![event]));
                    }
                    Err(error) if error.is_server_error() => {
                        suspects.extend(batch.pop().map(|event| (event, error)));
                    }
                    Err(error) if may_be_one_bad_event(&error) => self.fail(batch, &error),
                    // The remaining events would fail in the same way.
                    Err(error) => {
                        batch.extend(unsent.drain(..).flatten());
                        batch.extend(suspects.drain(..).map(|(event, _)| event));
                        self.fail(batch, &error);
                    }
                }
            }
            let Some((_, error)) = suspects.last() else {
                return;
            };
            rounds += 1;
            // If others were accepted, they are sent once more. If none was, either they are bad or the server is, and
            // they are sent as often as the policy allows: they are not to keep all that come after them.
            let is_hopeless = match any_was_accepted {
                true => rounds > 1,
                false => !self.raw.channel().retry().allows(rounds),
            };
            if is_hopeless || !self.pause(rounds, error).await {
                for (event, error) in suspects.drain(..) {
                    self.fail(vec![event], &error);
                }
                return;
            }
            let events = suspects.drain(..).map(|(event, _)| event);
            match any_was_accepted {
                true => unsent.extend(events.map(|event| vec![event])),
                false => unsent.push_back(events.collect()),
            }
        }
    }

    /// Sends a batch. While the server is out of reach or overloaded it is sent again, until the queue is full or its
    /// time is over.
    async fn send(&self, batch: &Vec<Event>) -> Result<()> {
        let channel = self.raw.channel();
        let once = self.raw.with_retry(channel.retry().clone().attempts(1));
        let mut failures = 0;
        loop {
            let Some(sent) = self.queue.before_end(once.create_events(batch)).await else {
                return Err(out_of_time());
            };
            let Err(error) = sent else { return Ok(()) };
            failures += 1;
            // Of the events that are kept, those behind this batch are more than the queue has room for.
            let is_hopeless = self.queue.is_full() && !channel.retry().allows(failures);
            if !is_transient(&error) || is_hopeless {
                return Err(error);
            }
            if failures == 1 {
                tracing::warn!(%error, "events cannot be sent now; they are kept in the queue");
            }
            if !self.pause(failures, &error).await {
                return Err(error);
            }
        }
    }

    /// Waits after a failure; `false` if the time of a closed emitter is over first.
    async fn pause(&self, failures: u32, error: &Error) -> bool {
        let channel = self.raw.channel();
        let wait = channel
            .retry()
            .backoff()
            .delay(failures, error.retry_after());
        let wait = channel.clock().sleep(wait.max(MIN_PAUSE));
        self.queue.before_end(wait).await.is_some()
    }

    fn confirm(&mut self, events: usize) {
        self.settle(FlushReport {
            confirmed: events as u64,
            ..FlushReport::default()
        });
    }

    fn fail(&mut self, events: Vec<Event>, error: &Error) {
        let failed = events.len() as u64;
        tracing::warn!(events = failed, %error, "events could not be sent");
        if let Some(call) = &self.on_failure {
            // A panic in the callback must not stop the sending of later events.
            let call = AssertUnwindSafe(|| block_in_place(|| call(events, error)));
            if catch_unwind(call).is_err() {
                tracing::warn!("the `on_failure` callback panicked");
            }
        }
        // Only now: whoever waits for the events waits for the callback.
        self.settle(FlushReport {
            failed,
            ..FlushReport::default()
        });
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

/// Whether the server may accept the same events later.
fn is_transient(error: &Error) -> bool {
    match error.status() {
        Some(status) => match status.as_u16() {
            // One of the events may be the reason.
            500 => false,
            status => status >= 501 || matches!(status, 408 | 429),
        },
        None => matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout),
    }
}

fn out_of_time() -> Error {
    let what = "the emitter was closed before the events could be sent";
    Error::new(ErrorKind::Timeout, what).with_outcome(true, true)
}

/// Whether a single event may be the reason that the server refused the batch: it is invalid (422), or
/// cannot be parsed (400) or stored (500); or the events together are too large for a gateway (413).
pub(crate) fn may_be_one_bad_event(error: &Error) -> bool {
    let status = error.status().map(|status| status.as_u16());
    matches!(status, Some(400 | 413 | 422 | 500))
}
