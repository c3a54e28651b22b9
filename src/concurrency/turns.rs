//! Who of those that wait for slots asks next.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long one has the turn whose request is not answered.
const TURN: Duration = Duration::from_secs(2);

/// The waiters of one client. As soon as one that wants slots of some names was refused, those that want
/// the same ask in turn, and who comes new asks behind them: most of many that ask at once are refused, each
/// in a transaction of the server's for which the others wait.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<Vec<String>, Arc<Queue>>>);

/// Those that want slots of the same names.
struct Queue {
    /// One permit, and one more for each that was granted since one was refused.
    asking: Arc<Semaphore>,
    state: Mutex<State>,
}

struct State {
    permits: usize,
    /// How many were refused and go on.
    refused: usize,
}

/// The turn to ask, or the right to ask without one.
pub(crate) struct Turn(Option<(Arc<Queue>, OwnedSemaphorePermit)>);

/// One who was refused and goes on.
pub(crate) struct Refused<'a> {
    turns: &'a Turns,
    names: Vec<String>,
    queue: Arc<Queue>,
}

impl Turns {
    fn queues(&self) -> MutexGuard<'_, HashMap<Vec<String>, Arc<Queue>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn to ask.
    pub async fn next(&self, names: &[String]) -> Turn {
        let queue = self.queues().get(names).cloned();
        let Some(queue) = queue else {
            return Turn(None);
        };
        let permit = Arc::clone(&queue.asking).acquire_owned().await;
        // It fails if there will be no turns any more, which is not so.
        Turn(permit.ok().map(|permit| (queue, permit)))
    }

    /// Notes that one was refused, until what is returned is dropped.
    pub fn refuse(&self, names: &[String]) -> Refused<'_> {
        let names = names.to_vec();
        let queue = Arc::clone(self.queues().entry(names.clone()).or_default());
        queue.state().refused += 1;
        Refused {
            turns: self,
            names,
            queue,
        }
    }
}

impl Default for Queue {
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

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Makes a request, and lets more or fewer ask at a time by whether it is granted.
    pub async fn take<T>(self, request: impl Future<Output = T>, granted: fn(&T) -> bool) -> T {
        let Some((queue, permit)) = self.0 else {
            return request.await;
        };
        let answer = match select(pin!(request), pin!(tokio::time::sleep(TURN))).await {
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

impl Drop for Refused<'_> {
    fn drop(&mut self) {
        let mut queues = self.turns.queues();
        let mut state = self.queue.state();
        state.refused -= 1;
        if state.refused == 0 {
            queues.remove(&self.names);
        }
    }
}
