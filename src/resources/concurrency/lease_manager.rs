//! `LeaseManager`: renewing the leases of a client.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_core::future::BoxFuture;
use futures_util::FutureExt as _;
use futures_util::future::{Either, select};
use tokio::sync::{Notify, Semaphore, watch};
use uuid::Uuid;

use super::lease::{self, LeaseStatus};
use super::wait_queue::WaitQueues;
use crate::client::{Background, Service, Services};
use crate::error::{Error, ErrorKind, Result};
use crate::raw;
use crate::runtime::{Backoff, SleepDetector};

/// How long the renewal loop sleeps when it was woken and finds no lease: a lease that begins now is not
/// due before.
const IDLE_WAKE_INTERVAL: Duration = Duration::from_secs(1);

/// How often it is looked whether the machine has slept while leases are held.
const CLOCK_CHECK_INTERVAL: Duration = Duration::from_secs(100);

/// How many leases are renewed at once.
const MAX_RENEWALS_AT_ONCE: usize = 64;

/// How many leases are given back at once.
const MAX_GIVE_BACKS_AT_ONCE: usize = 16;

/// The waits between attempts to renew a lease.
const RENEWAL_BACKOFF: Backoff =
    Backoff::new(Duration::from_secs(1), Duration::from_secs(5)).floor(Duration::from_millis(500));

/// Renews the leases that are registered with it, on the client's own thread, which sleeps until the first
/// one is due: a lease that is given back before that costs the thread nothing.
pub(crate) struct LeaseManager {
    pub(super) background: Arc<Background>,
    pub(super) wait_queues: Arc<WaitQueues>,
    /// Bounds how many connections are opened at once by guards that are dropped together.
    pub(super) give_backs: Arc<Semaphore>,
    shared: Arc<Shared>,
    /// Its receivers are what is unsettled.
    settled: watch::Sender<()>,
}

/// Slots that are requested, held or being given back, as far as the client knows.
pub(super) type Unsettled = watch::Receiver<()>;

struct Shared {
    state: Mutex<State>,
    /// Bounds how many connections are opened at once by leases that are due together.
    renewals: Semaphore,
    /// Notified when there is something to do before the renewal loop wakes by itself.
    wake: Notify,
}

#[derive(Default)]
struct State {
    leases: HashMap<Uuid, ManagedLease>,
    /// When the renewal loop wakes by itself; `None` if it waits to be notified.
    wakes_at: Option<Instant>,
    is_closed: bool,
}

/// A lease that the manager renews.
struct ManagedLease {
    /// The duration that each renewal requests.
    duration: Duration,
    status: watch::Sender<LeaseStatus>,
    /// When to renew it next, or to find it lost; `None` while a renewal is under way.
    due: Option<Instant>,
    /// Whether to renew it at once after the renewal under way, which may have been answered long ago.
    is_due_again: bool,
    failures: u32,
    last_error: Option<Error>,
}

impl Service for LeaseManager {
    fn start(services: &Services) -> Result<Self> {
        let background: Arc<Background> = services.get()?;
        let wait_queues = services.get()?;
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            renewals: Semaphore::new(MAX_RENEWALS_AT_ONCE),
            wake: Notify::new(),
        });
        background.spawn(renew_loop(Arc::clone(&background), Arc::clone(&shared)));
        Ok(Self {
            background,
            wait_queues,
            give_backs: Arc::new(Semaphore::new(MAX_GIVE_BACKS_AT_ONCE)),
            shared,
            settled: watch::Sender::new(()),
        })
    }

    /// Waits until all slots are given back.
    fn finish(&self, _: Duration) -> BoxFuture<'_, ()> {
        self.settled.closed().boxed()
    }

    fn unfinished(&self) -> Option<String> {
        let leases = self.settled.receiver_count();
        let plural = if leases == 1 { "" } else { "s" };
        (leases > 0).then(|| format!("the slots of {leases} lease{plural} are not given back"))
    }
}

impl LeaseManager {
    /// Marks slots as unsettled until the returned value is dropped.
    pub(super) fn unsettled(&self) -> Unsettled {
        self.settled.subscribe()
    }

    /// Manages a lease of the shortest duration that was requested at `requested_at`, and renews it for
    /// `duration`.
    pub(super) fn manage(
        &self,
        id: Uuid,
        requested_at: Instant,
        duration: Duration,
    ) -> watch::Receiver<LeaseStatus> {
        let (status, receiver) = watch::channel(LeaseStatus::new(requested_at, lease::MIN_LEASE));
        let managed = ManagedLease {
            duration,
            status,
            due: Some(lease::first_renewal(requested_at, duration)),
            is_due_again: false,
            failures: 0,
            last_error: None,
        };
        let mut state = self.shared.state();
        let is_earlier = state.is_earlier(managed.due);
        state.leases.insert(id, managed);
        drop(state);
        if is_earlier {
            self.shared.wake.notify_one();
        }
        receiver
    }

    /// Stops renewing a lease.
    pub(super) fn forget(&self, id: Uuid) {
        self.shared.state().leases.remove(&id);
    }
}

impl Drop for LeaseManager {
    fn drop(&mut self) {
        self.shared.state().is_closed = true;
        self.shared.wake.notify_one();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the result of a renewal that was sent at `requested_at`; `None` if there was none in time.
    fn settle(&self, id: Uuid, requested_at: Instant, now: Instant, renewed: Option<Result<()>>) {
        let failure = renewed.as_ref().and_then(|renewed| renewed.as_ref().err());
        let failure = failure.map(Error::copy);
        let consequence = self.state().settle(id, requested_at, now, renewed);
        // A subscriber to the log may itself take or give back slots, which takes the lock.
        match (consequence, failure) {
            (Consequence::Lost(error), _) => tracing::warn!(lease = %id, %error, "a lease is lost"),
            (Consequence::FirstFailure, Some(error)) => {
                tracing::warn!(lease = %id, %error, "a lease could not be renewed; retrying");
            }
            _ => {}
        }
        let state = self.state();
        let due = state.leases.get(&id).and_then(|managed| managed.due);
        if state.is_earlier(due) {
            self.wake.notify_one();
        }
    }
}

/// What the result of a renewal means for the lease.
enum Consequence {
    None,
    FirstFailure,
    Lost(Arc<Error>),
}

impl State {
    fn settle(
        &mut self,
        id: Uuid,
        requested_at: Instant,
        now: Instant,
        renewed: Option<Result<()>>,
    ) -> Consequence {
        // The lease may have been given back in the meantime.
        let Some(managed) = self.leases.get_mut(&id) else {
            return Consequence::None;
        };
        let error = match renewed {
            Some(Ok(())) => {
                managed.renewed(requested_at, now);
                return Consequence::None;
            }
            Some(Err(error)) => Some(error),
            None => None,
        };
        if let Some(wait) = error.and_then(|error| managed.fail(error)) {
            let until = managed.status.borrow().until;
            managed.due = Some(until.min(now + wait));
            return match managed.failures {
                1 => Consequence::FirstFailure,
                _ => Consequence::None,
            };
        }
        match self.leases.remove(&id) {
            Some(managed) => Consequence::Lost(managed.lose(id)),
            None => Consequence::None,
        }
    }

    fn is_earlier(&self, due: Option<Instant>) -> bool {
        match (due, self.wakes_at) {
            (Some(due), Some(wakes_at)) => due < wakes_at,
            (due, _) => due.is_some(),
        }
    }

    /// Takes the leases that are due. A loop that was woken and finds no lease wakes again by itself after a
    /// while, so that it is not woken by each of many short leases.
    fn take_due(&mut self, now: Instant, woken: bool) -> Vec<Uuid> {
        let mut due = Vec::new();
        for (id, managed) in &mut self.leases {
            if managed.due.is_some_and(|due| due <= now) {
                managed.due = None;
                due.push(*id);
            }
        }
        let next = self.leases.values().filter_map(|managed| managed.due).min();
        let is_idle = woken && self.leases.is_empty();
        self.wakes_at = match next {
            Some(next) => Some(next.min(now + CLOCK_CHECK_INTERVAL)),
            None => is_idle.then(|| now + IDLE_WAKE_INTERVAL),
        };
        due
    }

    fn set_all_due(&mut self, now: Instant) {
        for managed in self.leases.values_mut() {
            managed.is_due_again = managed.due.is_none();
            managed.due = managed.due.map(|_| now);
        }
    }
}

impl ManagedLease {
    /// The duration that a renewal requests, and the time until which the lease can be renewed.
    fn terms(&self) -> (Duration, Instant) {
        (self.duration, self.status.borrow().until)
    }

    fn renewed(&mut self, requested_at: Instant, now: Instant) {
        let duration = self.duration;
        let status = LeaseStatus::new(requested_at, duration);
        self.status.send_replace(status);
        (self.failures, self.last_error) = (0, None);
        self.due = Some(match std::mem::take(&mut self.is_due_again) {
            true => now,
            false => lease::renewal(requested_at, duration),
        });
    }

    /// Records a failure, and returns how long to wait before the next attempt, if there is to be one.
    fn fail(&mut self, error: Error) -> Option<Duration> {
        // A server answers 410, Prefect Cloud 404.
        let is_gone = matches!(error.kind(), ErrorKind::Gone | ErrorKind::NotFound);
        self.failures += 1;
        let wait = RENEWAL_BACKOFF.delay(self.failures, error.retry_after());
        self.last_error = Some(error);
        (!is_gone).then_some(wait)
    }

    fn lose(self, id: Uuid) -> Arc<Error> {
        let error = Arc::new(lease::lost(id, self.last_error.as_ref()));
        let lost = Some(Arc::clone(&error));
        self.status.send_modify(|status| status.lost = lost);
        error
    }
}

/// Renews each lease when it is due, until the manager is dropped.
async fn renew_loop(background: Arc<Background>, shared: Arc<Shared>) {
    let (raw, mut woken) = (background.raw(), false);
    let mut sleep_detector = SleepDetector::new();
    loop {
        let clock = raw.channel().clock();
        let now = clock.now();
        let has_slept = sleep_detector.has_slept();
        let (due, wakes_at) = {
            let mut state = shared.state();
            if state.is_closed {
                return;
            }
            if has_slept {
                // Only the server knows which leases are left.
                state.set_all_due(now);
            }
            (state.take_due(now, woken), state.wakes_at)
        };
        for id in due {
            // Each is a job of its own, so that a hook that blocks one of them blocks no other.
            background.spawn(renew(Arc::clone(raw), Arc::clone(&shared), id));
        }
        let wake = pin!(shared.wake.notified());
        woken = match wakes_at {
            Some(at) => {
                let sleep = clock.sleep(at.saturating_duration_since(now));
                matches!(select(sleep, wake).await, Either::Right(_))
            }
            None => {
                wake.await;
                true
            }
        };
    }
}

async fn renew(raw: Arc<raw::Client>, shared: Arc<Shared>, id: Uuid) {
    let clock = raw.channel().clock();
    // This fails only if the semaphore is closed, which never happens.
    let _permit = shared.renewals.acquire().await;
    let Some((duration, until)) = shared.state().leases.get(&id).map(ManagedLease::terms) else {
        return;
    };
    let mut renewal = Renewal {
        requested_at: clock.now(),
        raw: &raw,
        shared: &shared,
        id,
        renewed: Some(Err(Error::hook_panicked("a lease is not renewed"))),
    };
    let left = until.saturating_duration_since(renewal.requested_at);
    renewal.renewed = match left {
        Duration::ZERO => None,
        left => lease::renew(&raw, id, duration, left).await,
    };
}

/// One renewal; its result is recorded when this is dropped, even if a hook of the program panics.
struct Renewal<'a> {
    raw: &'a raw::Client,
    shared: &'a Shared,
    id: Uuid,
    requested_at: Instant,
    renewed: Option<Result<()>>,
}

impl Drop for Renewal<'_> {
    fn drop(&mut self) {
        let now = self.raw.channel().clock().now();
        let renewed = self.renewed.take();
        self.shared.settle(self.id, self.requested_at, now, renewed);
    }
}
