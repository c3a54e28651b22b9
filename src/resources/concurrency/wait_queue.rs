//! `WaitQueue`: the waiters for the slots of the same limits, first come, first served.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_core::future::BoxFuture;
use futures_util::FutureExt as _;
use tokio::sync::{Notify, watch};

use crate::client::{Service, Services};
use crate::error::{Error, Result};

/// How many waiters ask at once while all are granted what they ask for.
const MAX_ASKING: usize = 64;

/// How many more slots are to be granted than are given back, after a request was refused, until more than one waiter asks
/// at once. Of a limit that is lower, slots are granted as they are given back: one by one.
const GRANTS_IN_TURN: usize = 16;

/// The queues of one client, by the names of the limits. A queue lives as long as anybody is in it.
pub(crate) struct WaitQueues {
    queues: Mutex<HashMap<Vec<String>, Weak<WaitQueue>>>,
    /// Whether the client was shut down, so that nobody waits any more.
    closed: watch::Sender<bool>,
}

/// The waiters for slots of the same limits. When one is refused, only the first of them asks the server, and more
/// after many grants: if all did, most would be refused, each in a transaction of the server for which the others wait.
pub(super) struct WaitQueue(Mutex<State>);

struct State {
    /// In the order in which they came.
    waiters: BTreeMap<u64, Waiter>,
    next_number: u64,
    /// How many requests were granted since one was refused, less what was given back since.
    grants: usize,
    refusal: Option<Refusal>,
    /// How often slots were given back.
    returns: u64,
}

struct Waiter {
    /// Notified when it may ask, or slots were given back.
    wake: Arc<Notify>,
    /// Whether it has asked and not been answered for so long that others need not wait for that.
    is_unanswered: bool,
}

/// What the server has said last.
struct Refusal {
    /// The time before which it need not be asked.
    until: Instant,
    /// How many slots it was asked for.
    slots: u32,
}

/// A place in a queue, which is left when this is dropped.
pub(super) struct Place {
    queue: Arc<WaitQueue>,
    number: u64,
    wake: Arc<Notify>,
}

impl Service for WaitQueues {
    fn start(_: &Services) -> Result<Self> {
        Ok(Self {
            queues: Mutex::default(),
            closed: watch::Sender::new(false),
        })
    }

    /// Ends all waiting.
    fn finish(&self, _: Duration) -> BoxFuture<'_, ()> {
        self.closed.send_replace(true);
        std::future::ready(()).boxed()
    }
}

impl WaitQueues {
    /// The queue for these limits.
    pub(super) fn of(&self, names: &[String]) -> Arc<WaitQueue> {
        let mut queues = self.queues();
        if let Some(queue) = queues.get(names).and_then(Weak::upgrade) {
            return queue;
        }
        // The map need not grow for queues that have ended.
        if queues.len() == queues.capacity() {
            queues.retain(|_, queue| queue.strong_count() > 0);
        }
        let queue = Arc::new(WaitQueue::new());
        queues.insert(names.to_vec(), Arc::downgrade(&queue));
        queue
    }

    /// Wakes the first waiters for slots of these limits, which were just given back.
    pub(super) fn returned<'a>(&self, names: impl Iterator<Item = &'a str> + Clone) {
        self.queues().retain(|waited_for, queue| {
            let Some(queue) = queue.upgrade() else {
                return false;
            };
            let mut names = names.clone();
            if names.any(|name| waited_for.iter().any(|waited_for| waited_for == name)) {
                let mut state = queue.state();
                state.refusal = None;
                state.returns += 1;
                state.grants = state.grants.saturating_sub(1);
                state.wake_first();
            }
            true
        });
    }

    /// Resolves when waiting is to end.
    pub(super) async fn closed(&self) -> Error {
        // This fails only if the sender is dropped, which lives as long as this.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
        Error::shut_down()
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<Vec<String>, Weak<WaitQueue>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitQueue {
    fn new() -> Self {
        Self(Mutex::new(State {
            waiters: BTreeMap::new(),
            next_number: 0,
            grants: GRANTS_IN_TURN + MAX_ASKING,
            refusal: None,
            returns: 0,
        }))
    }

    /// Takes the last place in the queue.
    pub(super) fn join(self: &Arc<Self>) -> Place {
        let wake = Arc::new(Notify::new());
        let mut state = self.state();
        let number = state.next_number;
        state.next_number += 1;
        let waiter = Waiter {
            wake: Arc::clone(&wake),
            is_unanswered: false,
        };
        state.waiters.insert(number, waiter);
        Place {
            queue: Arc::clone(self),
            number,
            wake,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The waiters that may ask.
    fn first(&self) -> impl Iterator<Item = (&u64, &Waiter)> {
        let is_unanswered = |waiter: &&Waiter| waiter.is_unanswered;
        let unanswered = self.waiters.values().filter(is_unanswered).count();
        let more = self.grants.saturating_sub(GRANTS_IN_TURN);
        let most = MAX_ASKING.saturating_sub(unanswered).max(1);
        let waiting = self.waiters.iter();
        let waiting = waiting.filter(|(_, waiter)| !waiter.is_unanswered);
        waiting.take((1 + more).min(most))
    }

    fn wake_first(&self) {
        for (_, waiter) in self.first() {
            waiter.wake.notify_one();
        }
    }

    fn set_unanswered(&mut self, number: u64, is_unanswered: bool) {
        if let Some(waiter) = self.waiters.get_mut(&number) {
            waiter.is_unanswered = is_unanswered;
        }
    }
}

impl Place {
    /// Waits until it may ask.
    pub(super) async fn turn(&self) {
        while !self.may_ask() {
            self.woken().await;
        }
    }

    /// Whether it may ask.
    pub(super) fn may_ask(&self) -> bool {
        let state = self.queue.state();
        state.first().any(|(number, _)| *number == self.number)
    }

    /// Resolves when it may ask, slots were given back, or for no reason.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// How long the server need not be asked for this many slots.
    pub(super) fn refused_for(&self, slots: u32, now: Instant) -> Duration {
        let state = self.queue.state();
        let refusal = state
            .refusal
            .as_ref()
            .filter(|refusal| slots >= refusal.slots);
        refusal.map_or(Duration::ZERO, |refusal| {
            refusal.until.saturating_duration_since(now)
        })
    }

    /// Records that the server has not answered for a while.
    pub(super) fn is_unanswered(&self) {
        let mut state = self.queue.state();
        state.set_unanswered(self.number, true);
        state.wake_first();
    }

    /// How often slots were given back so far.
    pub(super) fn returns(&self) -> u64 {
        self.queue.state().returns
    }

    /// Records that the server has refused this many slots, and need not be asked before this time, unless slots were
    /// given back since it was asked.
    pub(super) fn refused(&self, slots: u32, until: Option<Instant>, returns_before: u64) {
        let mut state = self.queue.state();
        state.set_unanswered(self.number, false);
        state.grants = 0;
        if state.returns == returns_before {
            state.refusal = until.map(|until| Refusal { until, slots });
        }
    }

    /// Records that the server has granted the slots.
    pub(super) fn granted(&self) {
        let mut state = self.queue.state();
        state.grants = state.grants.saturating_add(1);
        state.refusal = None;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.waiters.remove(&self.number);
        state.wake_first();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;

    use super::*;

    fn queues() -> WaitQueues {
        WaitQueues {
            queues: Mutex::default(),
            closed: watch::Sender::new(false),
        }
    }

    fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
        names.map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn once_one_is_refused_they_ask_in_the_order_in_which_they_came() {
        let queue = queues().of(&names(["a"]));
        let (first, second, third) = (queue.join(), queue.join(), queue.join());
        assert!(poll!(pin!(third.turn())).is_ready(), "nobody was refused");
        third.refused(1, None, 0);
        assert!(poll!(pin!(third.turn())).is_pending());
        assert!(poll!(pin!(second.turn())).is_pending());
        assert!(poll!(pin!(first.turn())).is_ready());
        let mut second_turn = pin!(second.turn());
        first.granted();
        drop(first);
        assert!(poll!(&mut second_turn).is_ready());
        assert!(poll!(pin!(third.turn())).is_pending());
        second.is_unanswered();
        assert!(poll!(pin!(third.turn())).is_ready(), "it is not waited for");
        second.refused(1, None, 0);
        assert!(
            poll!(pin!(third.turn())).is_pending(),
            "it has kept its place"
        );
    }

    #[tokio::test]
    async fn after_grants_more_ask_at_once() {
        let queue = queues().of(&names(["a"]));
        let places: Vec<_> = (0..100).map(|_| queue.join()).collect();
        let may_ask = || places.iter().filter(|place| place.may_ask()).count();
        assert_eq!(may_ask(), MAX_ASKING);
        places[0].refused(1, None, 0);
        assert_eq!(may_ask(), 1);
        for grants in 1..=GRANTS_IN_TURN + 4 {
            places[0].granted();
            assert_eq!(may_ask(), 1 + grants.saturating_sub(GRANTS_IN_TURN));
        }
    }

    #[tokio::test]
    async fn slots_that_are_given_back_wake_those_who_wait_for_any_of_them() {
        let queues = queues();
        let (both, other) = (queues.of(&names(["a", "b"])), queues.of(&names(["c"])));
        let (both, other) = (both.join(), other.join());
        let (now, hour) = (Instant::now(), Duration::from_secs(3600));
        for place in [&both, &other] {
            place.refused(2, Some(now + hour), 0);
            assert_eq!(place.refused_for(2, now), hour);
            assert_eq!(place.refused_for(1, now), Duration::ZERO, "it may be free");
        }
        queues.returned(["b"].into_iter());
        assert!(poll!(pin!(both.woken())).is_ready());
        assert_eq!(both.refused_for(2, now), Duration::ZERO);
        // A refusal that was under way is no news; that of a request that was sent later is.
        both.refused(2, Some(now + hour), 0);
        assert_eq!(both.refused_for(2, now), Duration::ZERO);
        both.refused(2, Some(now + hour), both.returns());
        assert_eq!(both.refused_for(2, now), hour);
        assert!(poll!(pin!(other.woken())).is_pending());
        assert_eq!(other.refused_for(2, now), hour);
    }

    #[test]
    fn queues_that_have_ended_are_forgotten() {
        let queues = queues();
        for limit in 0..10_000 {
            drop(queues.of(&[limit.to_string()]));
        }
        let left = queues.queues().len();
        assert!(left < 10, "{left}");
    }
}
