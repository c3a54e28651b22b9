//! A lease on slots: how long it is good, and the requests about it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::raw;
use crate::retry::RetryPolicy;
use crate::types::{BulkDecrementActiveSlotsWithLeaseRequest, RenewConcurrencyLeaseRequest};

/// The shortest lease that the server gives. The first is always such a one, so that slots whose grant
/// is lost on the way are held no longer.
pub(super) const SHORTEST: Duration = Duration::from_secs(60);

/// The longest lease that the server gives.
pub(super) const LONGEST: Duration = Duration::from_secs(60 * 60 * 24);

/// A lease is renewed when at most this part of it is over.
const RENEWED_AT: f64 = 1.0 / 3.0;

/// By how much of itself the time until a renewal may be shorter, so that leases which were taken
/// together are not renewed together.
const SPREAD: f64 = 0.1;

/// The part of a lease at its end in which it counts as lost: who works under it has that long to stop.
const MARGIN: f64 = 0.1;

/// When a lease that is to be longer than the shortest is renewed for the first time: slots that are given
/// back sooner need it not.
const SOON: Duration = Duration::from_secs(1);

/// How long one renewal may take.
const RENEWAL: Duration = Duration::from_secs(10);

/// How a lease stands.
#[derive(Clone)]
pub(super) struct Standing {
    /// Until when work may go on under it; the lease itself ends later.
    pub until: Instant,
    /// Why it cannot be kept.
    pub lost: Option<Arc<Error>>,
}

impl Standing {
    /// Of a lease of this duration that was asked for at this time.
    pub fn new(asked_at: Instant, duration: Duration) -> Self {
        Self {
            until: asked_at + duration.mul_f64(1.0 - MARGIN),
            lost: None,
        }
    }
}

/// When to renew a lease of this duration that was asked for at this time.
pub(super) fn renewal(asked_at: Instant, duration: Duration) -> Instant {
    asked_at + duration.mul_f64(RENEWED_AT * (1.0 - SPREAD * fastrand::f64()))
}

/// When to renew a lease of the shortest duration for the one that was asked for.
pub(super) fn first_renewal(asked_at: Instant, duration: Duration) -> Instant {
    match duration > SHORTEST {
        true => asked_at + SOON.mul_f64(1.0 + fastrand::f64()),
        false => renewal(asked_at, SHORTEST),
    }
}

/// Renews a lease, trying once, for this time from now:
/// `POST /v2/concurrency_limits/leases/{id}/renew`. `None` if that was not done in the time that is
/// left.
pub(super) async fn renew(
    raw: &raw::Client,
    lease: Uuid,
    duration: Duration,
    left: Duration,
) -> Option<Result<()>> {
    let timeout = RENEWAL.min(raw.transport().timeout());
    let raw = client_with(raw, RetryPolicy::none(), timeout);
    let mut body = RenewConcurrencyLeaseRequest::new();
    body.lease_duration = Some(duration.as_secs_f64().into());
    let renewal = raw.renew_concurrency_lease(&lease, &body);
    // What is asked before, as a CSRF token, has a time of its own.
    match tokio::time::timeout(left.min(RENEWAL), renewal).await {
        Ok(renewed) => Some(renewed.map(drop)),
        Err(_) if left <= RENEWAL => None,
        Err(_) => {
            let what = format!("a renewal took longer than {} s", RENEWAL.as_secs());
            Some(Err(Error::new(ErrorKind::Timeout, what)))
        }
    }
}

/// Gives the slots of a lease back: `POST /v2/concurrency_limits/decrement-with-lease`. After this
/// time it is not tried any more: the lease may have ended, and its slots would be given back twice.
pub(super) async fn give_back(raw: &raw::Client, lease: Uuid, patience: Duration) -> Result<()> {
    let transport = raw.transport();
    let policy = transport.retry().clone();
    let deadline = policy
        .deadline_after()
        .map_or(patience, |own| own.min(patience));
    let raw = client_with(raw, policy.deadline(deadline), transport.timeout());
    let body = BulkDecrementActiveSlotsWithLeaseRequest::new(lease);
    let given_back = raw.bulk_decrement_active_slots_with_lease(&body).await;
    given_back.map(drop)
}

/// The same operations, tried otherwise.
fn client_with(raw: &raw::Client, policy: RetryPolicy, timeout: Duration) -> raw::Client {
    let transport = raw.transport().with_retry(policy).with_timeout(timeout);
    raw::Client::with_transport(transport)
}

/// What there is to say of a lease that was lost.
pub(super) fn lost(lease: Uuid, why: Option<&Error>) -> Error {
    let mut what = format!("the lease {lease} was lost: its slots may be held by others");
    if let Some(why) = why {
        what += &format!("; it could not be renewed: {why}");
    }
    Error::new(ErrorKind::Gone, what)
}
