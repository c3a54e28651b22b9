//! `WaitQueue`: which of the waiters for slots asks next.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::client::{Service, Services};
use crate::error::Result;

/// How long a waiter holds its ticket while its request is unanswered.
const TICKET_TIMEOUT: Duration = Duration::from_secs(2);

/// The waiters of one client. As soon as one is refused, all that want slots of the same limits ask in turn,
/// and new waiters ask after them. If many asked at once, most would be refused, each in a transaction of
/// the server for which the others wait.
///
/// A queue lives as long as anybody is in it. If it ended with the last of those that were refused, those that wait for
/// their turn would be in one queue, and newcomers in another.
#[derive(Default)]
pub(crate) struct WaitQueue(Mutex<HashMap<Vec<String>, Weak<NameQueue>>>);

/// The waiters that want slots of the same limits.
struct NameQueue {
    asking: Arc<Semaphore>,
    /// How many permits there are: one, plus one for each granted request, minus one for each refused one; at least one.
    permits: Mutex<usize>,
}

/// The right to ask: with a permit of the queue, or without one if there is no queue.
pub(crate) struct Ticket(Option<(Arc<NameQueue>, OwnedSemaphorePermit)>);

/// A waiter that was refused and keeps trying: the queue lives as long.
pub(crate) struct RefusedWaiter {
    _queue: Arc<NameQueue>,
}

impl Service for WaitQueue {
    fn start(_: &Services) -> Result<Self> {
        Ok(Self::default())
    }
}

impl WaitQueue {
    fn queues(&self) -> MutexGuard<'_, HashMap<Vec<String>, Weak<NameQueue>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the right to ask.
    pub(super) async fn next(&self, names: &[String]) -> Ticket {
        let queue = self.queues().get(names).and_then(Weak::upgrade);
        let Some(queue) = queue else {
            return Ticket(None);
        };
        let permit = Arc::clone(&queue.asking).acquire_owned().await;
        // This fails only if the semaphore is closed, which never happens.
        Ticket(permit.ok().map(|permit| (queue, permit)))
    }

    /// Counts a waiter as refused until the returned value is dropped.
    pub(super) fn refuse(&self, names: &[String]) -> RefusedWaiter {
        let mut queues = self.queues();
        if let Some(queue) = queues.get(names).and_then(Weak::upgrade) {
            return RefusedWaiter { _queue: queue };
        }
        // The map need not grow for queues that have ended.
        if queues.len() == queues.capacity() {
            queues.retain(|_, queue| queue.strong_count() > 0);
        }
        let queue = Arc::new(NameQueue::default());
        queues.insert(names.to_vec(), Arc::downgrade(&queue));
        RefusedWaiter { _queue: queue }
    }
}

impl Default for NameQueue {
    fn default() -> Self {
        Self {
            asking: Arc::new(Semaphore::new(1)),
            permits: Mutex::new(1),
        }
    }
}

impl Ticket {
    /// Sends a request, and lets one more waiter ask at a time if it is granted, one fewer if not.
    pub(super) async fn take<T>(
        self,
        request: impl Future<Output = T>,
        granted: fn(&T) -> bool,
    ) -> T {
        let Some((queue, permit)) = self.0 else {
            return request.await;
        };
        let answer = match select(pin!(request), pin!(tokio::time::sleep(TICKET_TIMEOUT))).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), request)) => {
                drop(permit);
                return request.await;
            }
        };
        let mut permits = queue.permits.lock().unwrap_or_else(PoisonError::into_inner);
        if granted(&answer) {
            *permits += 1;
            queue.asking.add_permits(1);
        } else if *permits > 1 {
            *permits -= 1;
            permit.forget();
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn a_newcomer_asks_after_those_who_wait_though_none_is_refused_any_more() {
        let (wait_queue, names) = (WaitQueue::default(), ["a".to_owned()]);
        let refused = wait_queue.refuse(&names);
        let asking = wait_queue.next(&names).await;
        let mut waiting = pin!(wait_queue.next(&names));
        assert!(poll!(&mut waiting).is_pending());
        drop(refused);
        let _refused = wait_queue.refuse(&names);
        let mut newcomer = pin!(wait_queue.next(&names));
        assert!(poll!(&mut newcomer).is_pending(), "after the other");
        drop(asking);
        let waiting = waiting.await;
        assert!(poll!(&mut newcomer).is_pending(), "the other is asking");
        drop(waiting);
        newcomer.await;
    }

    #[test]
    fn queues_that_have_ended_are_forgotten() {
        let wait_queue = WaitQueue::default();
        for limit in 0..10_000 {
            drop(wait_queue.refuse(&[limit.to_string()]));
        }
        assert!(
            wait_queue.queues().len() < 10,
            "{}",
            wait_queue.queues().len()
        );
    }
}
