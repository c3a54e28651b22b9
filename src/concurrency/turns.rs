//! Who of those that wait for slots asks next.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, MutexGuard};

/// The waiters of one client. As soon as one of them was refused they ask one after the other, and who
/// comes new asks behind them: many at once would refuse each other, and the server makes all wait longer
/// for each refusal. They do not wait for each other but for the time of a request.
#[derive(Default)]
pub(crate) struct Turns {
    refused: AtomicUsize,
    asking: Mutex<()>,
}

impl Turns {
    /// Waits for the turn to ask, which lasts until what is returned is dropped.
    pub async fn next(&self) -> Option<MutexGuard<'_, ()>> {
        match self.refused.load(Ordering::Relaxed) {
            0 => None,
            _ => Some(self.asking.lock().await),
        }
    }

    /// Notes that one was refused, until what is returned is dropped.
    pub fn refuse(&self) -> Refused<'_> {
        self.refused.fetch_add(1, Ordering::Relaxed);
        Refused(self)
    }
}

/// One who was refused and goes on.
pub(crate) struct Refused<'a>(&'a Turns);

impl Drop for Refused<'_> {
    fn drop(&mut self) {
        self.0.refused.fetch_sub(1, Ordering::Relaxed);
    }
}
