//! CSRF tokens, which a server may require of all requests but GETs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Request, StatusCode};
use uuid::Uuid;

use super::call_context::CallContext;
use super::channel::Channel;
use super::operation::Operation;
use super::prerequisites::NoPrerequisites;
use super::retry_loop::RetryLoop;
use crate::error::{Error, ErrorKind, Result};
use crate::retry::RetryPolicy;
use crate::runtime::SingleFlight;
use crate::types::CsrfToken;

const TOKEN: HeaderName = HeaderName::from_static("prefect-csrf-token");
const CLIENT: HeaderName = HeaderName::from_static("prefect-csrf-client");

const CREATE_CSRF_TOKEN: Operation = Operation("create_csrf_token", "/csrf-token");

/// How long before its expiry a token is replaced.
const EXPIRY_MARGIN: Duration = Duration::from_secs(5);

/// The CSRF token of a client, which is fetched when it is first needed, once for all calls that wait for it.
pub(super) struct Csrf {
    /// False for Prefect Cloud, which requires no tokens, and where the user has disabled them.
    enabled: bool,
    client_id: Uuid,
    /// The same as a header.
    client: HeaderValue,
    state: Arc<State>,
    fetches: SingleFlight<Result<Option<HeaderValue>, Arc<Error>>>,
}

struct State {
    /// Cleared when the server reports that it requires no tokens.
    required: AtomicBool,
    token: Mutex<Option<Token>>,
}

struct Token {
    value: HeaderValue,
    until: Instant,
}

impl State {
    fn token(&self) -> MutexGuard<'_, Option<Token>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Csrf {
    pub(super) fn new(enabled: bool) -> Self {
        let client_id = Uuid::new_v4();
        Self {
            enabled,
            client_id,
            client: HeaderValue::try_from(client_id.to_string()).expect("ASCII"),
            state: Arc::new(State {
                required: AtomicBool::new(enabled),
                token: Mutex::default(),
            }),
            fetches: SingleFlight::default(),
        }
    }

    /// Adds the headers that a request needs, and returns the token among them.
    pub(super) async fn add(
        &self,
        context: &CallContext<'_>,
        request: &mut Request,
    ) -> Result<Option<HeaderValue>> {
        if !self.state.required.load(Ordering::Relaxed) || *request.method() == Method::GET {
            return Ok(None);
        }
        let value = self.token(context).await.map_err(|error| {
            let error = context.call.describe(error);
            error.context("no CSRF token can be fetched")
        })?;
        if let Some(value) = &value {
            request.headers_mut().insert(TOKEN, value.clone());
            request.headers_mut().insert(CLIENT, self.client.clone());
        }
        Ok(value)
    }

    async fn token(&self, context: &CallContext<'_>) -> Result<Option<HeaderValue>> {
        let now = context.channel.clock().now();
        if let Some(token) = self
            .state
            .token()
            .as_ref()
            .filter(|token| token.until > now)
        {
            return Ok(Some(token.value.clone()));
        }
        // The token is for all calls, and so it is requested once for all that wait, with the client's own timeout. Each
        // call retries by its own policy, as if its own request had failed.
        let fetch = || {
            let channel = context.channel.as_configured();
            let channel = channel.with_retry(RetryPolicy::none());
            let state = Arc::clone(&self.state);
            let client_id = self.client_id;
            async move { fetch(&channel, client_id, &state).await.map_err(Arc::new) }.boxed()
        };
        match self.fetches.run(fetch).await {
            Some(Ok(token)) => Ok(token),
            Some(Err(error)) => Err(error.copy()),
            None => Err(Error::invalid_request("a hook panicked")),
        }
    }

    /// Whether a request failed because its CSRF token is invalid or missing; if so, the next request gets a
    /// new one.
    pub(super) fn is_rejected(
        &self,
        sent: Option<&HeaderValue>,
        method: &Method,
        error: &Error,
    ) -> bool {
        // A server that required no tokens may have been restarted with other settings.
        let about_tokens = error.status() == Some(StatusCode::FORBIDDEN)
            && ["Invalid CSRF token", "Missing CSRF token"]
                .iter()
                .any(|reason| error.message().contains(reason));
        if !self.enabled || *method == Method::GET || !about_tokens {
            return false;
        }
        let mut token = self.state.token();
        // Another call may have replaced the token already.
        if token.as_ref().map(|token| &token.value) == sent {
            *token = None;
        }
        self.state.required.store(true, Ordering::Relaxed);
        true
    }
}

/// Fetches a token and keeps it.
async fn fetch(channel: &Channel, client_id: Uuid, state: &State) -> Result<Option<HeaderValue>> {
    let requests = channel.requests();
    let request = requests.get(format!("{}/csrf-token", requests.base_path()));
    let request = request.query(&[("client", client_id)]);
    let call = RetryLoop::new(channel, request, CREATE_CSRF_TOKEN)?;
    let (call, reply) = call.reply(&NoPrerequisites).await;
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) if requires_no_tokens(&error) => {
            tracing::debug!("this server requires no CSRF tokens");
            state.required.store(false, Ordering::Relaxed);
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let now = reply.date();
    let token = reply.json::<CsrfToken>(&call)?.into_inner();
    let Ok(mut value) = HeaderValue::try_from(token.token) else {
        let message = "the CSRF token has characters that headers do not allow";
        return Err(call.error(ErrorKind::UnexpectedBody, message));
    };
    value.set_sensitive(true);
    let lifetime = (token.expiration - now).to_std().unwrap_or_default();
    let until = channel.clock().now() + lifetime.saturating_sub(EXPIRY_MARGIN);
    *state.token() = Some(Token {
        value: value.clone(),
        until,
    });
    Ok(Some(value))
}

/// Whether the server requires no tokens. A server older than CSRF protection does not have the route.
fn requires_no_tokens(error: &Error) -> bool {
    error.is_unsupported()
        || error.is_not_found()
        || error.is_validation() && error.message().contains("CSRF protection is disabled")
}
