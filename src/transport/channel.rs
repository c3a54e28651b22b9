//! `Channel`: the connections of a client, its settings, and what is known of the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Request;
use reqwest::header::{HeaderMap, HeaderValue, USER_AGENT};

use super::config::Config;
use super::connections::{Connections, HttpClients};
use super::hooks::{Interceptor, Observer};
use super::http_client;
use super::request::RequestFactory;
#[cfg(feature = "rustls")]
use super::route::Proxy;
use crate::error::Result;
use crate::retry::RetryPolicy;
use crate::runtime::Clock;

/// The connections that requests are sent over. Clones share everything but the retry policy and timeout.
#[derive(Clone)]
pub(crate) struct Channel {
    shared: Arc<Shared>,
    retry: RetryPolicy,
    timeout: Duration,
    /// The `User-Agent`, if it is not the SDK's own.
    user_agent: Option<&'static str>,
}

struct Shared {
    connections: Connections,
    requests: RequestFactory,
    /// The headers of every request.
    headers: HeaderMap,
    api_url: Arc<str>,
    /// Whether the client has ever received a reply; shared with channels that have their own connections.
    reached: Arc<AtomicBool>,
    /// Whether the server speaks TLS on a port for plain HTTP, once this has been found out.
    #[cfg(feature = "rustls")]
    speaks_tls: tokio::sync::OnceCell<bool>,
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
        Self::with_reached(config, Arc::default())
    }

    fn with_reached(config: Arc<Config>, reached: Arc<AtomicBool>) -> Result<Self> {
        let (retry, timeout) = (config.retry.clone(), config.timeout);
        let api_url = config.api_url.as_str().trim_end_matches('/').into();
        let requests = RequestFactory::new(config.api_url.clone());
        let headers = http_client::headers(&config);
        let connections = Connections::new(config)?;
        Ok(Self {
            retry,
            timeout,
            user_agent: None,
            shared: Arc::new(Shared {
                connections,
                requests,
                headers,
                api_url,
                reached,
                #[cfg(feature = "rustls")]
                speaks_tls: tokio::sync::OnceCell::new(),
            }),
        })
    }

    /// Returns a channel with the same settings and its own connections.
    pub(crate) fn with_own_connections(&self) -> Result<Self> {
        let config = Arc::clone(self.shared.connections.config());
        Self::with_reached(config, Arc::clone(&self.shared.reached))
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

    #[cfg(feature = "flows")]
    pub(crate) fn with_user_agent(&self, user_agent: &'static str) -> Self {
        Self {
            user_agent: Some(user_agent),
            ..self.clone()
        }
    }

    /// Sets the `User-Agent` of a request, if it is not the SDK's own.
    pub(super) fn identify(&self, request: &mut Request) {
        if let Some(user_agent) = self.user_agent {
            let user_agent = HeaderValue::from_static(user_agent);
            request.headers_mut().insert(USER_AGENT, user_agent);
        }
    }

    /// Adds the client's headers to a request, whose own override them.
    pub(super) fn add_headers(&self, request: &mut Request) {
        let headers = self.shared.headers.clone();
        let own = std::mem::replace(request.headers_mut(), headers);
        request.headers_mut().extend(own);
    }

    /// An HTTP client of the current runtime and the client's headers, for requests that are passed on as they came.
    #[cfg(feature = "testing")]
    pub(crate) fn http_client(&self) -> Result<(reqwest::Client, HeaderMap)> {
        let connections = self.connections();
        let client = connections.for_replies(self.config())?.clone();
        Ok((client, self.shared.headers.clone()))
    }

    /// Returns this channel with the retry policy and the timeout that the client was built with.
    pub(crate) fn as_configured(&self) -> Self {
        let config = self.config();
        self.with_retry(config.retry.clone())
            .with_timeout(config.timeout)
    }

    pub(crate) fn config(&self) -> &Config {
        self.shared.connections.config()
    }

    /// What requests to the API begin with.
    pub(crate) fn requests(&self) -> &RequestFactory {
        &self.shared.requests
    }

    /// The HTTP clients of the current runtime.
    pub(super) fn connections(&self) -> Arc<HttpClients> {
        self.shared.connections.here()
    }

    /// The URL of the API, without a slash at its end.
    pub(crate) fn api_url(&self) -> &str {
        &self.shared.api_url
    }

    pub(crate) fn is_cloud(&self) -> bool {
        self.config().cloud
    }

    /// Whether this client sends CSRF tokens to a server that requires them.
    pub(crate) fn sends_csrf_tokens(&self) -> bool {
        self.config().csrf
    }

    pub(crate) fn retry(&self) -> &RetryPolicy {
        &self.retry
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.config().clock
    }

    pub(crate) fn interceptors(&self) -> &[Arc<dyn Interceptor>] {
        &self.config().interceptors
    }

    pub(crate) fn observers(&self) -> &[Observer] {
        &self.config().observers
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

    /// Whether the server, which has never replied, speaks TLS on a port for plain HTTP. It is asked once.
    #[cfg(feature = "rustls")]
    pub(super) async fn speaks_tls(&self) -> bool {
        let url = &self.config().api_url;
        let probe = || super::tls_probe::speaks_tls(url);
        let is_direct = !matches!(self.config().route.proxy, Proxy::Url { .. });
        is_direct && !self.was_reached() && *self.shared.speaks_tls.get_or_init(probe).await
    }

    /// Whether this client has ever received a reply.
    pub(crate) fn was_reached(&self) -> bool {
        self.shared.reached.load(Ordering::Relaxed)
    }

    pub(crate) fn set_reached(&self) {
        self.shared.reached.store(true, Ordering::Relaxed);
    }
}
