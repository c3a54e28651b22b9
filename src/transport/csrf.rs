//! Tokens against cross-site request forgery, which a server may want on all that is not a GET.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Request, StatusCode};
use uuid::Uuid;

use super::exchange::Exchange;
use super::flight::SingleFlight;
use super::operation::Operation;
use crate::error::{Error, ErrorKind, Result};
use crate::types::CsrfToken;

const TOKEN: HeaderName = HeaderName::from_static("prefect-csrf-token");
const CLIENT: HeaderName = HeaderName::from_static("prefect-csrf-client");

const CREATE_CSRF_TOKEN: Operation = Operation("create_csrf_token", "/csrf-token");

/// A token is replaced a little before the server drops it.
const MARGIN: Duration = Duration::from_secs(5);

/// The token of a client, fetched when it is first needed, by one task at a time.
pub(super) struct Csrf {
    /// Cloud needs none, and the user may want none.
    enabled: bool,
    /// Until the server says that it needs none.
    wanted: AtomicBool,
    client: Uuid,
    fetched: SingleFlight<Fetched>,
}

/// What came of the last fetch.
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
    pub fn new(enabled: bool) -> Self {
        Self {
            enabled,
            wanted: AtomicBool::new(enabled),
            client: Uuid::new_v4(),
            fetched: SingleFlight::default(),
        }
    }

    /// Adds the headers that a request needs, and returns the token among them.
    pub async fn add(
        &self,
        exchange: &Exchange<'_>,
        request: &mut Request,
    ) -> Result<Option<HeaderValue>> {
        if !self.wanted.load(Ordering::Relaxed) || *request.method() == Method::GET {
            return Ok(None);
        }
        let value = self.token(exchange).await.map_err(|error| {
            let error = error.on_behalf_of(exchange.call());
            error.explained("a CSRF token cannot be had")
        })?;
        if let Some(value) = &value {
            let client = HeaderValue::try_from(self.client.to_string()).expect("ASCII");
            request.headers_mut().insert(TOKEN, value.clone());
            request.headers_mut().insert(CLIENT, client);
        }
        Ok(value)
    }

    async fn token(&self, exchange: &Exchange<'_>) -> Result<Option<HeaderValue>> {
        // Who comes second waits for the first one's token, or failure: a server that hangs would
        // else hold up each after the other. A fetch that is cancelled leaves neither.
        let (mut fetched, has_failed) = self.fetched.join().await;
        let now = exchange.transport().clock().now();
        if let Some(token) = fetched.token.as_ref().filter(|token| token.until > now) {
            return Ok(Some(token.value.clone()));
        }
        if let Some(failure) = fetched.failure.as_ref().filter(|_| has_failed) {
            return Err(failure.copy());
        }
        fetched.token = match self.wanted.load(Ordering::Relaxed) {
            true => self.fetch(exchange).await.inspect_err(|error| {
                fetched.failure = Some(error.copy());
                self.fetched.end();
            })?,
            false => None,
        };
        Ok(fetched.token.as_ref().map(|token| token.value.clone()))
    }

    /// Whether a failure is about the token that was sent, or about none; then the next request gets
    /// a new one.
    pub async fn rejected(
        &self,
        sent: Option<HeaderValue>,
        method: &Method,
        error: &Error,
    ) -> bool {
        // A GET needs none; and the one that fetches a token must not wait for it.
        if !self.enabled || *method == Method::GET {
            return false;
        }
        // A server that wanted none may have been restarted with other settings.
        let about_tokens = error.status() == Some(StatusCode::FORBIDDEN)
            && ["Invalid CSRF token", "Missing CSRF token"]
                .iter()
                .any(|reason| error.message().contains(reason));
        if !about_tokens {
            return false;
        }
        let (mut fetched, _) = self.fetched.join().await;
        // Another task may have replaced it already.
        if fetched.token.as_ref().map(|token| &token.value) == sent.as_ref() {
            fetched.token = None;
        }
        self.wanted.store(true, Ordering::Relaxed);
        true
    }

    async fn fetch(&self, asking: &Exchange<'_>) -> Result<Option<Token>> {
        // It is for all, and so are the client's own policy and timeout; whoever has less time gives up.
        let transport = asking.transport().as_configured();
        let url = format!("{}/csrf-token?client={}", transport.api_url(), self.client);
        let request = transport.http().get(url);
        let mut exchange = Exchange::new(&transport, request, CREATE_CSRF_TOKEN)?;
        // This is within an exchange itself.
        let reply = match Box::pin(exchange.reply()).await {
            Ok(reply) => reply,
            Err(error) if says_that_none_is_needed(&error) => {
                tracing::debug!("this server wants no CSRF tokens");
                self.wanted.store(false, Ordering::Relaxed);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let now = reply.date();
        let token = reply.json::<CsrfToken>(exchange.call())?.into_inner();
        let Ok(mut value) = HeaderValue::try_from(token.token) else {
            let message = "the CSRF token has characters that no header can carry";
            return Err(exchange.call().error(ErrorKind::UnexpectedBody, message));
        };
        value.set_sensitive(true);
        let lifetime = (token.expiration - now).to_std().unwrap_or_default();
        let until = transport.clock().now() + lifetime.saturating_sub(MARGIN);
        Ok(Some(Token { value, until }))
    }
}

/// A server older than the protection has no such route.
fn says_that_none_is_needed(error: &Error) -> bool {
    error.is_unsupported()
        || error.is_not_found()
        || error.is_validation() && error.message().contains("CSRF protection is disabled")
}
