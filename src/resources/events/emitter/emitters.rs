//! `Emitters`: all emitters of a client, which end with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::FutureExt as _;
use futures_util::future::join_all;

use super::queue::Queue;
use crate::client::{Service, Services};
use crate::error::{Error, Result};

/// The share of the time of a shutdown in which events are sent. The rest is for the callbacks of those that could not be.
const SENDING_SHARE: f64 = 0.9;

/// The queues of the emitters of a client.
#[derive(Default)]
pub(super) struct Emitters(Mutex<State>);

#[derive(Default)]
struct State {
    queues: Vec<EmitterQueue>,
    is_closed: bool,
}

struct EmitterQueue {
    queue: Arc<Queue>,
    /// How many events had failed when the client was shut down.
    failed_before: u64,
}

impl Service for Emitters {
    fn start(_: &Services) -> Result<Self> {
        Ok(Self::default())
    }

    /// Closes all emitters, and waits until their events are sent.
    #[inline]
    fn finish(&self, timeout: Duration) -> BoxFuture<'_, ()> {
        let mut state = self.state();
        state.is_closed = true;
        let mut queues = Vec::new();
        for emitter in &mut state.queues {
            emitter.failed_before = emitter.queue.stats().failed;
            emitter.queue.close(timeout.mul_f64(SENDING_SHARE));
            queues.push(Arc::clone(&emitter.queue));
        }
        async move {
            join_all(queues.iter().map(|queue| queue.drained())).await;
        }
        .boxed()
    }

    fn unfinished(&self) -> Option<String> {
        let unsent = |emitter: &EmitterQueue| {
            let stats = emitter.queue.stats();
            stats.queued + stats.failed.saturating_sub(emitter.failed_before)
        };
        let unsent: u64 = self.state().queues.iter().map(unsent).sum();
        (unsent > 0).then(|| format!("{unsent} events are not sent"))
    }
}

impl Emitters {
    pub(super) fn add(&self, queue: Arc<Queue>) -> Result<()> {
        let mut state = self.state();
        if state.is_closed {
            return Err(Error::shut_down());
        }
        // Those of emitters that have ended are only held here.
        state
            .queues
            .retain(|emitter| Arc::strong_count(&emitter.queue) > 1);
        state.queues.push(EmitterQueue {
            queue,
            failed_before: 0,
        });
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
