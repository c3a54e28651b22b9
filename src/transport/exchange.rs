//! One call: its attempts, until one of them settles it.

use std::future::Future;
use std::time::{Duration, Instant};

use reqwest::header::HeaderValue;
use reqwest::{Request, RequestBuilder, Response, StatusCode};

use super::failure::{Effect, Failure};
use super::hooks::Attempt;
use super::lookup::{self, Transition};
use super::operation::Operation;
use super::repeat::{self, Repeat};
use super::reply::{self, Reply};
use super::{Transport, trace};
use crate::error::{Call, Error, ErrorKind, Result};
use crate::retry::RetryPolicy;

/// How often one call has its CSRF token replaced: more means that the server takes none.
const MOST_TOKENS: u32 = 2;

/// One call of an operation.
pub(super) struct Exchange<'a> {
    transport: &'a Transport,
    repeat: Repeat,
    call: Call,
    /// When the call is to be over.
    deadline: Option<Instant>,
    /// When the first attempt was sent that the server may have carried out, or a part of it: by real
    /// time, for it is held against the server's.
    unclear: Option<Instant>,
    /// Whether it may have been in spite of all that the server said.
    uncertain: bool,
    /// Whether it may still be carried out.
    late: bool,
}

/// What a call wants of a reply that is a success.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    Body,
    Stream,
}

/// A success.
enum Answer {
    Read(Reply),
    Open(Response),
}

impl<'a> Exchange<'a> {
    pub fn new(
        transport: &'a Transport,
        request: RequestBuilder,
        operation: Operation,
    ) -> Result<Self> {
        let mut request = request.build().map_err(|error| {
            Error::invalid_request("the request cannot be built")
                .of(operation.name())
                .caused_by(error)
        })?;
        let repeat = Repeat::prepare(operation, &mut request);
        let deadline = transport.retry().deadline_after();
        Ok(Self {
            transport,
            repeat,
            call: Call::new(operation, request),
            deadline: deadline.and_then(|after| transport.clock().now().checked_add(after)),
            unclear: None,
            uncertain: false,
            late: false,
        })
    }

    pub fn call(&self) -> &Call {
        &self.call
    }

    pub fn into_call(self) -> Call {
        self.call
    }

    pub fn transport(&self) -> &Transport {
        self.transport
    }

    /// The reply, read to its end.
    pub async fn reply(&mut self) -> Result<Reply> {
        match self.run(Wanted::Body).await? {
            Answer::Read(reply) => Ok(reply),
            Answer::Open(_) => unreachable!("the body was asked for"),
        }
    }

    /// The reply, whose body is still to be read.
    pub async fn response(&mut self) -> Result<Response> {
        match self.run(Wanted::Stream).await? {
            Answer::Open(response) => Ok(response),
            Answer::Read(_) => unreachable!("a stream was asked for"),
        }
    }

    async fn run(&mut self, wanted: Wanted) -> Result<Answer> {
        let transport = self.transport;
        self.in_time(transport.version().pass(self)).await?;
        let (mut failures, mut counted, mut tokens) = (0, 0, 0);
        loop {
            let (request, token) = match self.prepare(wanted).await {
                Ok(prepared) => prepared,
                Err(error) => return Err(self.judge(error.is_retryable(), error)),
            };
            self.call.attempts += 1;
            let (started, sent) = (transport.clock().now(), Instant::now());
            let mut failure = match self.attempt(request, wanted).await {
                Ok(answer) => {
                    self.observe(started, Ok(answer.status()), None);
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            failure.effect = self.repeat.effect(failure.effect);
            if failure.effect != Effect::None {
                self.unclear.get_or_insert(sent);
            }
            self.uncertain |= failure.effect == Effect::Unknown;
            self.late |= failure.may_still_be_done();
            failures += 1;
            counted += u32::from(!failure.maintenance);

            let rejected = self.is_about_the_token(token, &failure).await;
            let delay = match rejected && tokens < MOST_TOKENS {
                true => Some(Duration::ZERO),
                false => self.delay(&failure, failures, counted),
            };
            tokens += u32::from(rejected);
            self.observe(started, Err(&failure.error), delay);
            match delay {
                Some(Duration::ZERO) => {}
                Some(delay) => transport.clock().sleep(delay).await,
                None => return self.settle(failure, wanted).await,
            }
            if let Repeat::Transition { id, .. } = &self.repeat
                && let Some(sent) = self.unclear
                && self.uncertain
            {
                match self.find_transition(id, sent).await {
                    Some(Transition::Made(reply)) => return Ok(Answer::Read(reply)),
                    Some(Transition::NotMade) => {}
                    Some(Transition::Overtaken) | None => {
                        return Err(self.judge(false, failure.error));
                    }
                }
            }
        }
    }

    /// The request of the next attempt, as the user's interceptors leave it, with its CSRF token.
    async fn prepare(&self, wanted: Wanted) -> Result<(Request, Option<HeaderValue>)> {
        let transport = self.transport;
        let refused = |message| self.call.error(ErrorKind::InvalidRequest, message);
        // The bodies of all operations are in memory, and can be sent again.
        let request = self.call.request().try_clone();
        let mut request =
            request.ok_or_else(|| refused("the request's body cannot be sent twice"))?;
        for interceptor in transport.interceptors() {
            let intercepted = interceptor.intercept(&mut request).await;
            intercepted.map_err(|error| refused("an interceptor failed").caused_by(error))?;
        }
        let token = self
            .in_time(transport.csrf().add(self, &mut request))
            .await?;
        transport.quiet().await;
        let left = self.time_left();
        if left == Some(Duration::ZERO) {
            return Err(self.too_late());
        }
        if wanted == Wanted::Body {
            *request.timeout_mut() = Some(self.timeout());
        }
        Ok((request, token))
    }

    /// Whether it failed for its CSRF token; then the next attempt has another.
    async fn is_about_the_token(&self, token: Option<HeaderValue>, failure: &Failure) -> bool {
        let csrf = self.transport.csrf();
        let rejected = csrf.rejected(token, self.call.method(), &failure.error);
        let rejected = self.in_time(async { Ok(rejected.await) }).await;
        rejected.unwrap_or(false)
    }

    /// Waits for what must come before the request, up to the deadline.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match self.time_left() {
            None => work.await,
            Some(left) => match tokio::time::timeout(left, work).await {
                Ok(done) => done,
                Err(_) => Err(self.too_late()),
            },
        }
    }

    fn too_late(&self) -> Error {
        let message = "the deadline came before the request could be sent";
        let error = self.call.error(ErrorKind::Timeout, message);
        error.judged(false, true)
    }

    /// The time for one attempt; that for a stream is up to its beginning.
    fn timeout(&self) -> Duration {
        let timeout = self.transport.timeout();
        self.time_left().map_or(timeout, |left| left.min(timeout))
    }

    /// The time until the deadline of the whole call, if there is one.
    fn time_left(&self) -> Option<Duration> {
        let now = || self.transport.clock().now();
        self.deadline
            .map(|deadline| deadline.saturating_duration_since(now()))
    }

    /// A transport for what is asked on behalf of this call: it has no more time than the call has.
    pub fn subordinate(&self, policy: RetryPolicy) -> Transport {
        let policy = match self.time_left() {
            Some(left) => policy.deadline(left),
            None => policy,
        };
        self.transport.with_retry(policy)
    }

    /// Sends the request once, and reads the reply to its end if it is not to be streamed.
    async fn attempt(&self, request: Request, wanted: Wanted) -> Result<Answer, Failure> {
        let transport = self.transport;
        let http = match wanted {
            Wanted::Body => transport.http(),
            Wanted::Stream => transport.streams().map_err(Failure::before)?,
        };
        let response = http.execute(request);
        let response = match wanted {
            Wanted::Body => response.await,
            Wanted::Stream => match tokio::time::timeout(self.timeout(), response).await {
                Ok(response) => response,
                Err(_) => {
                    let message = "the server did not answer in time";
                    let error = self.call.error(ErrorKind::Timeout, message);
                    return Err(Failure::broken(error));
                }
            },
        };
        let mut response = response.map_err(|error| Failure::unanswered(&self.call, error))?;
        transport.set_reached();
        let status = response.status();
        if status.is_success() && wanted == Wanted::Stream {
            return Ok(Answer::Open(response));
        }
        let headers = std::mem::take(response.headers_mut());
        let body = reply::read(&mut response).await;
        if status.is_server_error() {
            transport.expect_closing();
        }
        let body = body.map_err(|error| Failure::broken(self.call.failed(error)))?;
        if !status.is_success() {
            let error = self.call.refused(status, headers, body);
            return Err(Failure::refused(error, status));
        }
        let reply = Reply {
            status,
            headers,
            body,
        };
        let made_before =
            self.unclear.is_some() && matches!(self.repeat, Repeat::Transition { .. });
        let accepted = made_before.then(|| repeat::as_accepted(&reply)).flatten();
        Ok(Answer::Read(accepted.unwrap_or(reply)))
    }

    /// How long to wait for the next attempt, if there is to be one.
    fn delay(&self, failure: &Failure, failures: u32, counted: u32) -> Option<Duration> {
        let policy = self.transport.retry();
        let safe = failure.effect != Effect::Unknown || self.repeat.is_allowed_after(failure);
        let may_pass = failure.may_pass(policy, self.transport.was_reached());
        if !safe || !may_pass || !(failure.maintenance || policy.allows(counted)) {
            return None;
        }
        let delay = policy.delay(failures, failure.error.retry_after(), fastrand::f64());
        let left = self.time_left();
        left.is_none_or(|left| delay < left).then_some(delay)
    }

    /// The end of a call whose last attempt failed: it is a success if an earlier one was, as far as
    /// can be told.
    async fn settle(&mut self, failure: Failure, wanted: Wanted) -> Result<Answer> {
        let status = failure.error.status();
        if let Some(since) = self.unclear
            && wanted == Wanted::Body
        {
            match &self.repeat {
                // A gateway's 404 says nothing about the object.
                Repeat::GoneIsDone
                    if status == Some(StatusCode::NOT_FOUND) && failure.error.names_an_object() =>
                {
                    return Ok(Answer::Read(Reply {
                        status: StatusCode::NO_CONTENT,
                        headers: failure.error.headers().clone(),
                        body: "null".into(),
                    }));
                }
                Repeat::Named { url, read_by } if status == Some(StatusCode::CONFLICT) => {
                    match self.look(url.clone(), *read_by, since).await {
                        Some((found, ago)) => {
                            if lookup::is_ours(self.call.request(), &found, ago) {
                                return Ok(Answer::Read(found));
                            }
                        }
                        // It may be ours, and could not be looked at.
                        None => self.uncertain = true,
                    }
                }
                _ => {}
            }
        }
        let again = failure.is_worth_another_call(self.transport.retry());
        Err(self.judge(again, failure.error))
    }

    /// The error of this call, with all that is known now.
    fn judge(&self, again: bool, mut error: Error) -> Error {
        let uncertain = self.uncertain && self.call.changes_something();
        error.set_attempts(self.call.attempts);
        error.judged(
            uncertain,
            again && (!uncertain || self.repeat.holds_for_another_call(self.late)),
        )
    }

    /// Tells the log, and the user's observers, of an attempt.
    fn observe(
        &self,
        started: Instant,
        outcome: Result<StatusCode, &Error>,
        retry_in: Option<Duration>,
    ) {
        let observers = self.transport.observers();
        if observers.is_empty() && outcome.is_ok() && !trace::is_wanted() {
            return;
        }
        let now = self.transport.clock().now();
        let attempt = Attempt {
            call: &self.call,
            duration: now.saturating_duration_since(started),
            status: outcome.map_or_else(Error::status, Some),
            error: outcome.err().map(Error::kind),
            retry_in,
        };
        trace::attempt(&attempt, outcome.err());
        for observer in observers {
            observer(&attempt);
        }
    }
}

impl Answer {
    fn status(&self) -> StatusCode {
        match self {
            Self::Read(reply) => reply.status,
            Self::Open(response) => response.status(),
        }
    }
}
