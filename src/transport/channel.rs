//! `Channel`: the connections of a client, its settings, and what is known of the server.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::config::Config;
use super::hooks::{Interceptor, Observer};
use super::http_client;
use crate::error::Result;
use crate::retry::RetryPolicy;
use crate::runtime::Clock;

/// How long the client may take to notice that a connection was closed. After a 5xx the server closes the
/// connection without a `Connection: close`; until that is noticed, the pool would use the connection for
/// the next request, which would be lost.
const CLOSING_DELAY: Duration = Duration::from_millis(20);

/// The connections that requests are sent over. Clones share everything but the retry policy and timeout.
#[derive(Clone)]
pub(crate) struct Channel {
    shared: Arc<Shared>,
    retry: RetryPolicy,
    timeout: Duration,
}

struct Shared {
    http: reqwest::Client,
    /// The HTTP client for streams, whose timeout applies between two parts of a reply; built on first use.
    streams: OnceLock<reqwest::Client>,
    /// The HTTP client for WebSockets; built on first use.
    #[cfg(feature = "websocket")]
    sockets: OnceLock<reqwest::Client>,
    api_url: Arc<str>,
    config: Arc<Config>,
    reached: AtomicBool,
    closed_at: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel")
            .field("api_url", &self.shared.api_url)
            .finish_non_exhaustive()
    }
}

impl Channel {
    pub(crate) fn new(config: Arc<Config>) -> Result<Self> {
        let http = http_client::build(http_client::builder(&config)?)?;
        Ok(Self {
            retry: config.retry.clone(),
            timeout: config.timeout,
            shared: Arc::new(Shared {
                http,
                streams: OnceLock::new(),
                #[cfg(feature = "websocket")]
                sockets: OnceLock::new(),
                api_url: config.api_url.as_str().trim_end_matches('/').into(),
                reached: AtomicBool::new(false),
                closed_at: Mutex::new(None),
                config,
            }),
        })
    }

    /// Returns a channel with the same settings and its own connections.
    pub(crate) fn with_own_connections(&self) -> Result<Self> {
        let channel = Self::new(Arc::clone(&self.shared.config))?;
        channel.set_reached();
        Ok(channel)
    }

    pub(crate) fn with_retry(&self, retry: RetryPolicy) -> Self {
        Self {
            retry,
            ..self.clone()
        }
    }

    pub(crate) fn with_timeout(&self, timeout: Duration) -> Self {
        Self {
            timeout,
            ..self.clone()
        }
    }

    /// Returns this channel with the retry policy and the timeout that the client was built with.
    pub(crate) fn as_configured(&self) -> Self {
        let config = &self.shared.config;
        self.with_retry(config.retry.clone())
            .with_timeout(config.timeout)
    }

    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.shared.http
    }

    /// The HTTP client for streams.
    pub(crate) fn streams(&self) -> Result<&reqwest::Client> {
        let shared = &self.shared;
        if let Some(client) = shared.streams.get() {
            return Ok(client);
        }
        let builder = http_client::builder(&shared.config)?.read_timeout(shared.config.timeout);
        let client = http_client::build(builder)?;
        Ok(shared.streams.get_or_init(|| client))
    }

    /// The HTTP client for WebSockets: they are upgraded from HTTP/1.1, and have no timeout of their own.
    #[cfg(feature = "websocket")]
    pub(crate) fn sockets(&self) -> Result<&reqwest::Client> {
        let shared = &self.shared;
        if let Some(client) = shared.sockets.get() {
            return Ok(client);
        }
        let builder = http_client::builder(&shared.config)?.http1_only();
        let client = http_client::build(builder)?;
        Ok(shared.sockets.get_or_init(|| client))
    }

    /// The URL of the API, without a slash at its end.
    pub(crate) fn api_url(&self) -> &str {
        &self.shared.api_url
    }

    pub(crate) fn shared_api_url(&self) -> Arc<str> {
        Arc::clone(&self.shared.api_url)
    }

    pub(crate) fn is_cloud(&self) -> bool {
        self.shared.config.cloud
    }

    /// Whether this client sends CSRF tokens to a server that requires them.
    pub(crate) fn sends_csrf_tokens(&self) -> bool {
        self.shared.config.csrf
    }

    pub(crate) fn retry(&self) -> &RetryPolicy {
        &self.retry
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.shared.config.clock
    }

    pub(crate) fn interceptors(&self) -> &[Arc<dyn Interceptor>] {
        &self.shared.config.interceptors
    }

    pub(crate) fn observers(&self) -> &[Observer] {
        &self.shared.config.observers
    }

    /// Waits for the back-off after this many failures of a call; returns `false` if no attempt is left.
    pub(crate) async fn wait_after(&self, failures: u32) -> bool {
        let goes_on = self.retry.allows(failures);
        if goes_on {
            let delay = self.retry.backoff().delay(failures, None);
            self.clock().sleep(delay).await;
        }
        goes_on
    }

    /// Whether this client has ever received a reply.
    pub(crate) fn was_reached(&self) -> bool {
        self.shared.reached.load(Ordering::Relaxed)
    }

    pub(crate) fn set_reached(&self) {
        self.shared.reached.store(true, Ordering::Relaxed);
    }

    /// Records that the server is about to close a connection.
    pub(crate) fn expect_closing(&self) {
        *self.closed_at() = Some(Instant::now());
    }

    /// Waits until the pool has noticed the connections that the server closed. It waits in real time,
    /// because it waits for sockets.
    pub(crate) async fn wait_for_closing_connections(&self) {
        let closed_at = *self.closed_at();
        let Some(closed_at) = closed_at else { return };
        let rest = CLOSING_DELAY.saturating_sub(closed_at.elapsed());
        match rest.is_zero() {
            true => *self.closed_at() = None,
            false => tokio::time::sleep(rest).await,
        }
    }

    fn closed_at(&self) -> MutexGuard<'_, Option<Instant>> {
        let closed_at = self.shared.closed_at.lock();
        closed_at.unwrap_or_else(PoisonError::into_inner)
    }
}
