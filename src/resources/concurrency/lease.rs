//! A lease on slots: how long it lasts, and the requests that renew and end it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::raw;
use crate::retry::RetryPolicy;
use crate::types::{BulkDecrementActiveSlotsWithLeaseRequest, RenewConcurrencyLeaseRequest};

/// The shortest lease that the server grants. The first lease is always this short, so that slots are held
/// no longer if the reply that grants them is lost.
pub(super) const MIN_LEASE: Duration = Duration::from_secs(60);

/// The longest lease that the server grants.
pub(super) const MAX_LEASE: Duration = Duration::from_secs(60 * 60 * 24);

/// The fraction of a lease after which it is renewed, at the latest.
const RENEW_AT_FRACTION: f64 = 1.0 / 3.0;

/// The fraction by which the time until a renewal may be shorter, so that leases that were taken together
/// are not renewed together.
const RENEWAL_JITTER: f64 = 0.1;

/// The fraction at the end of a lease in which it counts as lost: work under it has that long to stop.
const LOSS_MARGIN: f64 = 0.1;

/// How long after its request a lease that is to be longer than the shortest is first renewed, at the
/// earliest: slots that are given back sooner need no renewal.
const FIRST_RENEWAL_DELAY: Duration = Duration::from_secs(1);

/// How long one attempt to renew a lease may take.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The status of a lease.
#[derive(Clone)]
pub(super) struct LeaseStatus {
    /// The time until which work may go on under the lease; the lease itself ends later.
    pub until: Instant,
    /// Why the lease was lost, if a renewal has shown that.
    pub lost: Option<Arc<Error>>,
}

impl LeaseStatus {
    /// The status of a lease of this duration that was requested at this time.
    pub(super) fn new(requested_at: Instant, duration: Duration) -> Self {
        Self {
            until: requested_at + duration.mul_f64(1.0 - LOSS_MARGIN),
            lost: None,
        }
    }
}

/// When to renew a lease of this duration that was requested at this time.
pub(super) fn renewal(requested_at: Instant, duration: Duration) -> Instant {
    requested_at + duration.mul_f64(RENEW_AT_FRACTION * (1.0 - RENEWAL_JITTER * fastrand::f64()))
}

/// When to renew a lease of the shortest duration for the first time, to extend it to `duration`.
pub(super) fn first_renewal(requested_at: Instant, duration: Duration) -> Instant {
    match duration > MIN_LEASE {
        true => requested_at + FIRST_RENEWAL_DELAY.mul_f64(1.0 + fastrand::f64()),
        false => renewal(requested_at, MIN_LEASE),
    }
}

/// Renews a lease for `duration` from now, in one attempt:
/// `POST /v2/concurrency_limits/leases/{id}/renew`. `None` if that was not done in the time that is
/// left.
pub(super) async fn renew(
    raw: &raw::Client,
    lease: Uuid,
    duration: Duration,
    left: Duration,
) -> Option<Result<()>> {
    let timeout = RENEWAL_TIMEOUT.min(raw.channel().timeout());
    let raw = raw.with_retry(RetryPolicy::none()).with_timeout(timeout);
    let mut body = RenewConcurrencyLeaseRequest::new();
    body.lease_duration = Some(duration.as_secs_f64().into());
    let renewal = raw.renew_concurrency_lease(&lease, &body);
    // A request that comes first, such as that for a CSRF token, has a timeout of its own.
    match tokio::time::timeout(left.min(RENEWAL_TIMEOUT), renewal).await {
        Ok(renewed) => Some(renewed.map(drop)),
        Err(_) if left <= RENEWAL_TIMEOUT => None,
        Err(_) => {
            let what = format!("a renewal took longer than {} s", RENEWAL_TIMEOUT.as_secs());
            Some(Err(Error::new(ErrorKind::Timeout, what)))
        }
    }
}

/// Gives the slots of a lease back: `POST /v2/concurrency_limits/decrement-with-lease`. This is not tried
/// for longer than `time_left`: the lease may have ended then, and its slots would be given back twice.
pub(super) async fn give_back(raw: &raw::Client, lease: Uuid, time_left: Duration) -> Result<()> {
    let policy = raw.channel().retry().clone();
    let deadline = policy
        .deadline_after()
        .map_or(time_left, |own| own.min(time_left));
    let raw = raw.with_retry(policy.deadline(deadline));
    let body = BulkDecrementActiveSlotsWithLeaseRequest::new(lease);
    let given_back = raw.bulk_decrement_active_slots_with_lease(&body).await;
    given_back.map(drop)
}

/// The error for a lease that was lost.
pub(super) fn lost(lease: Uuid, why: Option<&Error>) -> Error {
    let mut what = format!("the lease {lease} was lost: its slots may be held by others");
    if let Some(why) = why {
        what += &format!("; it could not be renewed: {why}");
    }
    Error::new(ErrorKind::Gone, what)
}
