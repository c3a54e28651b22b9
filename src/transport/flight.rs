//! What several tasks want, and one does for all.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};

/// State that one task at a time works on, while the others wait for what comes of it.
#[derive(Default)]
pub(super) struct SingleFlight<T> {
    ended: AtomicU64,
    state: Mutex<T>,
}

impl<T> SingleFlight<T> {
    /// The state, when nobody works on it; and whether somebody's work has [ended](Self::end) while
    /// this task waited. One that is cancelled ends nothing.
    pub async fn join(&self) -> (MutexGuard<'_, T>, bool) {
        let before = self.ended.load(Ordering::SeqCst);
        let state = self.state.lock().await;
        (state, self.ended.load(Ordering::SeqCst) != before)
    }

    /// Says, with the state in hand, that what came of the work is for all who wait.
    pub fn end(&self) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }
}
