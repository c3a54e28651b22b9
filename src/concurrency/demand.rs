//! What is asked of limits, and how it is waited for.

use std::future::Future;
use std::time::{Duration, Instant};

use reqwest::StatusCode;

use crate::client::Client;
use crate::detached::Detached;
use crate::error::{Error, ErrorKind, Result};
use crate::types::MinimalConcurrencyLimitResponse;

/// The shortest wait: a server may be set to ask for none at all.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

const FAILED: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;

/// When the server asks for a longer wait than is left, when to ask for the last time.
const LAST_TIME: f64 = 0.9;

/// So many slots of each of these limits, or of none.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    pub names: Vec<String>,
    pub slots: u32,
    pub timeout: Option<Duration>,
    /// Limits that do not exist are none that have to be waited for.
    pub lenient: bool,
}

impl Demand {
    pub fn new(mut names: Vec<String>) -> Self {
        names.sort();
        names.dedup();
        Self {
            names,
            slots: 1,
            timeout: None,
            lenient: false,
        }
    }

    pub fn check(&self) -> Result<()> {
        if self.names.iter().any(String::is_empty) {
            return Err(Error::invalid_request("a limit has no name"));
        }
        // PostgreSQL keeps slots in 32 bits; beyond them the server answers 503.
        if !(1..=i32::MAX as u32).contains(&self.slots) {
            let what = format!("{} is not between 1 and {} slots", self.slots, i32::MAX);
            return Err(Error::invalid_request(what));
        }
        Ok(())
    }

    /// An error if limits do not exist that have to.
    pub fn check_granted(&self, granted: &[MinimalConcurrencyLimitResponse]) -> Result<()> {
        let is_granted = |name: &&String| granted.iter().any(|limit| limit.name == **name);
        let missing: Vec<_> = self.names.iter().filter(|name| !is_granted(name)).collect();
        if self.lenient || missing.is_empty() {
            return Ok(());
        }
        let what = format!("there is no concurrency limit of the name {missing:?}");
        Err(Error::new(ErrorKind::NotFound, what))
    }

    /// Asks `once` and again until it is granted. A request that is given up is seen to its end, so
    /// that what it is granted is dropped.
    pub async fn acquire<T: Send + 'static, F>(
        &self,
        client: &Client,
        once: impl Fn() -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let patience = Patience::new(client, self.timeout);
        let (mut failures, mut is_last, mut refused) = (0, false, None);
        loop {
            if patience.left().is_some_and(|left| left.is_zero()) {
                return Err(self.too_late(None));
            }
            let request = async {
                let turn = client.turns().next(&self.names).await;
                turn.take(Detached::new(once()), |answer| answer.is_ok())
                    .await
            };
            let error = match patience.bound(request).await {
                Some(Ok(granted)) => return Ok(granted),
                Some(Err(error)) => error,
                None => return Err(self.too_late(None)),
            };
            let Some(wait) = patience.wait(&error, &mut failures) else {
                return Err(error);
            };
            refused.get_or_insert_with(|| client.turns().refuse(&self.names));
            let wait = match patience.left() {
                Some(left) if wait >= left && (is_last || left.is_zero()) => {
                    return Err(self.too_late(Some(error)));
                }
                Some(left) if wait >= left => {
                    is_last = true;
                    left.mul_f64(LAST_TIME)
                }
                _ => wait,
            };
            client.raw().transport().clock().sleep(wait).await;
        }
    }

    /// Asks until there is an answer, which is `None` if there is none free.
    pub async fn try_acquire<T: Send + 'static, F>(
        &self,
        client: &Client,
        once: impl Fn() -> F,
    ) -> Result<Option<T>>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let patience = Patience::new(client, self.timeout);
        let mut failures = 0;
        loop {
            let error = match patience.bound(Detached::new(once())).await {
                Some(Ok(granted)) => return Ok(Some(granted)),
                Some(Err(error)) => error,
                None => return Err(self.too_late(None)),
            };
            if error.is_locked() && !error.is_permanently_locked() {
                return Ok(None);
            }
            match patience.wait(&error, &mut failures) {
                Some(wait) if patience.left().is_none_or(|left| wait < left) => {
                    client.raw().transport().clock().sleep(wait).await;
                }
                _ => return Err(error),
            }
        }
    }

    fn too_late(&self, why: Option<Error>) -> Error {
        let timeout = self.timeout.unwrap_or_default();
        let what = format!("{self} could not be had within {timeout:?}");
        let error = Error::new(ErrorKind::Timeout, what).judged(false, true);
        match why {
            Some(why) => error.caused_by(why),
            None => error,
        }
    }
}

impl std::fmt::Display for Demand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = if self.slots == 1 { "" } else { "s" };
        write!(f, "{} slot{plural} of {:?}", self.slots, self.names)
    }
}

/// How long one waiter goes on.
struct Patience<'a> {
    client: &'a Client,
    deadline: Option<Instant>,
}

impl<'a> Patience<'a> {
    fn new(client: &'a Client, timeout: Option<Duration>) -> Self {
        let now = client.raw().transport().clock().now();
        let deadline = timeout.and_then(|timeout| now.checked_add(timeout));
        Self { client, deadline }
    }

    /// What is left of the time, if it is bounded.
    fn left(&self) -> Option<Duration> {
        let now = self.client.raw().transport().clock().now();
        self.deadline
            .map(|deadline| deadline.saturating_duration_since(now))
    }

    /// `None` if the time is over first.
    async fn bound<T>(&self, request: impl Future<Output = T>) -> Option<T> {
        match self.left() {
            None => Some(request.await),
            Some(left) => tokio::time::timeout(left, request).await.ok(),
        }
    }

    /// How long to wait before the next request, if there is to be one.
    fn wait(&self, error: &Error, failures: &mut u32) -> Option<Duration> {
        let transport = self.client.raw().transport();
        let policy = transport.retry();
        let wait = |failures| {
            let wait = policy.delay(failures, error.retry_after(), fastrand::f64());
            wait.max(SHORTEST_WAIT.mul_f64(1.0 + fastrand::f64()))
        };
        if error.is_locked() {
            *failures = 0;
            return (!error.is_permanently_locked()).then(|| wait(1));
        }
        // What a lost reply has granted is held until its lease ends, and nobody works under it. But
        // after a 500 there may be no lease: the slots are counted before it is made.
        let is_lost = error.may_have_happened() && error.status() != Some(FAILED);
        // A first connection that is refused is likely to be a wrong address.
        let was_reached = transport.was_reached() || is_lost;
        *failures += u32::from(!error.is_maintenance());
        let goes_on = (error.is_retryable() || is_lost)
            && was_reached
            && (error.is_maintenance() || policy.allows(*failures));
        goes_on.then(|| wait((*failures).max(1)))
    }
}
