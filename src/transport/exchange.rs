//! One call: its attempts, until one of them settles it.

use std::time::{Duration, Instant};

use reqwest::{Request, RequestBuilder, Response, StatusCode};

use super::failure::{Effect, Failure};
use super::hooks::Attempt;
use super::operation::Operation;
use super::repeat::{self, Repeat};
use super::reply::Reply;
use super::{Transport, trace};
use crate::error::{Call, Error, ErrorKind, Result};

/// How often one call has its CSRF token replaced: more means that the server takes none.
const MOST_TOKENS: u32 = 2;

/// Set to `true` in the replies of a server that will be back.
const MAINTENANCE: &str = "prefect-maintenance";

/// One call of an operation.
pub(super) struct Exchange<'a> {
    transport: &'a Transport,
    repeat: Repeat,
    call: Call,
    /// When the first attempt began.
    began: Option<Instant>,
    /// When the first attempt was sent of which nobody knows whether it was carried out.
    uncertain: Option<Instant>,
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
        operation: &'static Operation,
    ) -> Result<Self> {
        let mut request = request.build().map_err(|error| {
            Error::invalid_request("the request cannot be built")
                .of(operation.name)
                .caused_by(error)
        })?;
        let repeat = Repeat::prepare(operation, &mut request);
        Ok(Self {
            transport,
            repeat,
            call: Call::new(operation, request),
            began: None,
            uncertain: None,
        })
    }

    pub fn call(&self) -> &Call {
        &self.call
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
        transport.version().pass(transport, &self.call).await?;
        let (mut failures, mut counted, mut tokens) = (0, 0, 0);
        loop {
            let mut request = self.ready(wanted).await?;
            let token = transport.csrf().add(transport, &mut request).await?;
            transport.quiet().await;

            self.call.attempts += 1;
            let started = transport.clock().now();
            self.began.get_or_insert(started);
            let failure = match self.attempt(request, wanted).await {
                Ok(answer) => {
                    self.observe(started, Ok(answer.status()), None);
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            if failure.effect == Effect::Unknown {
                self.uncertain.get_or_insert(started);
            }
            failures += 1;
            counted += u32::from(!failure.maintenance);

            let rejected = transport.csrf().rejected(token, &failure.error).await;
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
        }
    }

    /// The request of the next attempt, as the user's interceptors leave it.
    async fn ready(&self, wanted: Wanted) -> Result<Request> {
        let refused = |message| self.call.error(ErrorKind::InvalidRequest, message);
        // The bodies of all operations are in memory, and can be sent again.
        let mut request = self
            .call
            .request()
            .try_clone()
            .ok_or_else(|| refused("the request's body cannot be sent twice"))?;
        *request.timeout_mut() = self.time_left(wanted);
        for interceptor in self.transport.interceptors() {
            let intercepted = interceptor.intercept(&mut request).await;
            intercepted.map_err(|error| refused("an interceptor failed").caused_by(error))?;
        }
        Ok(request)
    }

    /// The time for one attempt. That for a stream is the user's; its parts have one of their own.
    fn time_left(&self, wanted: Wanted) -> Option<Duration> {
        let timeout = self.transport.timeout();
        let left = self.deadline_in().map_or(timeout, |left| left.min(timeout));
        (wanted == Wanted::Body).then_some(left)
    }

    /// The time until the deadline of the whole call, if there is one.
    fn deadline_in(&self) -> Option<Duration> {
        let deadline = self.transport.retry().deadline_after()?;
        let elapsed = self.began.map_or(Duration::ZERO, |began| {
            self.transport
                .clock()
                .now()
                .saturating_duration_since(began)
        });
        Some(deadline.saturating_sub(elapsed))
    }

    /// Sends the request once, and reads the reply to its end if it is not to be streamed.
    async fn attempt(&self, request: Request, wanted: Wanted) -> Result<Answer, Failure> {
        let transport = self.transport;
        let http = match wanted {
            Wanted::Body => transport.http(),
            Wanted::Stream => transport.streams().map_err(Failure::before)?,
        };
        let mut response = http
            .execute(request)
            .await
            .map_err(|error| Failure::unanswered(&self.call, error))?;
        transport.set_reached();
        let status = response.status();
        if status.is_success() && wanted == Wanted::Stream {
            return Ok(Answer::Open(response));
        }
        let headers = std::mem::take(response.headers_mut());
        let body = response.bytes().await;
        if status.is_server_error() {
            transport.expect_closing();
        }
        let body = body.map_err(|error| Failure::broken(&self.call, error))?;
        if !status.is_success() {
            let maintenance = headers
                .get(MAINTENANCE)
                .is_some_and(|value| value == "true");
            let error = self.call.refused(status, headers, body);
            return Err(Failure::refused(error, status, maintenance));
        }
        let reply = Reply {
            status,
            headers,
            body,
        };
        let made_before =
            self.uncertain.is_some() && matches!(self.repeat, Repeat::Transition { .. });
        let accepted = made_before.then(|| repeat::as_accepted(&reply)).flatten();
        Ok(Answer::Read(accepted.unwrap_or(reply)))
    }

    /// How long to wait for the next attempt, if there is to be one.
    fn delay(&self, failure: &Failure, failures: u32, counted: u32) -> Option<Duration> {
        let policy = self.transport.retry();
        let safe = failure.effect == Effect::None || self.repeat.is_allowed();
        let may_pass = failure.may_pass(policy, self.transport.was_reached());
        if !safe || !may_pass || !(failure.maintenance || policy.allows(counted)) {
            return None;
        }
        let delay = policy.delay(failures, failure.error.retry_after(), fastrand::f64());
        let left = self.deadline_in();
        left.is_none_or(|left| delay < left).then_some(delay)
    }

    /// The end of a call whose last attempt failed: it is a success if an earlier one was, as far as
    /// can be told.
    async fn settle(&self, failure: Failure, wanted: Wanted) -> Result<Answer> {
        let status = failure.error.status();
        if let Some(since) = self.uncertain
            && wanted == Wanted::Body
        {
            match &self.repeat {
                Repeat::GoneIsDone if status == Some(StatusCode::NOT_FOUND) => {
                    return Ok(Answer::Read(Reply {
                        status: StatusCode::NOT_FOUND,
                        headers: failure.error.headers().clone(),
                        body: "null".into(),
                    }));
                }
                Repeat::Named { url } if status == Some(StatusCode::CONFLICT) => {
                    let found = self.find(url.clone(), since).await?;
                    if let Some(ours) = found {
                        return Ok(Answer::Read(ours));
                    }
                }
                _ => {}
            }
        }
        let uncertain = self.uncertain.is_some() && self.call.changes_something();
        let again = failure.is_worth_another_call(self.transport.retry())
            && (!uncertain || self.repeat.holds_for_another_call());
        Err(failure.error.judged(uncertain, again))
    }

    /// What bears the name that a create of this call found taken, if the create made it.
    async fn find(&self, url: reqwest::Url, since: Instant) -> Result<Option<Reply>> {
        let request = self.transport.http().get(url);
        let mut exchange = Exchange::new(self.transport, request, self.call.operation())?;
        let found = Box::pin(exchange.reply()).await.ok();
        let now = self.transport.clock().now();
        let ago = now.saturating_duration_since(since);
        Ok(found.filter(|found| repeat::is_ours(self.call.request(), found, ago)))
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
