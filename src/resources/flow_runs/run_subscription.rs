//! What the poller and its subscriptions share: which runs are to be polled, and what was read of them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::poll_plan::{Interest, Interests, PollPlan, RECHECK_DELAY, Scope};
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
    runs: HashMap<Uuid, SubscribedRun>,
    /// The runs that are to be polled at once.
    changed: HashSet<Uuid>,
    /// The runs that were polled because they had changed, and when they are to be polled once more: an event may arrive
    /// before the change that it reports is visible.
    again: VecDeque<(Instant, Uuid)>,
    /// Whether the poll loop is running.
    is_polling: bool,
    /// How many polls have begun.
    polls: u64,
}

/// A run with at least one subscription.
struct SubscribedRun {
    snapshots: watch::Sender<Numbered>,
    /// Changes when an event reports a change of the run.
    hints: watch::Sender<()>,
    interests: Interests,
    /// Whether the run was read before, so that it is known to exist.
    was_read: bool,
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
    hints: watch::Receiver<()>,
    interest: Interest,
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

    /// Whether events are received.
    pub(super) fn is_live(&self) -> bool {
        let shared = self.shared.upgrade();
        shared.is_some_and(|shared| shared.live.load(Ordering::Relaxed))
    }

    /// Waits until an event reports a change.
    pub(super) async fn changed(&mut self) {
        if self.hints.changed().await.is_err() {
            // Events are no longer received.
            std::future::pending().await
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
            state.end(&self.shared.live);
        }
    }
}

impl Drop for RunSubscription {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        let mut state = shared.state();
        // Polling may have ended since, and begun again.
        let run = state.runs.get_mut(&self.run);
        let run = run.filter(|run| self.hints.same_channel(&run.hints.subscribe()));
        let Some(run) = run else {
            return;
        };
        run.interests.remove(self.interest);
        if run.interests.are_none() {
            state.runs.remove(&self.run);
            shared.wake.notify_one();
        }
    }
}

impl Shared {
    /// Subscribes to a run, which is to be polled at once. Also returns whether the poll loop has to be started.
    pub(super) fn subscribe(
        shared: &Arc<Self>,
        run: Uuid,
        interest: Interest,
    ) -> (RunSubscription, bool) {
        let mut state = shared.state();
        let begun_before = state.polls;
        let subscribed = state.runs.entry(run).or_insert_with(SubscribedRun::new);
        subscribed.interests.add(interest);
        let subscription = RunSubscription {
            snapshots: subscribed.snapshots.subscribe(),
            hints: subscribed.hints.subscribe(),
            interest,
            begun_before,
            run,
            shared: Arc::downgrade(shared),
        };
        state.changed.insert(run);
        let starts = !std::mem::replace(&mut state.is_polling, true);
        (subscription, starts)
    }

    /// Whether there is no subscription.
    pub(super) fn is_idle(&self) -> bool {
        self.state().runs.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a poll.
    pub(super) fn begin_poll(&self, scope: Scope, now: Instant) -> PollPlan {
        let mut state = self.state();
        state.polls += 1;
        let mut plan = PollPlan::new(state.polls);
        let state = &mut *state;
        let mut due = std::mem::take(&mut state.changed);
        due.retain(|id| state.runs.contains_key(id));
        let again = due.iter().map(|id| (now + RECHECK_DELAY, *id));
        state.again.extend(again);
        let is_over = |again: &(Instant, Uuid)| again.0 <= now;
        while state.again.front().is_some_and(is_over) {
            due.extend(state.again.pop_front().map(|(_, id)| id));
        }
        plan.again_at = state.again.front().map(|(at, _)| *at);
        match scope {
            Scope::Changed => {
                for id in &due {
                    if let Some(run) = state.runs.get(id) {
                        plan.add(*id, &run.interests, run.was_read, scope);
                    }
                }
            }
            Scope::All | Scope::Existing => {
                for (id, run) in &state.runs {
                    plan.add(*id, &run.interests, run.was_read, scope);
                }
            }
        }
        plan
    }

    /// Returns whether there are no subscriptions; if so, polling is marked as stopped.
    pub(super) fn stop_if_idle(&self) -> bool {
        let mut state = self.state();
        state.is_polling = !state.runs.is_empty();
        if !state.is_polling {
            state.end(&self.live);
        }
        !state.is_polling
    }

    pub(super) fn publish(&self, poll: u64, run: Uuid, snapshot: Snapshot) {
        if let Some(run) = self.state().runs.get_mut(&run) {
            run.was_read |= matches!(snapshot, Snapshot::Run(_));
            run.snapshots.send_replace(Numbered { poll, snapshot });
        }
    }

    #[cfg(feature = "websocket")]
    pub(super) fn has_changed(&self, id: Uuid) {
        let mut state = self.state();
        if let Some(run) = state.runs.get(&id) {
            run.hints.send_replace(());
            state.changed.insert(id);
            drop(state);
            self.wake.notify_one();
        }
    }

    #[cfg(feature = "websocket")]
    pub(super) fn set_live(&self, live: bool) {
        if self.live.swap(live, Ordering::Relaxed) == live {
            return;
        }
        if live {
            // No event reports what changed while none were received.
            let mut state = self.state();
            for run in state.runs.values() {
                run.hints.send_replace(());
            }
            state.changed = state.runs.keys().copied().collect();
        }
        self.wake.notify_one();
    }
}

impl State {
    /// Forgets what is of no use when polling ends.
    fn end(&mut self, live: &AtomicBool) {
        self.changed.clear();
        self.again.clear();
        // The socket is closed as well.
        live.store(false, Ordering::Relaxed);
    }
}

impl SubscribedRun {
    fn new() -> Self {
        let (poll, snapshot) = (0, Snapshot::Nothing);
        Self {
            snapshots: watch::channel(Numbered { poll, snapshot }).0,
            hints: watch::Sender::new(()),
            interests: Interests::default(),
            was_read: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;

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
        let _first = Shared::subscribe(&shared, run, Interest::End).0;
        let under_way = shared.begin_poll(Scope::Changed, Instant::now());
        assert_eq!(under_way.every_state, [run]);
        let mut second = Shared::subscribe(&shared, run, Interest::End).0;
        failed(&shared, under_way.number, run);
        assert!(poll!(pin!(second.next())).is_pending());

        let next = shared.begin_poll(Scope::Changed, Instant::now());
        assert_eq!(next.every_state, [run], "it is polled again at once");
        failed(&shared, next.number, run);
        let Some(Snapshot::Failed(error)) = second.next().await else {
            panic!("a snapshot")
        };
        assert_eq!(error.message(), format!("poll {}", next.number));
    }

    /// The loop that ends must not end the one that begins in the same moment.
    #[tokio::test]
    async fn a_subscription_made_while_idle_polling_ends_is_polled() {
        let (shared, run) = (polled(), Uuid::new_v4());
        assert!(shared.stop_if_idle());
        let mut subscription = Shared::subscribe(&shared, run, Interest::End).0;
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
        let mut subscription = Shared::subscribe(&shared, Uuid::new_v4(), Interest::End).0;
        drop(PollerEnded {
            shared: &shared,
            is_idle: false,
        });
        assert!(subscription.next().await.is_none());
    }

    fn reads(plan: &PollPlan) -> usize {
        plan.every_state.len() + plan.ended.len()
    }

    #[tokio::test]
    async fn only_what_may_be_news_is_polled() {
        let shared = polled();
        let ids = [(); 3].map(|()| Uuid::new_v4());
        let subscribe = |id, interest| Shared::subscribe(&shared, id, interest).0;
        let _end = subscribe(ids[0], Interest::End);
        let _every = subscribe(ids[1], Interest::EveryState);
        let _hints = subscribe(ids[2], Interest::Hints);
        let first = shared.begin_poll(Scope::Changed, Instant::now());
        assert_eq!(first.every_state.len(), 2, "which exist is not known yet");
        for run in shared.state().runs.values_mut() {
            run.was_read = true;
        }
        let now = Instant::now();
        assert_eq!(reads(&shared.begin_poll(Scope::Changed, now)), 0);
        // Once more, and not for ever.
        let later = now + 2 * RECHECK_DELAY;
        assert_eq!(reads(&shared.begin_poll(Scope::Changed, later)), 2);
        let nothing = shared.begin_poll(Scope::Changed, later + 2 * RECHECK_DELAY);
        assert_eq!((reads(&nothing), nothing.again_at), (0, None));
        let all = shared.begin_poll(Scope::All, Instant::now());
        assert_eq!(
            (&all.every_state[..], &all.ended[..]),
            (&ids[1..2], &ids[..1])
        );
        let existing = shared.begin_poll(Scope::Existing, Instant::now());
        assert_eq!((existing.every_state.len(), existing.ended.len()), (2, 0));
    }
}
