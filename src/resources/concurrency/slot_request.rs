//! `SlotRequest`: the slots that are requested, and how they are waited for.

use std::future::Future;
use std::time::{Duration, Instant};

use reqwest::StatusCode;

use super::wait_queue::WaitQueue;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::Detached;
use crate::types::MinimalConcurrencyLimitResponse;

/// The shortest wait between two requests: a server may be configured to ask for no wait at all.
const MIN_WAIT: Duration = Duration::from_millis(100);

const INTERNAL_SERVER_ERROR: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;

/// When the server asks for a longer wait than is left: the fraction of the time left after which the last
/// request is sent.
const FINAL_ATTEMPT_AT: f64 = 0.9;

/// A number of slots of each of these limits, or of none of them.
#[derive(Clone, Debug)]
pub(super) struct SlotRequest {
    pub names: Vec<String>,
    pub slots: u32,
    pub timeout: Option<Duration>,
    /// Whether limits that do not exist are ignored.
    pub lenient: bool,
}

impl SlotRequest {
    pub(super) fn new(mut names: Vec<String>) -> Self {
        names.sort();
        names.dedup();
        Self {
            names,
            slots: 1,
            timeout: None,
            lenient: false,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.names.iter().any(String::is_empty) {
            return Err(Error::invalid_request("a limit has no name"));
        }
        // PostgreSQL stores slots in 32 bits; for larger numbers the server answers 503.
        if !(1..=i32::MAX as u32).contains(&self.slots) {
            let what = format!("{} is not between 1 and {} slots", self.slots, i32::MAX);
            return Err(Error::invalid_request(what));
        }
        Ok(())
    }

    /// Fails if a required limit does not exist.
    pub(super) fn check_granted(&self, granted: &[MinimalConcurrencyLimitResponse]) -> Result<()> {
        let is_granted = |name: &&String| granted.iter().any(|limit| limit.name == **name);
        let missing: Vec<_> = self.names.iter().filter(|name| !is_granted(name)).collect();
        if self.lenient || missing.is_empty() {
            return Ok(());
        }
        let what = format!("there is no concurrency limit named {missing:?}");
        Err(Error::new(ErrorKind::NotFound, what))
    }

    /// Repeats the request `once` until it is granted. A request that is abandoned still runs to its end, and
    /// what it is granted is dropped: slots under a lease are then given back.
    pub(super) async fn acquire<T: Send + 'static, F>(
        &self,
        client: &Client,
        once: impl Fn() -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let wait_queue = client.service::<WaitQueue>()?;
        let retry = AcquireRetry::new(client, self.timeout);
        let (mut failures, mut is_last, mut refused) = (0, false, None);
        loop {
            if retry.left().is_some_and(|left| left.is_zero()) {
                return Err(self.timed_out(None));
            }
            let request = async {
                let ticket = wait_queue.next(&self.names).await;
                ticket
                    .take(Detached::new(once()), |answer| answer.is_ok())
                    .await
            };
            let error = match retry.bound(request).await {
                Some(Ok(granted)) => return Ok(granted),
                Some(Err(error)) => error,
                None => return Err(self.timed_out(None)),
            };
            let Some(wait) = retry.wait(&error, &mut failures) else {
                return Err(error);
            };
            refused.get_or_insert_with(|| wait_queue.refuse(&self.names));
            let wait = match retry.left() {
                Some(left) if wait >= left && (is_last || left.is_zero()) => {
                    return Err(self.timed_out(Some(error)));
                }
                Some(left) if wait >= left => {
                    is_last = true;
                    left.mul_f64(FINAL_ATTEMPT_AT)
                }
                _ => wait,
            };
            client.raw().channel().clock().sleep(wait).await;
        }
    }

    /// Repeats the request `once` until the server answers it; `None` if too few slots are free.
    pub(super) async fn try_acquire<T: Send + 'static, F>(
        &self,
        client: &Client,
        once: impl Fn() -> F,
    ) -> Result<Option<T>>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let retry = AcquireRetry::new(client, self.timeout);
        let mut failures = 0;
        loop {
            let error = match retry.bound(Detached::new(once())).await {
                Some(Ok(granted)) => return Ok(Some(granted)),
                Some(Err(error)) => error,
                None => return Err(self.timed_out(None)),
            };
            if error.is_locked() && !error.is_permanently_locked() {
                return Ok(None);
            }
            match retry.wait(&error, &mut failures) {
                Some(wait) if retry.left().is_none_or(|left| wait < left) => {
                    client.raw().channel().clock().sleep(wait).await;
                }
                _ => return Err(error),
            }
        }
    }

    fn timed_out(&self, why: Option<Error>) -> Error {
        let timeout = self.timeout.unwrap_or_default();
        let what = format!("{self} could not be acquired within {timeout:?}");
        let error = Error::new(ErrorKind::Timeout, what).with_outcome(false, true);
        match why {
            Some(why) => error.with_source(why),
            None => error,
        }
    }
}

impl std::fmt::Display for SlotRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = if self.slots == 1 { "" } else { "s" };
        write!(f, "{} slot{plural} of {:?}", self.slots, self.names)
    }
}

/// How long, and after which errors, one waiter keeps trying.
struct AcquireRetry<'a> {
    client: &'a Client,
    deadline: Option<Instant>,
}

impl<'a> AcquireRetry<'a> {
    fn new(client: &'a Client, timeout: Option<Duration>) -> Self {
        let now = client.raw().channel().clock().now();
        let deadline = timeout.and_then(|timeout| now.checked_add(timeout));
        Self { client, deadline }
    }

    /// The time that is left, if it is bounded.
    fn left(&self) -> Option<Duration> {
        let now = self.client.raw().channel().clock().now();
        self.deadline
            .map(|deadline| deadline.saturating_duration_since(now))
    }

    /// The output of a request; `None` if the time is over first.
    async fn bound<T>(&self, request: impl Future<Output = T>) -> Option<T> {
        match self.left() {
            None => Some(request.await),
            Some(left) => tokio::time::timeout(left, request).await.ok(),
        }
    }

    /// How long to wait before the next request, if there is to be one.
    fn wait(&self, error: &Error, failures: &mut u32) -> Option<Duration> {
        let channel = self.client.channel();
        let policy = channel.retry();
        // Up to twice as long, so that those who wait for the same slots do not ask at the same time.
        let floor = MIN_WAIT.mul_f64(1.0 + fastrand::f64());
        let backoff = policy.backoff().clone().floor(floor);
        let wait = |failures| backoff.delay(failures, error.retry_after());
        if error.is_locked() {
            *failures = 0;
            return (!error.is_permanently_locked()).then(|| wait(1));
        }
        // Slots that a lost reply has granted are held until their lease ends, and nobody uses them. But
        // after a 500 there may be no lease: the server counts the slots before it creates the lease.
        let is_lost = error.may_have_happened() && error.status() != Some(INTERNAL_SERVER_ERROR);
        // If the very first connection is refused, the address is likely to be wrong.
        let was_reached = channel.was_reached() || is_lost;
        *failures += u32::from(!error.is_maintenance());
        let should_retry = (error.is_retryable() || is_lost)
            && was_reached
            && match error.is_maintenance() {
                true => policy.allows_maintenance(),
                false => policy.allows(*failures),
            };
        should_retry.then(|| wait((*failures).max(1)))
    }
}
