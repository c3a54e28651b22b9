//! `ServerPrerequisites`: what a call to a Prefect server needs besides its own request: a compatible
//! version, a CSRF token and, after a lost reply, a check of whether the call was executed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::HeaderValue;
use reqwest::{Method, Request, Url};

use super::call_context::CallContext;
use super::csrf::Csrf;
use super::execution_evidence::Transition;
use super::operation::Operation;
use super::prerequisites::Prerequisites;
use super::raw_reply::RawReply;
use super::reconcile;
use super::version_check::VersionCheck;
use crate::error::{Error, Result};

/// The prerequisites of the calls of a client.
pub(super) struct ServerPrerequisites {
    csrf: Csrf,
    version: Arc<VersionCheck>,
}

impl ServerPrerequisites {
    pub(super) fn new(csrf: bool, version: bool) -> Self {
        Self {
            csrf: Csrf::new(csrf),
            version: Arc::new(VersionCheck::new(version)),
        }
    }

    /// The same prerequisites with a CSRF token of its own; the version is checked once for both.
    pub(super) fn with_own_token(&self, csrf: bool) -> Self {
        Self {
            csrf: Csrf::new(csrf),
            version: Arc::clone(&self.version),
        }
    }
}

impl std::fmt::Debug for ServerPrerequisites {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerPrerequisites")
            .finish_non_exhaustive()
    }
}

impl Prerequisites for ServerPrerequisites {
    async fn before_call(&self, context: &CallContext<'_>) -> Result<()> {
        self.version.check(context).await
    }

    async fn before_attempt(
        &self,
        context: &CallContext<'_>,
        request: &mut Request,
    ) -> Result<Option<HeaderValue>> {
        self.csrf.add(context, request).await
    }

    fn is_token_rejected(
        &self,
        token: Option<&HeaderValue>,
        method: &Method,
        error: &Error,
    ) -> bool {
        self.csrf.is_rejected(token, method, error)
    }

    async fn find_transition(
        &self,
        context: &CallContext<'_>,
        id: &str,
        since: Instant,
    ) -> Option<Transition> {
        reconcile::find_transition(context, id, since).await
    }

    async fn read(
        &self,
        context: &CallContext<'_>,
        url: Url,
        operation: Operation,
        since: Instant,
    ) -> Option<(RawReply, Duration)> {
        reconcile::read(context, url, operation, since).await
    }
}
