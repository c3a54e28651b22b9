//! `CallContext`: a call in progress, the channel that it is sent over, and its deadline.

use std::future::Future;
use std::time::{Duration, Instant};

use super::call::Call;
use super::channel::Channel;
use crate::error::{Error, ErrorKind, Result};
use crate::retry::RetryPolicy;

/// A call in progress.
pub(super) struct CallContext<'a> {
    pub channel: &'a Channel,
    pub call: Call,
    /// The time by which the call must be over.
    deadline: Option<Instant>,
}

impl<'a> CallContext<'a> {
    /// Starts the time of the call: its deadline is counted from now.
    pub(super) fn new(channel: &'a Channel, call: Call) -> Self {
        let deadline = channel.retry().deadline_after();
        let deadline = deadline.and_then(|after| channel.clock().now().checked_add(after));
        Self {
            channel,
            call,
            deadline,
        }
    }

    /// The time until the deadline of the whole call, if there is one.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let now = || self.channel.clock().now();
        self.deadline
            .map(|deadline| deadline.saturating_duration_since(now()))
    }

    /// The time for one attempt; for a stream, the time up to its beginning.
    pub(super) fn timeout(&self) -> Duration {
        let timeout = self.channel.timeout();
        self.time_left().map_or(timeout, |left| left.min(timeout))
    }

    /// Waits for work that has to be done before the request is sent, up to the deadline.
    pub(super) async fn within_deadline<T>(
        &self,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match self.time_left() {
            None => work.await,
            Some(left) => match tokio::time::timeout(left, work).await {
                Ok(done) => done,
                Err(_) => Err(self.deadline_passed()),
            },
        }
    }

    pub(super) fn deadline_passed(&self) -> Error {
        let message = "the deadline passed before the request could be sent";
        let error = self.call.error(ErrorKind::Timeout, message);
        error.with_outcome(false, true)
    }

    /// Returns a channel for requests that are sent on behalf of this call, within its deadline.
    pub(super) fn subordinate(&self, policy: RetryPolicy) -> Channel {
        let policy = match self.time_left() {
            Some(left) => policy.deadline(left),
            None => policy,
        };
        self.channel.with_retry(policy)
    }
}
