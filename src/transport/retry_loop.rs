//! The retry loop: the attempts of one call, until one of them settles it.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::TryFutureExt as _;
use reqwest::StatusCode;
use reqwest::header::HeaderValue;

use super::attempt_failure::{Effect, Failure};
use super::call::Call;
use super::call_context::CallContext;
use super::channel::Channel;
use super::execution_evidence::{self, Transition};
use super::hooks::Attempt;
use super::operation::Operation;
use super::outcome::{BegunStream, BodyMode, Outcome};
use super::prerequisites::Prerequisites;
use super::raw_reply::{self, RawReply};
use super::replay::{self, ReplayStrategy};
use super::request::RequestBuilder;
use super::storable;
use super::trace;
use crate::error::{Error, ErrorKind, Result};

/// How many times one call may replace its CSRF token: a server that rejects more tokens accepts none.
const MAX_TOKEN_REPLACEMENTS: u32 = 2;

/// The shortest wait for a server under maintenance, which may ask for none.
const MIN_MAINTENANCE_PAUSE: Duration = Duration::from_secs(1);

/// How many bytes of the body of an error are kept: a gateway may answer with any file, but the server echoes a request
/// that it refuses twice.
const MAX_ERROR_BYTES: usize = 8 << 20;

/// One call of an operation.
pub(super) struct RetryLoop<'a> {
    context: CallContext<'a>,
    /// How the request may be sent again; found out when this is first asked.
    replay: OnceLock<ReplayStrategy>,
    /// The time when the first attempt was sent that the server may have executed, in whole or in part. It is
    /// real time, because it is compared with the server's clock.
    first_ambiguous_attempt: Option<Instant>,
    /// Whether an attempt may have been executed, whatever the server answered.
    is_ambiguous: bool,
    /// Whether the server may still be executing an attempt.
    may_still_run: bool,
}

impl<'a> RetryLoop<'a> {
    pub(super) fn new(
        channel: &'a Channel,
        request: RequestBuilder,
        operation: Operation,
    ) -> Result<Self> {
        let refused = |why| Error::invalid_request(why).with_operation(operation.name());
        let mut request = request.build().map_err(refused)?;
        storable::check(operation, &request).map_err(refused)?;
        let replay = ReplayStrategy::by_key(operation, &mut request);
        let call = Call::new(operation, request, Arc::clone(&channel.config().route));
        Ok(Self {
            context: CallContext::new(channel, call),
            replay: replay.map_or_else(OnceLock::new, OnceLock::from),
            first_ambiguous_attempt: None,
            is_ambiguous: false,
            may_still_run: false,
        })
    }

    pub(super) fn call(&self) -> &Call {
        &self.context.call
    }

    fn replay(&self) -> &ReplayStrategy {
        let call = self.call();
        let strategy = || ReplayStrategy::of(call.operation(), call.request());
        self.replay.get_or_init(strategy)
    }

    /// Sends the call and reads the whole reply.
    pub(super) async fn reply(
        mut self,
        prerequisites: &impl Prerequisites,
    ) -> (Call, Result<RawReply>) {
        let reply = self.run(BodyMode::Complete, prerequisites).await;
        (self.context.call, reply.map(Outcome::into_reply))
    }

    /// Sends the call and returns the response, of whose body only the first part has been read: a reply that breaks
    /// off before is requested again.
    pub(super) async fn stream(
        mut self,
        prerequisites: &impl Prerequisites,
    ) -> (Call, Result<BegunStream>) {
        let begun = self.run(BodyMode::Stream, prerequisites).await;
        (self.context.call, begun.map(Outcome::into_stream))
    }

    async fn run(
        &mut self,
        body_mode: BodyMode,
        prerequisites: &impl Prerequisites,
    ) -> Result<Outcome> {
        let channel = self.context.channel;
        let ready = prerequisites.before_call(&self.context);
        self.context.within_deadline(ready).await?;
        let (mut failures, mut counted, mut tokens) = (0, 0, 0);
        loop {
            let (started, sent) = (channel.clock().now(), Instant::now());
            let prepared = self.prepare(body_mode, prerequisites).await;
            let is_sent = prepared.is_ok();
            self.context.call.attempts += u32::from(is_sent);
            let (token, attempted) = match prepared {
                Ok((request, token)) => (token, self.attempt(request, body_mode).await),
                Err(error) => (None, Err(Failure::of_prerequisite(error))),
            };
            let mut failure = match attempted {
                Ok(outcome) => {
                    self.observe(started, Ok(outcome.status()), None);
                    return Ok(outcome);
                }
                Err(failure) => failure,
            };
            failure.effect = self.replay().effect(failure.effect);
            if failure.effect != Effect::NotExecuted {
                self.first_ambiguous_attempt.get_or_insert(sent);
            }
            self.is_ambiguous |= failure.effect == Effect::Ambiguous;
            self.may_still_run |= failure.may_still_run();
            failures += 1;
            counted += u32::from(!failure.maintenance);
            let method = self.context.call.method();
            let rejected = prerequisites.is_token_rejected(token.as_ref(), method, &failure.error);
            let delay = match rejected && tokens < MAX_TOKEN_REPLACEMENTS {
                true => Some(Duration::ZERO),
                false => self.delay(&failure, failures, counted),
            };
            tokens += u32::from(rejected);
            if is_sent {
                self.observe(started, Err(&failure.error), delay);
            }
            match delay {
                Some(Duration::ZERO) => {}
                Some(delay) => channel.clock().sleep(delay).await,
                None => return self.settle(failure, body_mode, prerequisites).await,
            }
            if let ReplayStrategy::Transition { id, .. } = self.replay()
                && let Some(sent) = self.first_ambiguous_attempt
                && self.is_ambiguous
            {
                match prerequisites.find_transition(&self.context, id, sent).await {
                    Some(Transition::Executed(reply)) => return Ok(Outcome::Complete(reply)),
                    Some(Transition::NotExecuted) => {}
                    Some(Transition::Superseded) | None => {
                        return Err(self.finish_error(false, failure.error));
                    }
                }
            }
        }
    }

    /// Prepares the request of the next attempt: runs the interceptors, and adds and returns the CSRF token.
    async fn prepare(
        &self,
        body_mode: BodyMode,
        prerequisites: &impl Prerequisites,
    ) -> Result<(reqwest::Request, Option<HeaderValue>)> {
        let context = &self.context;
        let mut request = context.call.request().for_attempt();
        context.channel.identify(&mut request);
        for interceptor in context.channel.interceptors() {
            let intercepted = interceptor.intercept(&mut request).map_err(|error| {
                let refused = ErrorKind::InvalidRequest;
                let refused = context.call.error(refused, "an interceptor failed");
                refused.with_source(error)
            });
            context.within_deadline(intercepted).await?;
        }
        let token = prerequisites.before_attempt(context, &mut request);
        let token = context.within_deadline(token).await?;
        if context.time_left() == Some(Duration::ZERO) {
            return Err(context.deadline_passed());
        }
        context.channel.add_headers(&mut request);
        // The connections have the timeout of the configuration; an interceptor must not set another.
        let timeout = context.timeout();
        let is_other = timeout != context.channel.config().timeout || request.timeout().is_some();
        if body_mode == BodyMode::Complete && is_other {
            *request.timeout_mut() = Some(timeout);
        }
        Ok((request, token))
    }

    /// Sends the request once, and reads the whole reply unless it is streamed.
    async fn attempt(
        &self,
        request: reqwest::Request,
        body_mode: BodyMode,
    ) -> Result<Outcome, Failure> {
        let CallContext { channel, call, .. } = &self.context;
        let (connections, config) = (channel.connections(), channel.config());
        let http = match body_mode {
            BodyMode::Complete => connections.for_replies(config),
            BodyMode::Stream => connections.for_streams(config),
        };
        let response = http.map_err(Failure::before)?.execute(request);
        let (response, first) = match body_mode {
            BodyMode::Complete => (response.await, Ok(None)),
            // A stream has no timeout as a whole.
            BodyMode::Stream => {
                let begun = async {
                    let mut response = response.await;
                    let first = match &mut response {
                        Ok(response) if response.status().is_success() => response.chunk().await,
                        _ => Ok(None),
                    };
                    (response, first)
                };
                match tokio::time::timeout(self.context.timeout(), begun).await {
                    Ok(begun) => begun,
                    Err(_) => return Err(self.timed_out()),
                }
            }
        };
        let mut response = match response {
            Ok(response) => response,
            Err(error) => return Err(Failure::unanswered(channel, call, error).await),
        };
        channel.set_reached();
        connections.answered(&response);
        let status = response.status();
        if status.is_success() && body_mode == BodyMode::Stream {
            let first = first.map_err(|error| Failure::incomplete(call.unanswered(error)))?;
            return Ok(Outcome::Stream(BegunStream { response, first }));
        }
        let headers = std::mem::take(response.headers_mut());
        if status.is_redirection() {
            return Err(Failure::refused(call.redirected(status, headers), status));
        }
        let most = match status.is_success() {
            true => usize::MAX,
            false => MAX_ERROR_BYTES,
        };
        let body = raw_reply::read(&mut response, most);
        let body = match body_mode {
            BodyMode::Complete => body.await,
            BodyMode::Stream => match tokio::time::timeout(self.context.timeout(), body).await {
                Ok(body) => body,
                Err(_) => return Err(self.timed_out()),
            },
        };
        let body = body.map_err(|error| Failure::incomplete(call.unanswered(error)))?;
        if !status.is_success() {
            let error = call.refused(status, headers, body);
            return Err(Failure::refused(error, status));
        }
        let reply = RawReply {
            status,
            headers,
            body,
        };
        let is_replayed_transition = self.first_ambiguous_attempt.is_some()
            && matches!(self.replay(), ReplayStrategy::Transition { .. });
        let accepted = is_replayed_transition
            .then(|| replay::as_accepted(&reply))
            .flatten();
        Ok(Outcome::Complete(accepted.unwrap_or(reply)))
    }

    /// The failure of a stream that has not begun in time.
    fn timed_out(&self) -> Failure {
        let what = "the server did not answer in time";
        Failure::incomplete(self.context.call.error(ErrorKind::Timeout, what))
    }

    /// The time until the next attempt, if another attempt is allowed.
    fn delay(&self, failure: &Failure, failures: u32, counted: u32) -> Option<Duration> {
        let channel = self.context.channel;
        let policy = channel.retry();
        let safe = failure.effect != Effect::Ambiguous || self.replay().is_allowed_after(failure);
        let may_pass = failure.may_pass(policy, channel.was_reached());
        let allowed = match failure.maintenance {
            true => policy.allows_maintenance(),
            false => policy.allows(counted),
        };
        if !safe || !may_pass || !allowed {
            return None;
        }
        let delay = policy
            .backoff()
            .delay(failures, failure.error.retry_after());
        let delay = match failure.maintenance {
            true => delay.max(MIN_MAINTENANCE_PAUSE),
            false => delay,
        };
        let left = self.context.time_left();
        left.is_none_or(|left| delay < left).then_some(delay)
    }

    /// Ends a call whose last attempt failed. It is a success if an earlier attempt was executed, as far
    /// as this can be found out.
    async fn settle(
        &mut self,
        failure: Failure,
        body_mode: BodyMode,
        prerequisites: &impl Prerequisites,
    ) -> Result<Outcome> {
        let status = failure.error.status();
        if let Some(since) = self.first_ambiguous_attempt
            && body_mode == BodyMode::Complete
        {
            match self.replay() {
                // A gateway's 404 says nothing about the object.
                ReplayStrategy::NotFoundMeansDone
                    if status == Some(StatusCode::NOT_FOUND) && failure.error.is_about_object() =>
                {
                    return Ok(Outcome::Complete(RawReply {
                        status: StatusCode::NO_CONTENT,
                        headers: failure.error.headers().clone(),
                        body: "null".into(),
                    }));
                }
                ReplayStrategy::ByName { url, read_by } if status == Some(StatusCode::CONFLICT) => {
                    let found = prerequisites.read(&self.context, url.clone(), *read_by, since);
                    match found.await {
                        Some((found, ago)) => {
                            if execution_evidence::was_created_by(
                                self.call().request(),
                                &found,
                                ago,
                            ) {
                                return Ok(Outcome::Complete(found));
                            }
                        }
                        // The object may be this call's, but could not be read.
                        None => self.is_ambiguous = true,
                    }
                }
                _ => {}
            }
        }
        let again = failure.is_worth_another_call(self.context.channel.retry());
        Err(self.finish_error(again, failure.error))
    }

    /// Completes the error of this call with its attempts and outcome.
    fn finish_error(&self, again: bool, mut error: Error) -> Error {
        let call = self.call();
        let is_ambiguous = self.is_ambiguous && call.changes_state();
        error.set_attempts(call.attempts);
        error.with_outcome(
            is_ambiguous,
            again && (!is_ambiguous || self.replay().holds_for_another_call(self.may_still_run)),
        )
    }

    /// Reports an attempt to the log and to the user's observers.
    fn observe(
        &self,
        started: Instant,
        outcome: Result<StatusCode, &Error>,
        retry_in: Option<Duration>,
    ) {
        let observers = self.context.channel.observers();
        if observers.is_empty() && outcome.is_ok() && !trace::is_enabled() {
            return;
        }
        let now = self.context.channel.clock().now();
        let attempt = Attempt {
            call: self.call(),
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
