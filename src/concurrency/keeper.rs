//! `Keeper`: who renews the leases of a client.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::lease::{self, Standing};
use crate::background::Background;
use crate::error::{Error, ErrorKind, Result};
use crate::raw;
use crate::retry::RetryPolicy;

/// When one who was woken for nothing looks again: before a lease that begins now is due.
const IDLE: Duration = Duration::from_secs(1);

/// The least time between two tries, whatever the server asks for.
const AT_LEAST: Duration = Duration::from_millis(500);

/// Renews the leases that it is told of, on the client's own thread, which sleeps until the first is due:
/// a lease that is given back before costs that thread nothing.
pub(crate) struct Keeper {
    background: Arc<Background>,
    ledger: Arc<Ledger>,
}

#[derive(Default)]
struct Ledger {
    page: Mutex<Page>,
    /// There is something to do before the time that was slept until.
    sooner: Notify,
}

#[derive(Default)]
struct Page {
    leases: HashMap<Uuid, Kept>,
    /// When the one who renews will look again; `None` if not by itself.
    looks_at: Option<Instant>,
    is_closed: bool,
}

/// A lease that is kept.
struct Kept {
    /// What it is renewed for.
    duration: Duration,
    standing: watch::Sender<Standing>,
    /// When there is something to do; `None` while it is being done.
    due: Option<Instant>,
    failures: u32,
    last: Option<Error>,
}

impl Keeper {
    pub fn new(background: Arc<Background>) -> Self {
        let ledger = Arc::<Ledger>::default();
        let raw = Arc::clone(background.raw());
        background.spawn(look_after(raw, Arc::clone(&ledger)));
        Self { background, ledger }
    }

    /// Keeps a lease of the shortest duration that was asked for at this time, renewing it for another.
    pub(super) fn keep(
        &self,
        id: Uuid,
        asked_at: Instant,
        duration: Duration,
    ) -> watch::Receiver<Standing> {
        let (standing, seen) = watch::channel(Standing::new(asked_at, lease::SHORTEST));
        let kept = Kept {
            duration,
            standing,
            due: Some(lease::first_renewal(asked_at, duration)),
            failures: 0,
            last: None,
        };
        let mut page = self.ledger.page();
        let is_sooner = page.is_sooner(kept.due);
        page.leases.insert(id, kept);
        drop(page);
        if is_sooner {
            self.ledger.sooner.notify_one();
        }
        seen
    }

    /// Renews a lease no more.
    pub(super) fn forget(&self, id: Uuid) {
        self.ledger.page().leases.remove(&id);
    }

    /// Renews a lease no more, and gives its slots back in the background.
    pub(super) fn give_back(&self, id: Uuid, patience: Duration) {
        self.forget(id);
        let raw = Arc::clone(self.background.raw());
        self.background.spawn(async move {
            if let Err(error) = lease::give_back(&raw, id, patience).await {
                tracing::warn!(lease = %id, %error, "slots are held until their lease ends");
            }
        });
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.ledger.page().is_closed = true;
        self.ledger.sooner.notify_one();
    }
}

impl Ledger {
    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what came of a renewal that was asked for at this time; `None` if it was not in time.
    fn settle(&self, id: Uuid, asked_at: Instant, now: Instant, renewed: Option<Result<()>>) {
        let mut page = self.page();
        // It may have been given back in the meantime.
        let Some(kept) = page.leases.get_mut(&id) else {
            return;
        };
        if let Some(Ok(())) = renewed {
            let duration = kept.duration;
            kept.standing
                .send_replace(Standing::new(asked_at, duration));
            (kept.failures, kept.last) = (0, None);
            kept.due = Some(lease::renewal(asked_at, duration));
        } else if let Some(wait) = renewed.and_then(|failed| kept.fail(id, failed.err()?)) {
            let until = kept.standing.borrow().until;
            kept.due = Some(until.min(now + wait));
        } else if let Some(kept) = page.leases.remove(&id) {
            return kept.lose(id);
        }
        let due = page.leases.get(&id).and_then(|kept| kept.due);
        if page.is_sooner(due) {
            self.sooner.notify_one();
        }
    }
}

impl Page {
    fn is_sooner(&self, due: Option<Instant>) -> bool {
        match (due, self.looks_at) {
            (Some(due), Some(looks_at)) => due < looks_at,
            (due, _) => due.is_some(),
        }
    }

    /// What is due. One who was woken looks again after a while even if there is nothing now, so as not to
    /// be woken by each of many short leases.
    fn take_due(&mut self, now: Instant, woken: bool) -> Vec<Uuid> {
        let mut due = Vec::new();
        for (id, kept) in &mut self.leases {
            if kept.due.is_some_and(|due| due <= now) {
                kept.due = None;
                due.push(*id);
            }
        }
        let next = self.leases.values().filter_map(|kept| kept.due).min();
        let is_idle = woken && self.leases.is_empty();
        self.looks_at = next.or_else(|| is_idle.then(|| now + IDLE));
        due
    }
}

impl Kept {
    /// What it is renewed for, and until when it can be.
    fn terms(&self) -> (Duration, Instant) {
        (self.duration, self.standing.borrow().until)
    }

    /// Notes a failure; how long to wait before the next try, if there is to be one.
    fn fail(&mut self, id: Uuid, error: Error) -> Option<Duration> {
        // A server answers 410, Prefect Cloud 404.
        let is_gone = matches!(error.kind(), ErrorKind::Gone | ErrorKind::NotFound);
        self.failures += 1;
        if self.failures == 1 && !is_gone {
            tracing::warn!(lease = %id, %error, "a lease could not be renewed; trying on");
        }
        let backoff = RetryPolicy::default()
            .base_delay(Duration::from_secs(1))
            .max_delay(Duration::from_secs(5));
        let wait = backoff.delay(self.failures, error.retry_after(), fastrand::f64());
        let wait = wait.max(AT_LEAST);
        self.last = Some(error);
        (!is_gone).then_some(wait)
    }

    fn lose(self, id: Uuid) {
        let error = lease::lost(id, self.last.as_ref());
        tracing::warn!(lease = %id, %error, "a lease is lost");
        let lost = Some(Arc::new(error));
        self.standing.send_modify(|standing| standing.lost = lost);
    }
}

/// Sees to each lease when it is due.
async fn look_after(raw: Arc<raw::Client>, ledger: Arc<Ledger>) {
    let (mut renewals, mut woken) = (JoinSet::new(), false);
    loop {
        let clock = raw.transport().clock();
        let now = clock.now();
        let (due, looks_at) = {
            let mut page = ledger.page();
            if page.is_closed {
                return;
            }
            (page.take_due(now, woken), page.looks_at)
        };
        for id in due {
            renewals.spawn(renew(Arc::clone(&raw), Arc::clone(&ledger), id));
        }
        while renewals.try_join_next().is_some() {}
        let sooner = pin!(ledger.sooner.notified());
        woken = match looks_at {
            Some(at) => {
                let sleep = clock.sleep(at.saturating_duration_since(now));
                matches!(select(sleep, sooner).await, Either::Right(_))
            }
            None => {
                sooner.await;
                true
            }
        };
    }
}

async fn renew(raw: Arc<raw::Client>, ledger: Arc<Ledger>, id: Uuid) {
    let clock = raw.transport().clock();
    let Some((duration, until)) = ledger.page().leases.get(&id).map(Kept::terms) else {
        return;
    };
    let mut renewal = Renewal {
        asked_at: clock.now(),
        raw: &raw,
        ledger: &ledger,
        id,
        renewed: Some(Err(Error::new(
            ErrorKind::InvalidRequest,
            "a hook panicked",
        ))),
    };
    let left = until.saturating_duration_since(renewal.asked_at);
    renewal.renewed = match left {
        Duration::ZERO => None,
        left => lease::renew(&raw, id, duration, left).await,
    };
}

/// What came of a renewal is noted when this is dropped, also when a hook of the program's panics.
struct Renewal<'a> {
    raw: &'a raw::Client,
    ledger: &'a Ledger,
    id: Uuid,
    asked_at: Instant,
    renewed: Option<Result<()>>,
}

impl Drop for Renewal<'_> {
    fn drop(&mut self) {
        let now = self.raw.transport().clock().now();
        let renewed = self.renewed.take();
        self.ledger.settle(self.id, self.asked_at, now, renewed);
    }
}
