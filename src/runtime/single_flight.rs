//! `SingleFlight`: work that several tasks need and one of them does for all.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};

/// State that one task at a time works on, while the others wait for the result.
#[derive(Default)]
pub(crate) struct SingleFlight<T> {
    finished: AtomicU64,
    state: Mutex<T>,
}

impl<T> SingleFlight<T> {
    /// Waits until no other task works on the state; returns it, and whether another task's work has
    /// [finished](Self::finish) while this one waited. Work that is cancelled does not end in this sense.
    pub(crate) async fn join(&self) -> (MutexGuard<'_, T>, bool) {
        let before = self.finished.load(Ordering::SeqCst);
        let state = self.state.lock().await;
        (state, self.finished.load(Ordering::SeqCst) != before)
    }

    /// Declares, while holding the state, that the result of the work is for all waiting tasks.
    pub(crate) fn finish(&self) {
        self.finished.fetch_add(1, Ordering::SeqCst);
    }
}
