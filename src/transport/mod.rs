//! The choke point: every request is sent, and every reply is read, here.

mod connection;
mod csrf;
mod exchange;
mod failure;
mod flight;
mod hooks;
mod lookup;
mod operation;
mod path;
mod repeat;
mod reply;
mod trace;
mod version;
#[cfg(feature = "websocket")]
mod websocket;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use progenitor_client::{ByteStream, ResponseValue};
use reqwest::RequestBuilder;
use serde::de::DeserializeOwned;
use tracing::{Instrument as _, Span};

pub(crate) use hooks::Observer;
pub use hooks::{Attempt, Intercepted, Interceptor};
pub(crate) use operation::Operation;
pub(crate) use path::segment;
pub(crate) use version::{Fit, PREFECT_VERSION};
#[cfg(feature = "websocket")]
pub(crate) use websocket::Socket;

use crate::config::Config;
use crate::error::{Call, ErrorKind, Result};
use crate::retry::RetryPolicy;
use csrf::Csrf;
use exchange::Exchange;
use reply::Reply;
use version::VersionCheck;

/// After a 5xx a server closes the connection without having said so. Once the closing has arrived,
/// the pool does not use that connection again: before, the next request would be lost on it.
const CLOSING: Duration = Duration::from_millis(20);

/// The span of a call, the call, and what came of it.
type Replying<'a> = Pin<Box<dyn Future<Output = Result<(Span, Call, Result<Reply>)>> + Send + 'a>>;

/// Sends requests. Clones share everything but how long they try.
#[derive(Clone)]
pub(crate) struct Transport {
    shared: Arc<Shared>,
    retry: RetryPolicy,
    timeout: Duration,
}

struct Shared {
    http: reqwest::Client,
    /// Made for the first stream: there, the time is between two parts of the reply.
    streams: OnceLock<reqwest::Client>,
    /// Made for the first socket.
    #[cfg(feature = "websocket")]
    sockets: OnceLock<reqwest::Client>,
    api_url: Arc<str>,
    config: Arc<Config>,
    csrf: Csrf,
    version: VersionCheck,
    reached: AtomicBool,
    closed_at: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport")
            .field("api_url", &self.shared.api_url)
            .finish_non_exhaustive()
    }
}

impl Transport {
    pub fn new(config: Config) -> Result<Self> {
        let checks_version = config.version_check && !config.cloud;
        Self::of(Arc::new(config), checks_version)
    }

    /// The same, with connections and a CSRF token of its own, for another runtime: a connection is
    /// served by the one that opened it. That the server fits is known already.
    pub fn apart(&self) -> Result<Self> {
        let apart = Self::of(Arc::clone(&self.shared.config), false)?;
        apart.set_reached();
        Ok(apart)
    }

    fn of(config: Arc<Config>, checks_version: bool) -> Result<Self> {
        let http = connection::build(connection::builder(&config)?)?;
        Ok(Self {
            retry: config.retry.clone(),
            timeout: config.timeout,
            shared: Arc::new(Shared {
                http,
                streams: OnceLock::new(),
                #[cfg(feature = "websocket")]
                sockets: OnceLock::new(),
                api_url: config.api_url.as_str().trim_end_matches('/').into(),
                csrf: Csrf::new(config.csrf && !config.cloud),
                version: VersionCheck::new(checks_version),
                reached: AtomicBool::new(false),
                closed_at: Mutex::new(None),
                config,
            }),
        })
    }

    pub fn with_retry(&self, retry: RetryPolicy) -> Self {
        Self {
            retry,
            ..self.clone()
        }
    }

    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self {
            timeout,
            ..self.clone()
        }
    }

    /// With the policy and the timeout that the client was built with.
    fn as_configured(&self) -> Self {
        let config = &self.shared.config;
        self.with_retry(config.retry.clone())
            .with_timeout(config.timeout)
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.shared.http
    }

    pub fn api_url(&self) -> &str {
        &self.shared.api_url
    }

    pub fn shared_api_url(&self) -> Arc<str> {
        Arc::clone(&self.shared.api_url)
    }

    pub fn is_cloud(&self) -> bool {
        self.shared.config.cloud
    }

    /// Waits as after so many failures of a call; `false` if that was the last attempt.
    pub async fn wait_after(&self, failures: u32) -> bool {
        let goes_on = self.retry.allows(failures);
        if goes_on {
            let delay = self.retry.delay(failures, None, fastrand::f64());
            self.clock().sleep(delay).await;
        }
        goes_on
    }

    /// Whether it would give the server the CSRF tokens that it wants.
    pub fn sends_csrf_tokens(&self) -> bool {
        self.shared.config.csrf
    }

    /// Sends a request whose reply is JSON.
    pub async fn json<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        operation: Operation,
    ) -> Result<ResponseValue<T>> {
        let (span, call, reply) = self.reply(request, operation).await?;
        let result = reply.and_then(|reply| reply.json(&call));
        trace::end(&span, &call, result)
    }

    /// Sends a request whose reply has no body worth reading.
    pub async fn empty(
        &self,
        request: RequestBuilder,
        operation: Operation,
    ) -> Result<ResponseValue<()>> {
        let (span, call, reply) = self.reply(request, operation).await?;
        let result = reply.and_then(|reply| reply.empty(&call));
        trace::end(&span, &call, result)
    }

    /// What does not depend on the type of the reply, in a box: each of the 187 operations would
    /// else have the whole of it in its future, and in its debug information.
    fn reply(&self, request: RequestBuilder, operation: Operation) -> Replying<'_> {
        Box::pin(async move {
            let mut exchange = Exchange::new(self, request, operation)?;
            let span = trace::span(exchange.call());
            let reply = exchange.reply().instrument(span.clone()).await;
            Ok((span, exchange.into_call(), reply))
        })
    }

    /// Sends a request whose reply is a stream of bytes.
    pub async fn stream(
        &self,
        request: RequestBuilder,
        operation: Operation,
    ) -> Result<ResponseValue<ByteStream>> {
        let mut exchange = Exchange::new(self, request, operation)?;
        let span = trace::span(exchange.call());
        let response = exchange.response().instrument(span.clone()).await;
        let call = exchange.into_call();
        let result = response.and_then(|response| match reply::is_page(response.headers()) {
            true => Err(call.error(ErrorKind::UnexpectedBody, reply::PAGE).replied(
                response.status(),
                response.headers().clone(),
                [],
            )),
            false => Ok(ResponseValue::stream(response)),
        });
        trace::end(&span, &call, result)
    }

    fn streams(&self) -> Result<&reqwest::Client> {
        let shared = &self.shared;
        if let Some(client) = shared.streams.get() {
            return Ok(client);
        }
        let builder = connection::builder(&shared.config)?.read_timeout(shared.config.timeout);
        let client = connection::build(builder)?;
        Ok(shared.streams.get_or_init(|| client))
    }

    pub fn retry(&self) -> &RetryPolicy {
        &self.retry
    }

    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    pub fn clock(&self) -> &dyn crate::clock::Clock {
        &*self.shared.config.clock
    }

    fn csrf(&self) -> &Csrf {
        &self.shared.csrf
    }

    fn version(&self) -> &VersionCheck {
        &self.shared.version
    }

    fn interceptors(&self) -> &[Arc<dyn Interceptor>] {
        &self.shared.config.interceptors
    }

    fn observers(&self) -> &[Observer] {
        &self.shared.config.observers
    }

    /// Whether this client has ever had a reply.
    pub fn was_reached(&self) -> bool {
        self.shared.reached.load(Ordering::Relaxed)
    }

    fn set_reached(&self) {
        self.shared.reached.store(true, Ordering::Relaxed);
    }

    fn expect_closing(&self) {
        *self.closed_at() = Some(Instant::now());
    }

    /// Waits until what the server has closed is known to be closed. This is about sockets, and so
    /// about real time.
    async fn quiet(&self) {
        let closed_at = *self.closed_at();
        let Some(closed_at) = closed_at else { return };
        let rest = CLOSING.saturating_sub(closed_at.elapsed());
        match rest.is_zero() {
            true => *self.closed_at() = None,
            false => tokio::time::sleep(rest).await,
        }
    }

    fn closed_at(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        let closed_at = self.shared.closed_at.lock();
        closed_at.unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
