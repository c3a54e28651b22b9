//! `WaitQueue`: the waiters for the slots of the same limits, first come, first served.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use futures_core::future::BoxFuture;
use futures_util::FutureExt as _;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use crate::client::{Service, Services};
use crate::error::{Error, Result};

/// The queues of one client, by the names of the limits. A queue lives as long as anybody is in it.
pub(crate) struct WaitQueues {
    queues: Mutex<HashMap<Vec<String>, Weak<WaitQueue>>>,
    /// Whether the client was shut down, so that nobody waits any more.
    closed: watch::Sender<bool>,
}

/// The waiters for slots of the same limits. Only the first of them asks the server: if many did, most would be
/// refused, each in a transaction of the server for which the others wait.
pub(super) struct WaitQueue {
    /// Its one permit is the right to ask, which goes to the waiters in the order in which they came.
    first: Arc<Semaphore>,
    /// Notified when slots of one of the limits were given back by this client.
    returned: Notify,
    /// The time before which the server need not be asked, unless slots are given back.
    not_before: Mutex<Option<Instant>>,
}

/// The right of the first waiter to ask.
pub(super) type Turn = OwnedSemaphorePermit;

impl Service for WaitQueues {
    fn start(_: &Services) -> Result<Self> {
        Ok(Self {
            queues: Mutex::default(),
            closed: watch::Sender::new(false),
        })
    }
}

impl WaitQueues {
    /// The queue for these limits.
    pub(super) fn of(&self, names: &[String]) -> Arc<WaitQueue> {
        let mut queues = self.queues();
        if let Some(queue) = queues.get(names).and_then(Weak::upgrade) {
            return queue;
        }
        // The map need not grow for queues that have ended.
        if queues.len() == queues.capacity() {
            queues.retain(|_, queue| queue.strong_count() > 0);
        }
        let queue = Arc::new(WaitQueue::new());
        queues.insert(names.to_vec(), Arc::downgrade(&queue));
        queue
    }

    /// Wakes the first waiters for slots of these limits, which were just given back.
    pub(super) fn returned<'a>(&self, names: impl Iterator<Item = &'a str> + Clone) {
        for (waited_for, queue) in &*self.queues() {
            let mut names = names.clone();
            if names.any(|name| waited_for.iter().any(|waited_for| waited_for == name))
                && let Some(queue) = queue.upgrade()
            {
                queue.returned.notify_one();
            }
        }
    }

    /// Ends all waiting.
    pub(super) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Resolves when waiting is to end.
    pub(super) async fn closed(&self) -> Error {
        // This fails only if the sender is dropped, which lives as long as this.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
        Error::shut_down()
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<Vec<String>, Weak<WaitQueue>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitQueue {
    fn new() -> Self {
        Self {
            first: Arc::new(Semaphore::new(1)),
            returned: Notify::new(),
            not_before: Mutex::new(None),
        }
    }

    /// Joins the queue, and resolves when all who came before have got their slots, or have given up.
    pub(super) fn join(&self) -> BoxFuture<'static, Option<Turn>> {
        // This fails only if the semaphore is closed, which never happens.
        let mut turn = Arc::clone(&self.first)
            .acquire_owned()
            .map(Result::ok)
            .boxed();
        // The first poll is what takes the place in the queue.
        match turn.poll_unpin(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => ready(turn).boxed(),
            Poll::Pending => turn,
        }
    }

    /// Records that the server need not be asked before this time.
    pub(super) fn refused_until(&self, time: Instant) {
        *self.not_before() = Some(time);
    }

    /// The time before which the server need not be asked, also if another waiter was refused.
    pub(super) fn refused(&self) -> Option<Instant> {
        *self.not_before()
    }

    /// Resolves when slots were given back.
    pub(super) async fn given_back(&self) {
        self.returned.notified().await;
        *self.not_before() = None;
    }

    fn not_before(&self) -> MutexGuard<'_, Option<Instant>> {
        self.not_before
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;
    use std::pin::pin;

    use super::*;

    fn queues() -> WaitQueues {
        WaitQueues {
            queues: Mutex::default(),
            closed: watch::Sender::new(false),
        }
    }

    fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
        names.map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn the_first_asks_and_the_others_follow_in_the_order_in_which_they_joined() {
        let queues = queues();
        let queue = queues.of(&names(["a"]));
        let first = queue.join().await;
        assert!(Arc::ptr_eq(&queue, &queues.of(&names(["a"]))));
        let (mut second, mut third) = (queue.join(), queue.join());
        assert!(poll!(&mut third).is_pending());
        assert!(poll!(&mut second).is_pending());
        drop(first);
        assert!(poll!(&mut third).is_pending(), "not its turn");
        assert!(poll!(&mut second).is_ready());
        assert!(poll!(&mut third).is_ready());
    }

    #[tokio::test]
    async fn slots_that_are_given_back_wake_those_who_wait_for_any_of_them() {
        let queues = queues();
        let (both, other) = (queues.of(&names(["a", "b"])), queues.of(&names(["c"])));
        let (mut both, mut other) = (pin!(both.given_back()), pin!(other.given_back()));
        assert!(poll!(&mut both).is_pending());
        assert!(poll!(&mut other).is_pending());
        queues.returned(["b"].into_iter());
        assert!(poll!(&mut both).is_ready());
        assert!(poll!(&mut other).is_pending());
    }

    #[test]
    fn queues_that_have_ended_are_forgotten() {
        let queues = queues();
        for limit in 0..10_000 {
            drop(queues.of(&[limit.to_string()]));
        }
        let left = queues.queues().len();
        assert!(left < 10, "{left}");
    }
}
