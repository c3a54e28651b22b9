//! `ClientBuilder`: what a client can be told.

mod check;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::api_url;
use crate::client::Client;
use crate::clock::{Clock, SystemClock};
use crate::config::Proxy;
use crate::error::Result;
use crate::retry::RetryPolicy;
use crate::transport::{Attempt, Interceptor, Observer};

/// What Prefect's own client waits for a reply.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// Builds a [`Client`].
///
/// It starts with nothing but defaults ([`Client::builder`]), or with what the environment, files
/// and a profile say ([`Settings::client_builder`](crate::Settings::client_builder)); either
/// way, what is set here wins.
///
/// ```
/// use std::time::Duration;
/// use prefect_sdk::Client;
///
/// let client = Client::builder()
///     .api_url("http://127.0.0.1:4200/api")
///     .header("X-Team", "data")
///     .timeout(Duration::from_secs(10))
///     .build()?;
/// assert_eq!(client.api_url(), "http://127.0.0.1:4200/api");
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct ClientBuilder {
    api_url: Option<String>,
    cloud_api_url: Option<String>,
    api_key: Option<String>,
    auth_string: Option<String>,
    headers: Vec<(String, String)>,
    timeout: Duration,
    retry: RetryPolicy,
    proxy: Proxy,
    proxy_url: Option<String>,
    ca_file: Option<PathBuf>,
    skip_verify: bool,
    http2: bool,
    csrf: bool,
    version_check: bool,
    clock: Arc<dyn Clock>,
    interceptors: Vec<Arc<dyn Interceptor>>,
    observers: Vec<Observer>,
    /// Whether the credentials are those of the settings, which one that is set here replaces.
    inherits_credentials: bool,
    /// What there is to say if there is no URL.
    notes: Vec<String>,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            api_url: None,
            cloud_api_url: None,
            api_key: None,
            auth_string: None,
            headers: Vec::new(),
            timeout: TIMEOUT,
            retry: RetryPolicy::default(),
            proxy: Proxy::System,
            proxy_url: None,
            ca_file: None,
            skip_verify: false,
            http2: false,
            csrf: true,
            version_check: true,
            clock: Arc::new(SystemClock),
            interceptors: Vec::new(),
            observers: Vec::new(),
            inherits_credentials: false,
            notes: Vec::new(),
        }
    }
}

impl ClientBuilder {
    /// The URL of the API, with its `/api`: `http://127.0.0.1:4200/api` or
    /// `https://api.prefect.cloud/api/accounts/…/workspaces/…`.
    ///
    /// Credentials of the settings do not follow to another origin than that of the settings' URL.
    pub fn api_url(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        let origin = |url: &str| url::Url::parse(url.trim()).ok().map(|url| url.origin());
        if let Some(before) = &self.api_url
            && origin(before) != origin(&url)
        {
            self.replace_inherited();
        }
        self.api_url = Some(url);
        self
    }

    /// Where Prefect Cloud is: an API at or below this URL needs no CSRF token and no check of its
    /// version. Default: `https://api.prefect.cloud/api`.
    pub fn cloud_api_url(mut self, url: impl Into<String>) -> Self {
        self.cloud_api_url = Some(url.into());
        self
    }

    /// An API key (Prefect Cloud), sent as `Authorization: Bearer`; an empty one is none.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.replace_inherited();
        self.api_key = Some(key.into()).filter(|key| !key.trim().is_empty());
        self
    }

    /// `user:password` of a server with basic authentication; it wins over an API key. An empty one is
    /// none.
    pub fn auth_string(mut self, auth: impl Into<String>) -> Self {
        self.replace_inherited();
        self.auth_string = Some(auth.into()).filter(|auth| !auth.is_empty());
        self
    }

    /// A header of every request. `Authorization` wins over key and auth string; `User-Agent` and
    /// those of CSRF tokens are refused by [`build`](Self::build). A name given twice has the
    /// value given last.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        if is_authorization(&name) {
            self.replace_inherited();
        }
        self.headers.push((name, value.into()));
        self
    }

    /// No key, no auth string, no `Authorization`: also none of the settings'.
    pub fn no_credentials(mut self) -> Self {
        self.inherits_credentials = true;
        self.replace_inherited();
        self
    }

    /// Credentials of the settings are not mixed with what is set here: the password of one server
    /// would be sent to another.
    fn replace_inherited(&mut self) {
        if std::mem::take(&mut self.inherits_credentials) {
            self.api_key = None;
            self.auth_string = None;
            self.headers.retain(|(name, _)| !is_authorization(name));
        }
    }

    /// How long to wait for the reply to one attempt, and for a connection; for a stream, between
    /// two parts of it. Default: 60 s. See also [`RetryPolicy::deadline`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often, and how long, failed requests are repeated.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// A proxy for all requests, as `http://user:password@host:3128`. Default: what `HTTP_PROXY`,
    /// `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy_url = Some(url.into());
        self
    }

    /// No proxy, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.proxy = Proxy::None;
        self.proxy_url = None;
        self
    }

    /// A PEM file of the certificates to trust, and no others. Default: those of the platform.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Whether to trust any certificate: for trials only, for anyone on the way can then read
    /// and change what is sent, credentials included. Default: no.
    pub fn danger_skip_tls_verification(mut self, skip: bool) -> Self {
        self.skip_verify = skip;
        self
    }

    /// Whether to use HTTP/2 where the server offers it (by TLS). Default: no, as in Prefect; it
    /// needs the feature `http2`.
    pub fn http2(mut self, enable: bool) -> Self {
        self.http2 = enable;
        self
    }

    /// Whether to send CSRF tokens, which a server may be configured to want. Default: yes. Before
    /// the first request that changes something, `GET /csrf-token` asks for one; Cloud is not asked.
    pub fn csrf(mut self, enable: bool) -> Self {
        self.csrf = enable;
        self
    }

    /// Whether to compare versions with the server before the first request (`GET /admin/version`).
    /// Default: yes. Another major version is an error
    /// ([`IncompatibleServer`](crate::ErrorKind::IncompatibleServer)), an older server a warning in
    /// the log; Cloud is not asked.
    pub fn version_check(mut self, enable: bool) -> Self {
        self.version_check = enable;
        self
    }

    /// The clock to wait by, for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Changes each request before it is sent. Several are called in the order they were added.
    ///
    /// ```
    /// # use prefect_sdk::{Client, reqwest};
    /// let client = Client::builder()
    ///     .api_url("http://127.0.0.1:4200/api")
    ///     .interceptor(|request: &mut reqwest::Request| -> Result<(), std::convert::Infallible> {
    ///         request.headers_mut().insert("x-request-start", "now".parse().unwrap());
    ///         Ok(())
    ///     })
    ///     .build()?;
    /// # Ok::<(), prefect_sdk::Error>(())
    /// ```
    pub fn interceptor(mut self, interceptor: impl Interceptor) -> Self {
        self.interceptors.push(Arc::new(interceptor));
        self
    }

    /// Is told of each attempt when it is over, to count or to measure.
    ///
    /// ```
    /// # use prefect_sdk::{Attempt, Client};
    /// let client = Client::builder()
    ///     .api_url("http://127.0.0.1:4200/api")
    ///     .observer(|attempt: &Attempt<'_>| {
    ///         println!("{} took {:?}", attempt.operation(), attempt.duration());
    ///     })
    ///     .build()?;
    /// # Ok::<(), prefect_sdk::Error>(())
    /// ```
    pub fn observer(mut self, observer: impl Fn(&Attempt<'_>) + Send + Sync + 'static) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    #[cfg(feature = "local-server")]
    pub(crate) fn url(&self) -> Option<&str> {
        self.api_url.as_deref()
    }

    /// What was set so far is what the settings say.
    pub(crate) fn inherited(mut self, notes: Vec<String>) -> Self {
        self.inherits_credentials = true;
        self.notes = notes;
        self
    }

    /// The client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the URL is missing,
    /// malformed or without `/api`, a header or credential cannot be sent, the certificates cannot
    /// be read, or a feature that is asked for is not compiled in.
    pub fn build(self) -> Result<Client> {
        Client::with_config(self.check()?)
    }
}

fn is_authorization(name: &str) -> bool {
    name.eq_ignore_ascii_case("authorization")
}

/// Credentials and the values of headers are not shown.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let redacted = |secret: &Option<String>| secret.as_ref().map(|_| "[redacted]");
        let url = |url: &Option<String>| url.as_deref().map(api_url::without_credentials);
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("ClientBuilder")
            .field("api_url", &url(&self.api_url))
            .field("api_key", &redacted(&self.api_key))
            .field("auth_string", &redacted(&self.auth_string))
            .field("headers", &headers)
            .field("timeout", &self.timeout)
            .field("retry", &self.retry)
            .field("proxy", &url(&self.proxy_url))
            .field("ca_file", &self.ca_file)
            .field("skip_verify", &self.skip_verify)
            .field("http2", &self.http2)
            .field("csrf", &self.csrf)
            .field("version_check", &self.version_check)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::Client;

    #[test]
    fn nothing_secret_is_shown() {
        let builder = Client::builder()
            .api_url("http://h/api")
            .api_key("SECRET1")
            .auth_string("u:SECRET2")
            .header("X-Token", "SECRET3")
            .proxy("http://joe:SECRET4#x@proxy");
        let shown = format!("{builder:?}");
        assert!(
            !shown.contains("SECRET") && shown.contains("X-Token"),
            "{shown}"
        );
    }

    #[test]
    fn without_a_url_the_error_names_the_variable_and_why_there_is_none() {
        let builder = Client::builder().inherited(vec!["the profile is empty".to_owned()]);
        let said = builder.build().expect_err("no URL").to_string();
        assert!(
            said.contains("PREFECT_API_URL") && said.ends_with("; the profile is empty"),
            "{said}"
        );
    }
}
