//! `Emitters`: all emitters of a client, which end with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::FutureExt as _;
use futures_util::future::join_all;

use super::queue::Queue;
use crate::client::{Service, Services};
use crate::error::Result;

/// The queues of the emitters of a client.
#[derive(Default)]
pub(super) struct Emitters(Mutex<Vec<Arc<Queue>>>);

impl Service for Emitters {
    fn start(_: &Services) -> Result<Self> {
        Ok(Self::default())
    }

    /// Closes all emitters, and waits until their events are sent.
    fn finish(&self, timeout: Duration) -> BoxFuture<'_, ()> {
        let queues = self.queues().clone();
        async move {
            for queue in &queues {
                queue.close(timeout);
            }
            join_all(queues.iter().map(|queue| queue.drained())).await;
        }
        .boxed()
    }

    fn unfinished(&self) -> Option<String> {
        let unsent: u64 = self.queues().iter().map(|queue| queue.unsent()).sum();
        (unsent > 0).then(|| format!("{unsent} events are not sent"))
    }
}

impl Emitters {
    pub(super) fn add(&self, queue: Arc<Queue>) {
        let mut queues = self.queues();
        // Those of emitters that have ended are only held here.
        queues.retain(|queue| Arc::strong_count(queue) > 1);
        queues.push(queue);
    }

    fn queues(&self) -> MutexGuard<'_, Vec<Arc<Queue>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
