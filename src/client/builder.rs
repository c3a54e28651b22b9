//! `ClientBuilder`: the options of a client.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use crate::error::Result;
use crate::retry::RetryPolicy;
use crate::runtime::{Clock, SystemClock};
use crate::settings::{ParticipantSettings, api_url};
use crate::transport::route::Proxy;
use crate::transport::{Attempt, Interceptor, Observer};

/// The default timeout of one attempt, the same as in Prefect's own client.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Builds a [`Client`].
///
/// It starts with the defaults ([`Client::builder`]), or with the settings of the environment, files
/// and a profile ([`Settings::client_builder`](crate::Settings::client_builder)). What is set on the
/// builder overrides either.
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
    pub(super) api_url: Option<String>,
    pub(super) cloud_api_url: Option<String>,
    pub(super) api_key: Option<String>,
    pub(super) auth_string: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    /// The headers from the settings, which go to the origin of the settings' URL only.
    pub(super) inherited_headers: Vec<(String, String)>,
    pub(super) timeout: Duration,
    pub(super) retry: RetryPolicy,
    pub(super) proxy: Proxy,
    pub(super) proxy_url: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
    /// The setting that names the file.
    pub(super) ca_file_setting: Option<String>,
    pub(super) skip_verify: bool,
    pub(super) http2: bool,
    pub(super) csrf: bool,
    pub(super) version_check: bool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) interceptors: Vec<Arc<dyn Interceptor>>,
    pub(super) observers: Vec<Observer>,
    /// Whether the credentials come from the settings; setting one on the builder replaces them all.
    pub(super) inherits_credentials: bool,
    /// Explanations that are added to the error when there is no URL.
    pub(super) notes: Vec<String>,
    pub(super) participant: ParticipantSettings,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            api_url: None,
            cloud_api_url: None,
            api_key: None,
            auth_string: None,
            headers: Vec::new(),
            inherited_headers: Vec::new(),
            timeout: DEFAULT_TIMEOUT,
            retry: RetryPolicy::default(),
            proxy: Proxy::System,
            proxy_url: None,
            ca_file: None,
            ca_file_setting: None,
            skip_verify: false,
            http2: false,
            csrf: true,
            version_check: true,
            clock: Arc::new(SystemClock),
            interceptors: Vec::new(),
            observers: Vec::new(),
            inherits_credentials: false,
            notes: Vec::new(),
            participant: ParticipantSettings::default(),
        }
    }
}

impl Client {
    /// Starts building a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }
}

impl ClientBuilder {
    /// Sets the URL of the API, including its path, which is `/api` unless the server has another one:
    /// `http://127.0.0.1:4200/api` or `https://api.prefect.cloud/api/accounts/…/workspaces/…`.
    ///
    /// Credentials and headers from the settings are dropped if the settings' URL has another origin.
    pub fn api_url(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        let origin = |url: &str| url::Url::parse(url.trim()).ok().map(|url| url.origin());
        if let Some(before) = &self.api_url
            && origin(before) != origin(&url)
        {
            self.replace_inherited();
            // Such a header may be a credential, whatever its name.
            self.inherited_headers.clear();
        }
        self.api_url = Some(url);
        self
    }

    /// Sets the URL of Prefect Cloud's API: an API at or below it needs no CSRF token and no check of its
    /// version. Default: `https://api.prefect.cloud/api`.
    pub fn cloud_api_url(mut self, url: impl Into<String>) -> Self {
        self.cloud_api_url = Some(url.into());
        self
    }

    /// Sets an API key (Prefect Cloud), sent as `Authorization: Bearer`; it may begin with `Bearer` itself. Space around it
    /// is removed, and an empty key counts as none.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.replace_inherited();
        self.api_key = Some(key.into()).filter(|key| !key.trim().is_empty());
        self
    }

    /// Sets `user:password` for a server with basic authentication; it overrides an API key. Space
    /// around it is removed, and an empty string counts as none.
    pub fn auth_string(mut self, auth: impl Into<String>) -> Self {
        self.replace_inherited();
        self.auth_string = Some(auth.into()).filter(|auth| !auth.trim().is_empty());
        self
    }

    /// Adds a header to every request. `Authorization` overrides the API key and the auth string;
    /// [`build`](Self::build) refuses `User-Agent` and the headers of CSRF tokens. If a name is added
    /// twice, the last value is sent.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        if is_authorization(&name) {
            self.replace_inherited();
        }
        self.headers.push((name, value.into()));
        self
    }

    /// Removes the API key, the auth string and `Authorization` headers, including those from the settings.
    pub fn no_credentials(mut self) -> Self {
        self.inherits_credentials = true;
        self.replace_inherited();
        self
    }

    /// Drops the credentials from the settings: if they were mixed with those of the builder, the password
    /// of one server could be sent to another.
    fn replace_inherited(&mut self) {
        if std::mem::take(&mut self.inherits_credentials) {
            self.api_key = None;
            self.auth_string = None;
            for headers in [&mut self.headers, &mut self.inherited_headers] {
                headers.retain(|(name, _)| !is_authorization(name));
            }
        }
    }

    /// Sets how long to wait for the reply to one attempt, and for a connection; for a stream, how long to
    /// wait between two parts of it. Default: 60 s. See also [`RetryPolicy::deadline`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how often, and for how long, failed requests are retried.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Sets a proxy for all requests, such as `http://user:password@host:3128`. Default: the proxies that
    /// `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` configure.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy_url = Some(url.into());
        self
    }

    /// Uses no proxy, whatever the environment configures.
    pub fn no_proxy(mut self) -> Self {
        self.proxy = Proxy::None;
        self.proxy_url = None;
        self
    }

    /// Trusts only the certificates in this PEM file, and what they have issued; a server's self-signed certificate may
    /// be among them. Default: the certificates of the platform.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self.ca_file_setting = None;
        self
    }

    /// Sets whether to trust any certificate. Use this for tests only: anyone on the network path can then
    /// read and change what is sent, credentials included. Default: no.
    pub fn danger_skip_tls_verification(mut self, skip: bool) -> Self {
        self.skip_verify = skip;
        self
    }

    /// Sets whether to use HTTP/2 where the server offers it (in the TLS handshake). Default: no, as in
    /// Prefect's own client. It needs the feature `http2`.
    pub fn http2(mut self, enable: bool) -> Self {
        self.http2 = enable;
        self
    }

    /// Sets whether to send CSRF tokens, which a server may be configured to require. Default: yes. A token
    /// is fetched with `GET /csrf-token` before the first request that is not a GET; from Cloud, none is
    /// fetched.
    pub fn csrf(mut self, enable: bool) -> Self {
        self.csrf = enable;
        self
    }

    /// Sets whether to compare the server's version with the client's before the first request
    /// (`GET /admin/version`). Default: yes. Another major version is an error
    /// ([`IncompatibleServer`](crate::ErrorKind::IncompatibleServer)), an older server a warning in
    /// the log. Cloud is not checked.
    pub fn version_check(mut self, enable: bool) -> Self {
        self.version_check = enable;
        self
    }

    /// Sets the clock that the client waits by, for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Adds a hook that can change each request before it is sent. Hooks run in the order they were added.
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

    /// Adds a hook that is called after each attempt, for example to count or measure.
    ///
    /// ```
    /// # use prefect_sdk::{Client, client::Attempt};
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

    /// Marks what was set so far as coming from the settings.
    pub(crate) fn inherited(mut self, notes: Vec<String>) -> Self {
        self.inherits_credentials = true;
        self.inherited_headers = std::mem::take(&mut self.headers);
        self.notes = notes;
        self
    }

    /// Builds the client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the URL is missing,
    /// malformed or that of a page of Prefect Cloud, a header or credential cannot be sent, the certificates cannot
    /// be read, or a required feature is not compiled in.
    pub fn build(mut self) -> Result<Client> {
        let participant = std::mem::take(&mut self.participant);
        Client::new(self.check()?, participant)
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
        let headers = self.inherited_headers.iter().chain(&self.headers);
        let headers: Vec<_> = headers.map(|(name, _)| name).collect();
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
