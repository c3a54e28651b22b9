//! Settings: what the environment, files and profiles say, as Prefect's own tools read them.

mod dotenv;
mod layer;
mod origin;
mod profile;
mod resolve;
mod sources;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use origin::Origin;
pub use sources::Sources;

use crate::api_url;
use crate::builder::ClientBuilder;
use crate::client::Client;
use crate::error::Result;
use crate::retry::RetryPolicy;

/// What the environment, files and profiles say about how to reach Prefect.
///
/// The sources, the first that says something wins:
///
/// 1. the environment (names in any case),
/// 2. `.env`,
/// 3. `prefect.toml`,
/// 4. `[tool.prefect]` of `pyproject.toml`, these three in the working directory,
/// 5. the active profile: the one that `PREFECT_PROFILE` names, or else `active` in the profiles
///    file, which is where `PREFECT_PROFILES_PATH` says, or `$PREFECT_HOME/profiles.toml`, or
///    `~/.prefect/profiles.toml`. `prefect cloud login` writes there.
///
/// A value that is set and empty is as good as none, and hides those of the later sources. The three
/// files can hold `profiles_path` (`PREFECT_PROFILES_PATH`), too.
///
/// | Variable | In `prefect.toml` | Default |
/// |---|---|---|
/// | `PREFECT_API_URL` | `api.url` | |
/// | `PREFECT_API_KEY` | `api.key` | |
/// | `PREFECT_API_AUTH_STRING` | `api.auth_string` | |
/// | `PREFECT_API_REQUEST_TIMEOUT` | `api.request_timeout` | 60 (seconds) |
/// | `PREFECT_API_SSL_CERT_FILE` | `api.ssl_cert_file` | `$SSL_CERT_FILE` |
/// | `PREFECT_API_TLS_INSECURE_SKIP_VERIFY` | `api.tls_insecure_skip_verify` | false |
/// | `PREFECT_API_ENABLE_HTTP2` | `api.enable_http2` | false |
/// | `PREFECT_CLOUD_API_URL` | `cloud.api_url` | `https://api.prefect.cloud/api` |
/// | `PREFECT_CLIENT_MAX_RETRIES` | `client.max_retries` | 5 |
/// | `PREFECT_CLIENT_RETRY_JITTER_FACTOR` | `client.retry_jitter_factor` | 0.2 |
/// | `PREFECT_CLIENT_RETRY_EXTRA_CODES` | `client.retry_extra_codes` | none |
/// | `PREFECT_CLIENT_CSRF_SUPPORT_ENABLED` | `client.csrf_support_enabled` | true |
/// | `PREFECT_CLIENT_CUSTOM_HEADERS` | `client.custom_headers` | none; those of all sources are merged |
/// | `PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED` | `client.server_version_check_enabled` | true |
///
/// Proxies are always those of the process: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`,
/// unless the builder says otherwise. In a process that a Prefect worker has started, requests say which flow, deployment and worker they belong to
/// (`PREFECT__FLOW_ID` and its like become `X-Prefect-Flow-Id` …).
///
/// `Display` shows each value with its origin, as `prefect config view --show-sources` does; secrets
/// are redacted.
///
/// ```
/// use prefect_sdk::{Origin, Sources};
///
/// let settings = Sources::empty()
///     .variable("PREFECT_API_URL", "http://127.0.0.1:4200/api")
///     .load()?;
/// assert_eq!(settings.api_url(), Some("http://127.0.0.1:4200/api"));
/// assert_eq!(settings.origin("PREFECT_API_URL"), Some(&Origin::Environment));
/// println!("{settings}");
/// let client = settings.client_builder().build()?;
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
#[derive(Clone)]
pub struct Settings {
    api_url: Option<String>,
    api_key: Option<String>,
    auth_string: Option<String>,
    timeout: Option<Duration>,
    ca_file: Option<PathBuf>,
    skip_verify: Option<bool>,
    http2: Option<bool>,
    cloud_api_url: Option<String>,
    max_retries: Option<u32>,
    jitter: Option<f64>,
    extra_codes: BTreeSet<reqwest::StatusCode>,
    csrf: Option<bool>,
    version_check: Option<bool>,
    headers: BTreeMap<String, String>,
    attribution: Vec<(&'static str, String)>,
    profile: Option<String>,
    profiles_path: Option<PathBuf>,
    warnings: Vec<String>,
    /// What there is to say if there is no URL.
    notes: Vec<String>,
    shown: BTreeMap<&'static str, Shown>,
}

/// A setting as it is printed.
#[derive(Clone)]
struct Shown {
    value: String,
    origin: Origin,
}

/// What kind of server the API URL is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerType {
    /// Prefect Cloud: at or below `PREFECT_CLOUD_API_URL`.
    Cloud,
    /// A server that somebody runs.
    Server,
    /// There is no API URL.
    Unconfigured,
}

impl Settings {
    /// The settings of this process: [`Sources::system`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when a value or a file is
    /// malformed, a file cannot be read, or `PREFECT_PROFILE` names a profile that there is not.
    /// Trouble with a profiles file that nobody has asked for by a name is a
    /// [warning](Self::warnings).
    pub fn load() -> Result<Self> {
        Sources::system()?.load()
    }

    /// The settings of this process with this profile, whose values win over all other sources. If it
    /// has an API URL, no credentials and custom headers of other sources are used: they are another
    /// server's.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load), and when there is no such profile.
    pub fn load_profile(name: &str) -> Result<Self> {
        Sources::system()?.load_profile(name)
    }

    /// A client builder with these settings, which can override each. Credentials that are set on it
    /// replace all of the settings', of whatever kind.
    pub fn client_builder(&self) -> ClientBuilder {
        let mut retry = RetryPolicy::default().extra_codes(self.extra_codes.iter().copied());
        if let Some(retries) = self.max_retries {
            retry = retry.attempts(retries.saturating_add(1));
        }
        if let Some(jitter) = self.jitter {
            retry = retry.jitter(jitter);
        }
        let mut builder = Client::builder().retry(retry);
        builder = with(builder, self.api_url.clone(), ClientBuilder::api_url);
        builder = with(
            builder,
            self.cloud_api_url.clone(),
            ClientBuilder::cloud_api_url,
        );
        builder = with(builder, self.api_key.clone(), ClientBuilder::api_key);
        builder = with(
            builder,
            self.auth_string.clone(),
            ClientBuilder::auth_string,
        );
        builder = with(builder, self.timeout, ClientBuilder::timeout);
        builder = with(builder, self.ca_file.clone(), ClientBuilder::ca_file);
        builder = with(
            builder,
            self.skip_verify,
            ClientBuilder::danger_skip_tls_verification,
        );
        builder = with(builder, self.http2, ClientBuilder::http2);
        builder = with(builder, self.csrf, ClientBuilder::csrf);
        builder = with(builder, self.version_check, ClientBuilder::version_check);
        for (name, value) in &self.attribution {
            builder = builder.header(*name, value);
        }
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        builder.inherited(self.notes.clone())
    }

    /// `PREFECT_API_URL`.
    pub fn api_url(&self) -> Option<&str> {
        self.api_url.as_deref()
    }

    /// What kind of server the API URL is one of.
    pub fn server_type(&self) -> ServerType {
        let cloud = api_url::parse(self.cloud_api_url.as_deref().unwrap_or(api_url::CLOUD));
        let url = self.api_url.as_deref().map(api_url::parse);
        match (url, cloud) {
            (None, _) => ServerType::Unconfigured,
            (Some(Ok(url)), Ok(cloud)) if api_url::is_cloud(&url, &cloud) => ServerType::Cloud,
            _ => ServerType::Server,
        }
    }

    /// The name of the active profile, if it was found.
    pub fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// Where the profiles are, or would be.
    pub fn profiles_path(&self) -> Option<&Path> {
        self.profiles_path.as_deref()
    }

    /// Where a variable's value comes from, if any source says something about it.
    pub fn origin(&self, variable: &str) -> Option<&Origin> {
        self.shown.get(variable).map(|shown| &shown.origin)
    }

    /// What is wrong and did no harm, each in one line; all is in the log, too.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// The builder with a value, if there is one.
fn with<T>(
    builder: ClientBuilder,
    value: Option<T>,
    set: impl FnOnce(ClientBuilder, T) -> ClientBuilder,
) -> ClientBuilder {
    match value {
        Some(value) => set(builder, value),
        None => builder,
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, Shown { value, origin }) in &self.shown {
            writeln!(f, "{name}='{value}' (from {origin})")?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        Ok(())
    }
}

/// As `Display`: secrets are redacted.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.shown.iter().map(|(name, Shown { value, origin })| {
            let text = format!("{value} (from {origin})");
            (name, text)
        });
        f.debug_map().entries(shown).finish()
    }
}
