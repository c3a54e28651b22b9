//! What a failed attempt says about the request.

use reqwest::StatusCode;

use crate::error::{Call, Error, ErrorKind};
use crate::retry::RetryPolicy;

/// An attempt that failed.
pub(super) struct Failure {
    pub error: Error,
    pub effect: Effect,
    cause: Cause,
    /// The server is under maintenance, and will be back.
    pub maintenance: bool,
}

/// What the server made of a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: it was not sent, or was refused.
    None,
    /// Nothing, by the server's own word: its database was locked, or lost. What it did in a
    /// transaction before, it has done.
    Refused,
    /// Nobody knows.
    Unknown,
}

#[derive(Clone, Copy, PartialEq)]
enum Cause {
    /// Nothing was sent, and trying again would not help.
    Ours,
    /// There is nobody at this address, or there is none.
    NoConnection,
    /// No reply, or a part of one.
    NoReply,
    Status(StatusCode),
}

impl Failure {
    /// Before anything was sent.
    pub fn before(error: Error) -> Self {
        Self::new(error, Effect::None, Cause::Ours)
    }

    /// No reply.
    pub fn unanswered(call: &Call, error: reqwest::Error) -> Self {
        let (effect, cause) = match (error.is_connect(), error.is_timeout()) {
            _ if error.is_redirect() || error.is_builder() => (Effect::None, Cause::Ours),
            (true, false) => (Effect::None, Cause::NoConnection),
            (true, true) => (Effect::None, Cause::NoReply),
            (false, _) => (Effect::Unknown, Cause::NoReply),
        };
        Self::new(call.failed(error), effect, cause)
    }

    /// A part of a reply.
    pub fn broken(error: Error) -> Self {
        Self::new(error, Effect::Unknown, Cause::NoReply)
    }

    /// A reply that is no success.
    pub fn refused(error: Error, status: StatusCode) -> Self {
        let maintenance = error.is_maintenance();
        let effect = match status.as_u16() {
            // Another's 503 may be that of a gateway which lost the reply.
            503 if maintenance || error.is_the_servers_own() => Effect::Refused,
            408 | 500.. => Effect::Unknown,
            _ => Effect::None,
        };
        Self {
            maintenance,
            ..Self::new(error, effect, Cause::Status(status))
        }
    }

    fn new(error: Error, effect: Effect, cause: Cause) -> Self {
        Self {
            error,
            effect,
            cause,
            maintenance: false,
        }
    }

    /// Whether it may pass by itself. A connection that is refused does if there was one before; else
    /// the URL is likely to be wrong.
    pub fn may_pass(&self, policy: &RetryPolicy, reached_before: bool) -> bool {
        match self.cause {
            Cause::Ours => false,
            Cause::NoConnection => reached_before,
            Cause::NoReply => true,
            Cause::Status(status) => policy.repeats(status),
        }
    }

    /// Whether the server may still be at work on the request: it did not answer in time, or a gateway
    /// has answered for it.
    pub fn may_still_be_done(&self) -> bool {
        self.effect == Effect::Unknown && (self.error.is_timeout() || self.error.status().is_some())
    }

    /// Whether the same call, made later, may succeed.
    pub fn is_worth_another_call(&self, policy: &RetryPolicy) -> bool {
        match self.error.kind() {
            ErrorKind::Locked => !self.error.is_permanently_locked(),
            _ => self.may_pass(policy, true),
        }
    }
}
