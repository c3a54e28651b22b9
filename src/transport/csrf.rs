//! CSRF tokens, which a server may require of all requests but GETs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Request, StatusCode};
use uuid::Uuid;

use super::call_context::CallContext;
use super::operation::Operation;
use super::prerequisites::NoPrerequisites;
use super::retry_loop::RetryLoop;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::SingleFlight;
use crate::types::CsrfToken;

const TOKEN: HeaderName = HeaderName::from_static("prefect-csrf-token");
const CLIENT: HeaderName = HeaderName::from_static("prefect-csrf-client");

const CREATE_CSRF_TOKEN: Operation = Operation("create_csrf_token", "/csrf-token");

/// How long before its expiry a token is replaced.
const EXPIRY_MARGIN: Duration = Duration::from_secs(5);

/// The CSRF token of a client, which one task fetches when it is first needed.
pub(super) struct Csrf {
    /// Whether tokens are used at all: Prefect Cloud requires none, and the user may disable them.
    enabled: bool,
    /// Cleared when the server reports that it requires none.
    required: AtomicBool,
    client_id: Uuid,
    fetched: SingleFlight<Fetched>,
}

/// The result of the last fetch.
#[derive(Default)]
struct Fetched {
    token: Option<Token>,
    failure: Option<Error>,
}

struct Token {
    value: HeaderValue,
    until: Instant,
}

impl Csrf {
    pub(super) fn new(enabled: bool) -> Self {
        Self {
            enabled,
            required: AtomicBool::new(enabled),
            client_id: Uuid::new_v4(),
            fetched: SingleFlight::default(),
        }
    }

    /// Adds the headers that a request needs, and returns the token among them.
    pub(super) async fn add(
        &self,
        context: &CallContext<'_>,
        request: &mut Request,
    ) -> Result<Option<HeaderValue>> {
        if !self.required.load(Ordering::Relaxed) || *request.method() == Method::GET {
            return Ok(None);
        }
        let value = self.token(context).await.map_err(|error| {
            let error = context.call.describe(error);
            error.context("no CSRF token can be fetched")
        })?;
        if let Some(value) = &value {
            let client = HeaderValue::try_from(self.client_id.to_string()).expect("ASCII");
            request.headers_mut().insert(TOKEN, value.clone());
            request.headers_mut().insert(CLIENT, client);
        }
        Ok(value)
    }

    async fn token(&self, context: &CallContext<'_>) -> Result<Option<HeaderValue>> {
        // Later tasks wait for the first one's token or failure: otherwise a server that hangs would delay
        // one after the other. A fetch that is cancelled leaves neither.
        let (mut fetched, has_failed) = self.fetched.join().await;
        let now = context.channel.clock().now();
        if let Some(token) = fetched.token.as_ref().filter(|token| token.until > now) {
            return Ok(Some(token.value.clone()));
        }
        if let Some(failure) = fetched.failure.as_ref().filter(|_| has_failed) {
            return Err(failure.copy());
        }
        fetched.token = match self.required.load(Ordering::Relaxed) {
            true => self.fetch(context).await.inspect_err(|error| {
                fetched.failure = Some(error.copy());
                self.fetched.finish();
            })?,
            false => None,
        };
        Ok(fetched.token.as_ref().map(|token| token.value.clone()))
    }

    /// Whether a request failed because its CSRF token is invalid or missing; if so, the next request gets a
    /// new one.
    pub(super) async fn is_rejected(
        &self,
        sent: Option<HeaderValue>,
        method: &Method,
        error: &Error,
    ) -> bool {
        // A GET needs no token; and the GET that fetches a token must not wait for it.
        if !self.enabled || *method == Method::GET {
            return false;
        }
        // A server that required no tokens may have been restarted with other settings.
        let about_tokens = error.status() == Some(StatusCode::FORBIDDEN)
            && ["Invalid CSRF token", "Missing CSRF token"]
                .iter()
                .any(|reason| error.message().contains(reason));
        if !about_tokens {
            return false;
        }
        let (mut fetched, _) = self.fetched.join().await;
        // Another task may have replaced the token already.
        if fetched.token.as_ref().map(|token| &token.value) == sent.as_ref() {
            fetched.token = None;
        }
        self.required.store(true, Ordering::Relaxed);
        true
    }

    async fn fetch(&self, context: &CallContext<'_>) -> Result<Option<Token>> {
        // The token is for all tasks, and so it is fetched with the client's own policy and timeout; a task
        // that has less time stops waiting for it.
        let channel = context.channel.as_configured();
        let url = format!("{}/csrf-token?client={}", channel.api_url(), self.client_id);
        let request = channel.http().get(url);
        let mut call = RetryLoop::new(&channel, request, CREATE_CSRF_TOKEN)?;
        let reply = match Box::pin(call.reply(&NoPrerequisites)).await {
            Ok(reply) => reply,
            Err(error) if requires_no_tokens(&error) => {
                tracing::debug!("this server requires no CSRF tokens");
                self.required.store(false, Ordering::Relaxed);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let now = reply.date();
        let token = reply.json::<CsrfToken>(call.call())?.into_inner();
        let Ok(mut value) = HeaderValue::try_from(token.token) else {
            let message = "the CSRF token has characters that headers do not allow";
            return Err(call.call().error(ErrorKind::UnexpectedBody, message));
        };
        value.set_sensitive(true);
        let lifetime = (token.expiration - now).to_std().unwrap_or_default();
        let until = channel.clock().now() + lifetime.saturating_sub(EXPIRY_MARGIN);
        Ok(Some(Token { value, until }))
    }
}

/// Whether the server requires no tokens. A server older than CSRF protection does not have the route.
fn requires_no_tokens(error: &Error) -> bool {
    error.is_unsupported()
        || error.is_not_found()
        || error.is_validation() && error.message().contains("CSRF protection is disabled")
}
