//! `KitClock`: the time of a kit, which moves when the test says so.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use futures_util::future::select;
use tokio::sync::watch;

use crate::client::Clock;

/// The clock of a kit: of its server, and of its clients.
///
/// It goes with the real one from the moment at which the kit has started, or stands still, and moves on when the test says so.
#[derive(Clone)]
pub(super) struct KitClock(Arc<Shared>);

struct Shared {
    started: Instant,
    started_at: DateTime<Utc>,
    stands_still: bool,
    /// By how much the test has moved the clock.
    moved: watch::Sender<Duration>,
    /// When those who wait will be woken.
    wakes: Mutex<BTreeSet<(Instant, u64)>>,
    next: AtomicU64,
}

impl KitClock {
    pub(super) fn new(stands_still: bool) -> Self {
        Self(Arc::new(Shared {
            started: Instant::now(),
            started_at: Utc::now(),
            stands_still,
            moved: watch::Sender::new(Duration::ZERO),
            wakes: Mutex::default(),
            next: AtomicU64::new(0),
        }))
    }

    /// The time of day.
    pub(super) fn time(&self) -> DateTime<Utc> {
        let passed = self.now() - self.0.started;
        let passed = TimeDelta::from_std(passed).unwrap_or(TimeDelta::MAX);
        let time = self.0.started_at.checked_add_signed(passed);
        // A server keeps microseconds.
        time.unwrap_or(DateTime::<Utc>::MAX_UTC).trunc_subsecs(6)
    }

    /// Moves the clock by this much.
    pub(super) fn step(&self, duration: Duration) {
        self.0
            .moved
            .send_modify(|moved| *moved = moved.saturating_add(duration));
    }

    /// In how long the next of those who wait is due, if that is within this time.
    pub(super) fn next_wake(&self, within: Duration) -> Option<Duration> {
        let now = self.now();
        let first = self.0.wakes().first().copied();
        let wait = first.map(|(at, _)| at.saturating_duration_since(now));
        wait.filter(|wait| *wait <= within)
    }

    /// Whether somebody who was due has not been woken yet.
    pub(super) fn has_due(&self) -> bool {
        let now = self.now();
        self.0.wakes().first().is_some_and(|(at, _)| *at <= now)
    }
}

impl Shared {
    fn wakes(&self) -> MutexGuard<'_, BTreeSet<(Instant, u64)>> {
        self.wakes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for KitClock {
    fn time_of_day(&self) -> DateTime<Utc> {
        self.time()
    }

    fn now(&self) -> Instant {
        let real = match self.0.stands_still {
            true => self.0.started,
            false => Instant::now(),
        };
        // A clock that is moved beyond what an instant can hold stays where it is.
        real.checked_add(*self.0.moved.borrow()).unwrap_or(real)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let mut moved = self.0.moved.subscribe();
            let Some(at) = self.now().checked_add(duration) else {
                return std::future::pending().await;
            };
            let _wake = Wake::register(&self.0, at);
            loop {
                let wait = at.saturating_duration_since(self.now());
                if wait.is_zero() {
                    return;
                }
                let real = pin!(async {
                    match self.0.stands_still {
                        true => std::future::pending().await,
                        false => tokio::time::sleep(wait).await,
                    }
                });
                // The sender lives as long as the clock.
                select(real, pin!(moved.changed())).await;
            }
        })
    }
}

/// An entry in the list of those who wait.
struct Wake<'a>(&'a Shared, (Instant, u64));

impl<'a> Wake<'a> {
    fn register(shared: &'a Shared, at: Instant) -> Self {
        let entry = (at, shared.next.fetch_add(1, Ordering::Relaxed));
        shared.wakes().insert(entry);
        Self(shared, entry)
    }
}

impl Drop for Wake<'_> {
    fn drop(&mut self) {
        self.0.wakes().remove(&self.1);
    }
}
