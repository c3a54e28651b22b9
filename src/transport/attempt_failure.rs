//! `Failure`: what a failed attempt means for the request.

use std::error::Error as _;

use reqwest::StatusCode;

use super::call::Call;
use super::channel::Channel;
use crate::error::{Error, ErrorKind};
use crate::retry::RetryPolicy;

/// An attempt that failed.
pub(super) struct Failure {
    pub error: Error,
    pub effect: Effect,
    cause: Cause,
    /// The server is under maintenance and will be back.
    pub maintenance: bool,
}

/// The effect of a failed request on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: the request was not sent, or was refused.
    NotExecuted,
    /// Nothing, as the server reports: its database was locked or unavailable. Earlier transactions of the
    /// request stay executed.
    RolledBack,
    /// It is not known whether the request was executed.
    Ambiguous,
}

#[derive(Clone, Copy, PartialEq)]
enum Cause {
    /// Nothing was sent, and another attempt would fail as well.
    Local,
    /// Nothing listens at this address, or the address does not exist.
    NoConnection,
    /// No reply, or an incomplete one.
    NoReply,
    Status(StatusCode),
}

impl Failure {
    /// A failure before anything was sent.
    pub(super) fn before(error: Error) -> Self {
        Self::new(error, Effect::NotExecuted, Cause::Local)
    }

    /// The request was not sent, because one that must precede it failed.
    pub(super) fn of_prerequisite(error: Error) -> Self {
        let maintenance = error.is_maintenance();
        let cause = match error.status() {
            Some(status) => Cause::Status(status),
            None if is_unreached(&error) => Cause::NoConnection,
            None if error.is_connection() || error.is_timeout() => Cause::NoReply,
            None => Cause::Local,
        };
        Self {
            maintenance,
            ..Self::new(error, Effect::NotExecuted, cause)
        }
    }

    /// An attempt without a reply.
    pub(super) async fn unanswered(channel: &Channel, call: &Call, error: reqwest::Error) -> Self {
        let (effect, cause) = match (error.is_connect(), error.is_timeout()) {
            _ if error.is_redirect() || error.is_builder() => (Effect::NotExecuted, Cause::Local),
            (true, false) => (Effect::NotExecuted, Cause::NoConnection),
            (true, true) => (Effect::NotExecuted, Cause::NoReply),
            (false, _) => (Effect::Ambiguous, Cause::NoReply),
        };
        #[cfg(not(feature = "rustls"))]
        let _ = channel;
        // The first connection may break because TLS is spoken on that port.
        #[cfg(feature = "rustls")]
        if cause == Cause::NoReply && !error.is_timeout() && channel.speaks_tls().await {
            let message =
                "the server speaks TLS on this port: https:// instead of http:// is meant";
            let error = call.error(ErrorKind::Connection, message);
            return Self::new(error, effect, Cause::Local);
        }
        Self::new(call.unanswered(error), effect, cause)
    }

    /// An attempt whose reply was not received in full.
    pub(super) fn incomplete(error: Error) -> Self {
        Self::new(error, Effect::Ambiguous, Cause::NoReply)
    }

    /// A reply that is not a success.
    pub(super) fn refused(error: Error, status: StatusCode) -> Self {
        let maintenance = error.is_maintenance();
        let effect = match status.as_u16() {
            // A gateway also answers 503 when it has lost the server's reply.
            503 if maintenance || error.is_from_prefect() => Effect::RolledBack,
            // 301 to 303 redirect to what is to be read after the request, which may have been executed.
            301..=303 | 408 | 500.. => Effect::Ambiguous,
            _ => Effect::NotExecuted,
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

    /// Whether the cause may be transient. A refused connection may be, if the server was reached before;
    /// otherwise the URL is probably wrong.
    pub(super) fn may_pass(&self, policy: &RetryPolicy, reached_before: bool) -> bool {
        match self.cause {
            Cause::Local => false,
            Cause::NoConnection => reached_before,
            Cause::NoReply => true,
            Cause::Status(status) => policy.repeats(status),
        }
    }

    /// Whether the server may still be executing the request: it did not answer in time, or a gateway
    /// answered for it.
    pub(super) fn may_still_run(&self) -> bool {
        self.effect == Effect::Ambiguous
            && (self.error.is_timeout() || self.error.status().is_some())
    }

    /// Whether a later call may succeed.
    pub(super) fn is_worth_another_call(&self, policy: &RetryPolicy) -> bool {
        match self.error.kind() {
            ErrorKind::Locked => !self.error.is_permanently_locked(),
            _ => self.may_pass(policy, true),
        }
    }
}

/// Whether no connection to the server could be made.
fn is_unreached(error: &Error) -> bool {
    let cause = error.source();
    let cause = cause.and_then(|cause| cause.downcast_ref::<reqwest::Error>());
    error.is_connection() && cause.is_some_and(reqwest::Error::is_connect)
}
