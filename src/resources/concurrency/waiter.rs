//! `Waiter`: one caller's slots, which are requested until they are granted.

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_core::future::BoxFuture;
use futures_util::FutureExt as _;
use futures_util::future::{Either, select};
use tokio::sync::oneshot;

use super::slot_request::SlotRequest;
use super::wait_queue::{Place, WaitQueues};
use crate::client::{Background, Client};
use crate::error::{Error, Result};
use crate::transport::Channel;

/// The shortest wait between two requests: a server may be configured to ask for no wait at all.
const MIN_WAIT: Duration = Duration::from_millis(100);

/// How long others wait for the answer to one waiter.
const TURN_TIMEOUT: Duration = Duration::from_secs(2);

/// When the server asks for a longer wait than is left: the fraction of the time left after which the last
/// request is sent.
const FINAL_ATTEMPT_AT: f64 = 0.9;

/// Sends one request for the slots.
pub(super) trait Ask<T>:
    Fn() -> BoxFuture<'static, Result<T>> + Send + Sync + 'static
{
}

impl<T, F: Fn() -> BoxFuture<'static, Result<T>> + Send + Sync + 'static> Ask<T> for F {}

/// One caller, as a job of the client's own runtime: whether or not it is polled, those behind it have their turn. A
/// request that was sent runs to its end, and what it is granted for a caller that has gone is dropped, which gives
/// the slots back.
struct Waiter<R> {
    background: Arc<Background>,
    queues: Arc<WaitQueues>,
    /// The channel of the caller, for its retry policy.
    channel: Channel,
    request: SlotRequest,
    deadline: Option<Instant>,
    /// How many requests in a row have failed otherwise than for want of slots.
    failures: u32,
    reply: oneshot::Sender<Result<R>>,
}

/// Why a waiter ends without slots: an error, or `None` if the caller has gone.
type Ended = Option<Error>;

impl SlotRequest {
    /// Waits in the queue, and repeats the request until it is granted.
    pub(super) async fn acquire<T: Send + 'static>(
        &self,
        client: &Client,
        ask: impl Ask<T>,
    ) -> Result<T> {
        let (mut waiter, reply) = Waiter::new(client, self)?;
        let background = Arc::clone(&waiter.background);
        // In the order of the calls, not in that in which the jobs begin.
        let place = waiter.queues.of(&self.names).join();
        background.spawn(async move {
            let result = waiter.acquire(&ask, place).await;
            waiter.finish(result);
        });
        answer(reply).await
    }

    /// Repeats the request until the server answers it; `None` if too few slots are free.
    pub(super) async fn try_acquire<T: Send + 'static>(
        &self,
        client: &Client,
        ask: impl Ask<T>,
    ) -> Result<Option<T>> {
        let (mut waiter, reply) = Waiter::new(client, self)?;
        let background = Arc::clone(&waiter.background);
        background.spawn(async move {
            let result = waiter.try_acquire(&ask).await;
            waiter.finish(result);
        });
        answer(reply).await
    }
}

async fn answer<T>(reply: oneshot::Receiver<Result<T>>) -> Result<T> {
    let panicked = |_| Err(Error::hook_panicked("the slots are no longer requested"));
    reply.await.unwrap_or_else(panicked)
}

impl<R: Send + 'static> Waiter<R> {
    fn new(client: &Client, request: &SlotRequest) -> Result<(Self, oneshot::Receiver<Result<R>>)> {
        let channel = client.channel().clone();
        let now = channel.clock().now();
        let (reply, answer) = oneshot::channel();
        let waiter = Self {
            background: client.service()?,
            queues: client.service()?,
            deadline: request.timeout.and_then(|timeout| now.checked_add(timeout)),
            channel,
            request: request.clone(),
            failures: 0,
            reply,
        };
        Ok((waiter, answer))
    }

    fn finish(self, result: Result<R, Ended>) {
        let result = match result {
            Ok(granted) => Ok(granted),
            Err(Some(error)) => Err(error),
            Err(None) => return,
        };
        // For a caller that has gone, the slots are dropped here.
        drop(self.reply.send(result));
    }

    async fn acquire<T: Send + 'static>(
        &mut self,
        ask: &impl Ask<T>,
        place: Place,
    ) -> Result<T, Ended> {
        let (slots, mut was_last, mut refusal) = (self.request.slots, false, None);
        loop {
            self.unless_interrupted(place.turn()).await?;
            let wait = place.refused_for(slots, self.channel.clock().now());
            let (wait, is_last) = match self.left() {
                Some(left) if left.is_zero() || (wait >= left && was_last) => {
                    return Err(Some(self.timed_out(refusal)));
                }
                Some(left) if wait >= left => (left.mul_f64(FINAL_ATTEMPT_AT), true),
                _ => (wait, was_last),
            };
            if !wait.is_zero() && (self.is_woken_within(wait, &place).await? || !place.may_ask()) {
                continue;
            }
            was_last = is_last;
            let returns_before = place.returns();
            match self.ask(ask, Some(&place)).await? {
                Ok(granted) => {
                    place.granted();
                    return Ok(granted);
                }
                Err(error) => {
                    let Some(wait) = self.wait_after(&error) else {
                        return Err(Some(error));
                    };
                    let until = self.channel.clock().now().checked_add(wait);
                    place.refused(slots, until, returns_before);
                    refusal = Some(error);
                }
            }
        }
    }

    async fn try_acquire<T: Send + 'static>(
        &mut self,
        ask: &impl Ask<T>,
    ) -> Result<Option<T>, Ended> {
        loop {
            let error = match self.ask(ask, None).await? {
                Ok(granted) => return Ok(Some(granted)),
                Err(error) => error,
            };
            if error.is_locked() && !error.is_permanently_locked() {
                return Ok(None);
            }
            match self.wait_after(&error) {
                Some(wait) if self.left().is_none_or(|left| wait < left) => {
                    let channel = self.channel.clone();
                    self.unless_interrupted(channel.clock().sleep(wait)).await?;
                }
                _ => return Err(Some(error)),
            }
        }
    }

    /// Sends one request. While it is not answered for long, others need not wait for that.
    async fn ask<T: Send + 'static>(
        &mut self,
        ask: &impl Ask<T>,
        place: Option<&Place>,
    ) -> Result<Result<T>, Ended> {
        if self.reply.is_closed() {
            return Err(None);
        }
        let mut request = ask();
        let answer = self.answer_to(&mut request, place).await;
        if answer.is_err() {
            // It runs to its end, and what it is granted is dropped.
            self.background.spawn(request.map(drop));
        }
        answer
    }

    async fn answer_to<T: Send + 'static>(
        &mut self,
        request: &mut BoxFuture<'static, Result<T>>,
        place: Option<&Place>,
    ) -> Result<Result<T>, Ended> {
        if let Some(place) = place {
            let soon = tokio::time::timeout(TURN_TIMEOUT, &mut *request);
            match self.unless_interrupted(soon).await? {
                Ok(answer) => return Ok(answer),
                Err(_) => place.is_unanswered(),
            }
        }
        self.unless_interrupted(request).await
    }

    /// Waits for this long; returns whether there is a reason to look again before.
    async fn is_woken_within(&mut self, wait: Duration, place: &Place) -> Result<bool, Ended> {
        let channel = self.channel.clone();
        let sleep = channel.clock().sleep(wait);
        let woken = pin!(place.woken());
        let either = self.unless_interrupted(select(sleep, woken)).await?;
        Ok(matches!(either, Either::Right(_)))
    }

    /// The output of a future, unless the caller goes, its time is over, or the client is shut down.
    async fn unless_interrupted<F: Future>(&mut self, future: F) -> Result<F::Output, Ended> {
        match select(pin!(future), pin!(self.interrupted())).await {
            Either::Left((output, _)) => Ok(output),
            Either::Right((ended, _)) => Err(ended),
        }
    }

    async fn interrupted(&mut self) -> Ended {
        let left = self.left();
        {
            let timeout = pin!(async {
                match left {
                    Some(left) => tokio::time::sleep(left).await,
                    None => pending().await,
                }
            });
            let (gone, closed) = (pin!(self.reply.closed()), pin!(self.queues.closed()));
            match select(gone, select(closed, timeout)).await {
                Either::Left(_) => return None,
                Either::Right((Either::Left((shut_down, _)), _)) => return Some(shut_down),
                Either::Right((Either::Right(_), _)) => {}
            }
        }
        Some(self.timed_out(None))
    }

    /// The time that is left, if it is bounded.
    fn left(&self) -> Option<Duration> {
        let now = self.channel.clock().now();
        self.deadline
            .map(|deadline| deadline.saturating_duration_since(now))
    }

    fn timed_out(&self, why: Option<Error>) -> Error {
        let error = self.request.timed_out();
        match why {
            Some(why) => error.with_source(why),
            None => error,
        }
    }

    /// How long to wait before the next request, if there is to be one.
    fn wait_after(&mut self, error: &Error) -> Option<Duration> {
        let policy = self.channel.retry();
        // Up to twice as long, so that those who wait for the same slots do not ask at the same time.
        let floor = MIN_WAIT.mul_f64(1.0 + fastrand::f64());
        let backoff = policy.backoff().clone().floor(floor);
        let wait = |failures| backoff.delay(failures, error.retry_after());
        if error.is_locked() {
            self.failures = 0;
            return (!error.is_permanently_locked()).then(|| wait(1));
        }
        // Slots that a lost reply has granted are held until their lease ends, and nobody uses them. But
        // after a 500 there may be no lease: the server counts the slots before it creates the lease.
        let is_lost = error.may_have_happened() && !error.is_server_error();
        // If the very first connection is refused, the address is likely to be wrong.
        let was_reached = self.channel.was_reached() || is_lost;
        self.failures += u32::from(!error.is_maintenance());
        let should_retry = (error.is_retryable() || is_lost)
            && was_reached
            && match error.is_maintenance() {
                true => policy.allows_maintenance(),
                false => policy.allows(self.failures),
            };
        should_retry.then(|| wait(self.failures.max(1)))
    }
}
