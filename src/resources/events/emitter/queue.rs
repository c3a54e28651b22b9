//! The queue of an emitter: its capacity, and the counts of its events.

use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use tokio::sync::{Notify, Semaphore, TryAcquireError, mpsc, oneshot, watch};
use tokio::time::timeout_at;

use crate::error::{Error, ErrorKind, Result};
use crate::types::Event;

/// The longest time for which a closed queue is sent.
const MAX_CLOSE_TIMEOUT: Duration = Duration::from_secs(60 * 60 * 24);

/// The counts of the events of an emitter and its clones since it was started: see
/// [`Emitter::stats`](super::Emitter::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmitterStats {
    /// Events that wait or are being sent.
    pub queued: u64,
    /// Events that the server has accepted: it answered 204.
    pub confirmed: u64,
    /// Events that came when the queue was full, and were never sent.
    pub dropped: u64,
    /// Events that could not be sent. When a reply was lost the server may have recorded them all the same.
    pub failed: u64,
}

/// The counts of the events that were sent since the previous flush: see
/// [`Emitter::flush`](super::Emitter::flush).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlushReport {
    /// Events that the server has accepted: it answered 204.
    pub confirmed: u64,
    /// Events that could not be sent.
    pub failed: u64,
}

/// What [`Emitter::emit`](super::Emitter::emit) does when the queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverflowPolicy {
    /// The new event is dropped and counted; the first of a series of drops is logged as a warning.
    #[default]
    Drop,
    /// The new event is refused with an error of the kind
    /// [`RateLimited`](crate::ErrorKind::RateLimited).
    Refuse,
}

/// An entry of the queue.
pub(super) enum Message {
    Event(QueuedEvent),
    /// A request to report when all events before it have been settled.
    Flush(oneshot::Sender<FlushReport>),
}

/// An event and the size of its JSON in bytes.
pub(super) struct QueuedEvent {
    pub event: Event,
    pub bytes: usize,
}

/// The state that the clones of an emitter share with the `BatchSender`.
pub(super) struct Queue {
    /// One permit for each further event. It is forgotten, and added again when the event is settled.
    room: Semaphore,
    capacity: usize,
    state: Mutex<State>,
    /// Notified when no event is queued any more.
    drained: Notify,
    /// The time after which nothing more is sent, once the emitter is closed. It is real time, as that of sockets.
    end: watch::Sender<Option<Instant>>,
}

#[derive(Default)]
struct State {
    stats: EmitterStats,
    /// Whether a warning about dropped events was logged, and the queue has not been half empty since.
    is_dropping: bool,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            room: Semaphore::new(capacity),
            capacity,
            state: Mutex::default(),
            drained: Notify::new(),
            end: watch::Sender::new(None),
        }
    }

    pub(super) fn stats(&self) -> EmitterStats {
        self.state().stats
    }

    /// Reserves room for one event; `false` if there is none.
    pub(super) fn try_take_room(&self) -> Result<bool> {
        match self.room.try_acquire() {
            Ok(permit) => {
                permit.forget();
                Ok(true)
            }
            Err(TryAcquireError::NoPermits) => Ok(false),
            Err(TryAcquireError::Closed) => Err(closed()),
        }
    }

    /// Waits for room for one event, and reserves it.
    pub(super) async fn take_room(&self) -> Result<()> {
        let permit = self.room.acquire().await.map_err(|_| closed())?;
        permit.forget();
        Ok(())
    }

    /// Puts an event into the queue; room for it must have been reserved.
    pub(super) fn push(
        &self,
        event: QueuedEvent,
        messages: &mpsc::UnboundedSender<Message>,
    ) -> Result<()> {
        // Sent and counted under one lock, so that an event is not settled before it is counted.
        let mut state = self.state();
        let is_closed = self.end.borrow().is_some();
        if is_closed || messages.send(Message::Event(event)).is_err() {
            return Err(closed());
        }
        if state.stats.queued <= self.capacity as u64 / 2 {
            state.is_dropping = false;
        }
        state.stats.queued += 1;
        Ok(())
    }

    /// Counts an event that was dropped because there was no room.
    pub(super) fn drop_one(&self) {
        let mut state = self.state();
        state.stats.dropped += 1;
        let (begins, dropped) = (!state.is_dropping, state.stats.dropped);
        state.is_dropping = true;
        // A subscriber to the log may itself emit events, which takes this lock.
        drop(state);
        if begins {
            let capacity = self.capacity;
            tracing::warn!(
                capacity,
                dropped,
                "the queue of events is full; events are dropped"
            );
        }
    }

    /// Counts events that were sent or have failed, and frees their room.
    pub(super) fn settle(&self, delivered: FlushReport) {
        let FlushReport { confirmed, failed } = delivered;
        let settled = confirmed + failed;
        let mut state = self.state();
        state.stats.queued = state.stats.queued.saturating_sub(settled);
        state.stats.confirmed += confirmed;
        state.stats.failed += failed;
        let is_drained = state.stats.queued == 0;
        drop(state);
        // There are never more than the capacity, which is a `usize`.
        self.room.add_permits(settled as usize);
        if is_drained {
            self.drained.notify_waiters();
        }
    }

    /// Whether there is no room for another event.
    pub(super) fn is_full(&self) -> bool {
        self.room.available_permits() == 0
    }

    /// Closes the queue: there is no room for further events, and those in it are sent within this time, or fail. If
    /// it is closed several times, the earliest end counts.
    pub(super) fn close(&self, timeout: Duration) {
        self.room.close();
        let end = Instant::now() + timeout.min(MAX_CLOSE_TIMEOUT);
        // Not while an event is being pushed: it is either waited for, or refused.
        let _state = self.state();
        self.end
            .send_modify(|at| *at = Some(at.map_or(end, |at| at.min(end))));
    }

    /// Resolves when the queue is closed.
    pub(super) async fn closed(&self) {
        // This fails only if the sender is dropped, which lives as long as this.
        let _ = self.end.subscribe().wait_for(Option::is_some).await;
    }

    /// The output of a future; `None` if the time of a closed queue is over first.
    pub(super) async fn before_end<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut end = self.end.subscribe();
        let over = pin!(async {
            loop {
                let at = *end.borrow_and_update();
                // This fails only if the sender is dropped, which lives as long as this.
                let _ = match at {
                    None => end.changed().await,
                    Some(at) => match timeout_at(at.into(), end.changed()).await {
                        Ok(changed) => changed,
                        Err(_) => return,
                    },
                };
            }
        });
        match select(over, pin!(future)).await {
            Either::Left(_) => None,
            Either::Right((output, _)) => Some(output),
        }
    }

    /// Resolves when no event is queued.
    pub(super) async fn drained(&self) {
        loop {
            let mut drained = pin!(self.drained.notified());
            drained.as_mut().enable();
            if self.stats().queued == 0 {
                return;
            }
            drained.await;
        }
    }

    /// Counts the events that are still in the queue as failed, then closes it. In this order, so that they
    /// are counted by the time the queue is seen to be closed.
    pub(super) fn fail_remaining(&self) {
        let left = self.stats().queued;
        if left > 0 {
            tracing::warn!(events = left, "the emitter has ended; events are lost");
            self.settle(FlushReport {
                failed: left,
                ..FlushReport::default()
            });
        }
        self.room.close();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error when the queue has no room.
pub(super) fn full() -> Error {
    let what = "the queue of events is full";
    Error::new(ErrorKind::RateLimited, what).with_outcome(false, true)
}

fn closed() -> Error {
    Error::invalid_request("the emitter is closed")
}
