//! `WaitQueue`: which of the waiters for slots asks next.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
#[derive(Default)]
pub(crate) struct WaitQueue(Mutex<HashMap<Vec<String>, Arc<NameQueue>>>);

/// The waiters that want slots of the same limits.
struct NameQueue {
    /// One permit, plus one for each granted request, minus one for each refused one; at least one.
    asking: Arc<Semaphore>,
    state: Mutex<State>,
}

struct State {
    permits: usize,
    /// How many waiters were refused and keep trying.
    refused: usize,
}

/// The right to ask: with a permit of the queue, or without one if there is no queue.
pub(crate) struct Ticket(Option<(Arc<NameQueue>, OwnedSemaphorePermit)>);

/// A waiter that was refused and keeps trying.
pub(crate) struct RefusedWaiter<'a> {
    wait_queue: &'a WaitQueue,
    names: Vec<String>,
    queue: Arc<NameQueue>,
}

impl Service for WaitQueue {
    fn start(_: &Services) -> Result<Self> {
        Ok(Self::default())
    }
}

impl WaitQueue {
    fn queues(&self) -> MutexGuard<'_, HashMap<Vec<String>, Arc<NameQueue>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the right to ask.
    pub(super) async fn next(&self, names: &[String]) -> Ticket {
        let queue = self.queues().get(names).cloned();
        let Some(queue) = queue else {
            return Ticket(None);
        };
        let permit = Arc::clone(&queue.asking).acquire_owned().await;
        // This fails only if the semaphore is closed, which never happens.
        Ticket(permit.ok().map(|permit| (queue, permit)))
    }

    /// Counts a waiter as refused until the returned value is dropped.
    pub(super) fn refuse(&self, names: &[String]) -> RefusedWaiter<'_> {
        let names = names.to_vec();
        let queue = Arc::clone(self.queues().entry(names.clone()).or_default());
        queue.state().refused += 1;
        RefusedWaiter {
            wait_queue: self,
            names,
            queue,
        }
    }
}

impl Default for NameQueue {
    fn default() -> Self {
        Self {
            asking: Arc::new(Semaphore::new(1)),
            state: Mutex::new(State {
                permits: 1,
                refused: 0,
            }),
        }
    }
}

impl NameQueue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut state = queue.state();
        if granted(&answer) {
            state.permits += 1;
            queue.asking.add_permits(1);
        } else if state.permits > 1 {
            state.permits -= 1;
            permit.forget();
        }
        answer
    }
}

impl Drop for RefusedWaiter<'_> {
    fn drop(&mut self) {
        let mut queues = self.wait_queue.queues();
        let mut state = self.queue.state();
        state.refused -= 1;
        if state.refused == 0 {
            queues.remove(&self.names);
        }
    }
}
