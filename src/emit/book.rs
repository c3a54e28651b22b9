//! What has become of the events of an emitter, and how many more there is room for.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, TryAcquireError, mpsc};

use super::worker::{Message, Queued};
use crate::error::{Error, ErrorKind, Result};

/// What has become of the events of an emitter and its clones since it was started: see
/// [`Emitter::stats`](super::Emitter::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// They wait, or are being sent.
    pub queued: u64,
    /// The server has taken them: it answered 204.
    pub confirmed: u64,
    /// They came when the queue was full, and were never sent.
    pub dropped: u64,
    /// They were sent in vain. When a reply was lost the server may have taken them all the same.
    pub failed: u64,
}

/// What has become of the events that were sent since the flush before: see
/// [`Emitter::flush`](super::Emitter::flush).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivered {
    /// The server has taken them: it answered 204.
    pub confirmed: u64,
    /// They were sent in vain.
    pub failed: u64,
}

/// Shared by the clones of an emitter and by who sends.
pub(super) struct Book {
    /// One permit for each event more. It is forgotten, and comes back when the event is settled.
    room: Semaphore,
    capacity: usize,
    page: Mutex<Page>,
}

#[derive(Default)]
struct Page {
    stats: Stats,
    /// It was told that events are dropped, and the queue has not been half empty since.
    is_dropping: bool,
}

impl Book {
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            room: Semaphore::new(capacity),
            capacity,
            page: Mutex::default(),
        }
    }

    pub fn stats(&self) -> Stats {
        self.page().stats
    }

    /// Takes room for one event; `false` if there is none.
    pub fn try_take_room(&self) -> Result<bool> {
        match self.room.try_acquire() {
            Ok(permit) => {
                permit.forget();
                Ok(true)
            }
            Err(TryAcquireError::NoPermits) => Ok(false),
            Err(TryAcquireError::Closed) => Err(closed()),
        }
    }

    /// Waits for room for one event, and takes it.
    pub async fn take_room(&self) -> Result<()> {
        let permit = self.room.acquire().await.map_err(|_| closed())?;
        permit.forget();
        Ok(())
    }

    /// Puts an event into the queue for which room was taken.
    pub fn queue(&self, event: Queued, queue: &mpsc::UnboundedSender<Message>) -> Result<()> {
        // Sent and counted at once, so that it is settled when it is counted, and not before.
        let mut page = self.page();
        if queue.send(Message::Event(event)).is_err() {
            return Err(closed());
        }
        if page.stats.queued <= self.capacity as u64 / 2 {
            page.is_dropping = false;
        }
        page.stats.queued += 1;
        Ok(())
    }

    /// Counts an event for which there is no room.
    pub fn drop_one(&self) {
        let mut page = self.page();
        page.stats.dropped += 1;
        let (begins, dropped) = (!page.is_dropping, page.stats.dropped);
        page.is_dropping = true;
        // What listens to the log may emit events.
        drop(page);
        if begins {
            let capacity = self.capacity;
            tracing::warn!(
                capacity,
                dropped,
                "the queue of events is full; events are dropped"
            );
        }
    }

    /// Counts what has become of events that were queued, and gives their room back.
    pub fn settle(&self, delivered: Delivered) {
        let Delivered { confirmed, failed } = delivered;
        let settled = confirmed + failed;
        let mut page = self.page();
        page.stats.queued = page.stats.queued.saturating_sub(settled);
        page.stats.confirmed += confirmed;
        page.stats.failed += failed;
        drop(page);
        // There are never more of them than the capacity, which is a `usize`.
        self.room.add_permits(settled as usize);
    }

    /// There is no room for any event more.
    pub fn close(&self) {
        self.room.close();
    }

    /// Gives up what is still in the queue, and closes it. In this order, so that all is counted when it is
    /// known to be closed.
    pub fn give_up(&self) {
        let left = self.stats().queued;
        if left > 0 {
            tracing::warn!(events = left, "the emitter has ended; events are lost");
            self.settle(Delivered {
                failed: left,
                ..Delivered::default()
            });
        }
        self.close();
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// There is no room now.
pub(super) fn full() -> Error {
    let what = "the queue of events is full";
    Error::new(ErrorKind::RateLimited, what).judged(false, true)
}

fn closed() -> Error {
    Error::invalid_request("the emitter is closed")
}
