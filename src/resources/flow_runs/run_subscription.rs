//! What the poller and its subscriptions share: which runs are to be polled, and what was read of them.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;
#[cfg(feature = "websocket")]
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::error::Error;
use crate::types::FlowRunResponse;

/// Shared by a poller, its loop and its subscriptions.
#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Wakes the poll loop before its next poll is due.
    pub(super) wake: Notify,
    /// Whether events are received.
    pub(super) live: AtomicBool,
}

#[derive(Default)]
struct State {
    runs: HashMap<Uuid, watch::Sender<Numbered>>,
    /// The runs that are to be polled at once.
    changed: HashSet<Uuid>,
    /// Whether the poll loop is running.
    is_polling: bool,
    /// How many polls have begun.
    polls: u64,
}

/// The result of the last poll of a run.
#[derive(Clone)]
pub(crate) enum Snapshot {
    /// The run was not polled yet.
    Nothing,
    Run(Arc<FlowRunResponse>),
    /// The run cannot be read, or does not exist.
    Failed(Arc<Error>),
}

/// A snapshot, and the number of the poll that it is from.
#[derive(Clone)]
struct Numbered {
    poll: u64,
    snapshot: Snapshot,
}

/// A subscription to the snapshots of one run.
pub(crate) struct RunSubscription {
    snapshots: watch::Receiver<Numbered>,
    /// The last poll that had begun when this was made: what it reads may be older than the subscription.
    begun_before: u64,
    run: Uuid,
    shared: Weak<Shared>,
}

impl RunSubscription {
    /// Waits for the next snapshot that was read after the subscription was made; `None` when polling has ended.
    pub(super) async fn next(&mut self) -> Option<Snapshot> {
        loop {
            self.snapshots.changed().await.ok()?;
            let latest = self.snapshots.borrow_and_update().clone();
            if latest.poll > self.begun_before {
                return Some(latest.snapshot);
            }
        }
    }

    /// The last snapshot, if it was read after the subscription was made.
    pub(super) fn latest(&mut self) -> Snapshot {
        let latest = self.snapshots.borrow_and_update();
        match latest.poll > self.begun_before {
            true => latest.snapshot.clone(),
            false => Snapshot::Nothing,
        }
    }
}

/// Resets the state when polling ends, even if a hook of the program panics: this notifies all subscriptions.
pub(super) struct PollerEnded<'a> {
    pub(super) shared: &'a Shared,
    /// Whether polling ended because there was no subscription.
    pub(super) is_idle: bool,
}

impl Drop for PollerEnded<'_> {
    fn drop(&mut self) {
        if !self.is_idle {
            let mut state = self.shared.state();
            state.is_polling = false;
            state.runs.clear();
        }
    }
}

impl Drop for RunSubscription {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        let mut state = shared.state();
        // The receiver of this subscription still counts.
        let is_last = state
            .runs
            .get(&self.run)
            .is_some_and(|run| run.receiver_count() <= 1);
        if is_last {
            state.runs.remove(&self.run);
            shared.wake.notify_one();
        }
    }
}

impl Shared {
    /// Subscribes to a run, which is to be polled at once. Also returns whether the poll loop has to be started.
    pub(super) fn subscribe(shared: &Arc<Self>, run: Uuid) -> (RunSubscription, bool) {
        let mut state = shared.state();
        let begun_before = state.polls;
        let sender = state.runs.entry(run).or_insert_with(|| {
            let (poll, snapshot) = (0, Snapshot::Nothing);
            watch::channel(Numbered { poll, snapshot }).0
        });
        let snapshots = sender.subscribe();
        state.changed.insert(run);
        let starts = !std::mem::replace(&mut state.is_polling, true);
        let subscription = RunSubscription {
            snapshots,
            begun_before,
            run,
            shared: Arc::downgrade(shared),
        };
        (subscription, starts)
    }

    /// Whether there is no subscription.
    pub(super) fn is_idle(&self) -> bool {
        self.state().runs.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a poll: returns its number, the runs to poll, either all or those that have changed, and whether any
    /// has changed.
    pub(super) fn begin_poll(&self, all: bool) -> (u64, Vec<Uuid>, bool) {
        let mut state = self.state();
        state.polls += 1;
        let poll = state.polls;
        // Two subscriptions that are dropped at the same time may both leave the removal to the other.
        state.runs.retain(|_, run| run.receiver_count() > 0);
        let changed = std::mem::take(&mut state.changed);
        let has_changed = !changed.is_empty();
        let runs = match all {
            true => state.runs.keys().copied().collect(),
            false => {
                let is_watched = |run: &Uuid| state.runs.contains_key(run);
                changed.into_iter().filter(is_watched).collect()
            }
        };
        (poll, runs, has_changed)
    }

    /// Returns whether there are no subscriptions; if so, polling is marked as stopped.
    pub(super) fn stop_if_idle(&self) -> bool {
        let mut state = self.state();
        state.is_polling = !state.runs.is_empty();
        !state.is_polling
    }

    pub(super) fn publish(&self, poll: u64, run: Uuid, snapshot: Snapshot) {
        if let Some(sender) = self.state().runs.get(&run) {
            sender.send_replace(Numbered { poll, snapshot });
        }
    }

    #[cfg(feature = "websocket")]
    pub(super) fn has_changed(&self, run: Uuid) {
        let mut state = self.state();
        if state.runs.contains_key(&run) {
            state.changed.insert(run);
            drop(state);
            self.wake.notify_one();
        }
    }

    #[cfg(feature = "websocket")]
    pub(super) fn set_live(&self, live: bool) {
        if self.live.swap(live, Ordering::Relaxed) != live {
            // No event reports what changed while none were received.
            let mut state = self.state();
            state.changed = state.runs.keys().copied().collect();
            drop(state);
            self.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// A poller whose loop the test takes the place of.
    fn polled() -> Arc<Shared> {
        let shared = Arc::<Shared>::default();
        shared.state().is_polling = true;
        shared
    }

    fn failed(shared: &Shared, poll: u64, run: Uuid) {
        let error = Error::new(ErrorKind::NotFound, format!("poll {poll}"));
        let snapshot = Snapshot::Failed(Arc::new(error));
        shared.publish(poll, run, snapshot);
    }

    #[tokio::test]
    async fn a_poll_that_had_begun_before_is_no_answer_to_a_later_subscription() {
        let (shared, run) = (polled(), Uuid::new_v4());
        let _first = Shared::subscribe(&shared, run).0;
        let (under_way, runs, _) = shared.begin_poll(false);
        assert_eq!(runs, [run]);
        let mut second = Shared::subscribe(&shared, run).0;
        failed(&shared, under_way, run);
        assert!(matches!(second.latest(), Snapshot::Nothing));

        let (next, runs, _) = shared.begin_poll(false);
        assert_eq!(runs, [run], "it is polled again at once");
        failed(&shared, next, run);
        let Some(Snapshot::Failed(error)) = second.next().await else {
            panic!("a snapshot")
        };
        assert_eq!(error.message(), format!("poll {next}"));
    }

    /// The loop that ends must not end the one that begins in the same moment.
    #[tokio::test]
    async fn a_subscription_made_while_idle_polling_ends_is_polled() {
        let (shared, run) = (polled(), Uuid::new_v4());
        assert!(shared.stop_if_idle());
        let mut subscription = Shared::subscribe(&shared, run).0;
        drop(PollerEnded {
            shared: &shared,
            is_idle: true,
        });
        failed(&shared, u64::MAX, run);
        assert!(subscription.next().await.is_some());
    }

    #[tokio::test]
    async fn a_panic_ends_all_subscriptions() {
        let shared = polled();
        let mut subscription = Shared::subscribe(&shared, Uuid::new_v4()).0;
        drop(PollerEnded {
            shared: &shared,
            is_idle: false,
        });
        assert!(subscription.next().await.is_none());
    }
}
