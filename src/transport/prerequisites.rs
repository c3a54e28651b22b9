//! `Prerequisites`: the work before and after the attempts of a call.

use std::future::Future;
use std::time::{Duration, Instant};

use reqwest::header::HeaderValue;
use reqwest::{Method, Request, Url};

use super::call_context::CallContext;
use super::execution_evidence::Transition;
use super::operation::Operation;
use super::raw_reply::RawReply;
use crate::error::{Error, Result};

/// The work before and after the attempts of a call. Requests that the SDK sends on behalf of a call have
/// [none](NoPrerequisites), so that they cause no further requests.
pub(super) trait Prerequisites: Sync {
    /// Checks the server before the first attempt.
    fn before_call(&self, context: &CallContext<'_>) -> impl Future<Output = Result<()>> + Send;

    /// Adds the headers that the server requires, and returns the CSRF token among them.
    fn before_attempt(
        &self,
        context: &CallContext<'_>,
        request: &mut Request,
    ) -> impl Future<Output = Result<Option<HeaderValue>>> + Send;

    /// Whether an attempt failed because of its CSRF token; if so, the next attempt uses another.
    fn is_token_rejected(
        &self,
        token: Option<&HeaderValue>,
        method: &Method,
        error: &Error,
    ) -> bool;

    /// Finds out whether a transition of a flow run, which was first sent at `since`, was executed;
    /// `None` if this cannot be found out.
    fn find_transition(
        &self,
        context: &CallContext<'_>,
        id: &str,
        since: Instant,
    ) -> impl Future<Output = Option<Transition>> + Send;

    /// Reads an object on behalf of the call, and returns it with the time that has passed since `since`.
    fn read(
        &self,
        context: &CallContext<'_>,
        url: Url,
        operation: Operation,
        since: Instant,
    ) -> impl Future<Output = Option<(RawReply, Duration)>> + Send;
}

/// For requests that are sent on behalf of a call: GETs, which need no CSRF token and are never ambiguous.
pub(super) struct NoPrerequisites;

impl Prerequisites for NoPrerequisites {
    async fn before_call(&self, _: &CallContext<'_>) -> Result<()> {
        Ok(())
    }

    async fn before_attempt(
        &self,
        _: &CallContext<'_>,
        _: &mut Request,
    ) -> Result<Option<HeaderValue>> {
        Ok(None)
    }

    fn is_token_rejected(&self, _: Option<&HeaderValue>, _: &Method, _: &Error) -> bool {
        false
    }

    async fn find_transition(
        &self,
        _: &CallContext<'_>,
        _: &str,
        _: Instant,
    ) -> Option<Transition> {
        None
    }

    async fn read(
        &self,
        _: &CallContext<'_>,
        _: Url,
        _: Operation,
        _: Instant,
    ) -> Option<(RawReply, Duration)> {
        None
    }
}
