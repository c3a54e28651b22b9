//! `Settings`: the values, and where each comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::api_url;
use super::origin::Origin;
use super::participant::ParticipantSettings;

/// The settings for reaching Prefect, from the environment, files and profiles.
///
/// The first of these sources that has a value wins:
///
/// 1. the environment (names in any case),
/// 2. `.env`,
/// 3. `prefect.toml`,
/// 4. `[tool.prefect]` of `pyproject.toml` (these three files are read from the working directory),
/// 5. the active profile: the one that `PREFECT_PROFILE` names, or else `active` in the profiles
///    file. That file is `PREFECT_PROFILES_PATH`, or `$PREFECT_HOME/profiles.toml`, or
///    `~/.prefect/profiles.toml`. `prefect cloud login` writes to it.
///
/// Values are read as Prefect reads them: `1_000` seconds, `[429, 503]` or `429,503` as codes, `null` as none. An infinite
/// timeout is none, and more retries than fit are as many as fit. Three things differ: an empty value counts as none, and
/// hides the values of later sources; a timeout of 0, below or NaN, with which no request succeeds, is refused; and so is a
/// table in the place of a value. The three files can also set `profiles_path` (`PREFECT_PROFILES_PATH`).
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
/// | `PREFECT_FLOWS_HEARTBEAT_FREQUENCY`, or `PREFECT_RUNNER_HEARTBEAT_FREQUENCY` | `flows.heartbeat_frequency` | 180 (seconds) |
/// | `PREFECT_LOGGING_TO_API_ENABLED` | `logging.to_api.enabled` | true |
/// | `PREFECT_LOGGING_LEVEL` | `logging.level` | `INFO` |
/// | `PREFECT_LOGGING_TO_API_BATCH_INTERVAL` | `logging.to_api.batch_interval` | 2 (seconds) |
/// | `PREFECT_LOGGING_TO_API_BATCH_SIZE` | `logging.to_api.batch_size` | 4,000,000 (bytes) |
/// | `PREFECT_LOGGING_TO_API_MAX_LOG_SIZE` | `logging.to_api.max_log_size` | 1,000,000 (bytes) |
/// | `PREFECT_CLOUD_MAX_LOG_SIZE` | `cloud.max_log_size` | 25,000 (bytes) |
/// | `PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW` | `logging.to_api.when_missing_flow` | `warn` |
///
/// Proxies are always those of the process: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`,
/// unless the builder overrides them. In a process that a Prefect worker has started, headers identify the
/// flow, deployment and worker that a request belongs to (`PREFECT__FLOW_ID` becomes `X-Prefect-Flow-Id`,
/// and so on).
///
/// `Display` shows each value with its origin, as `prefect config view --show-sources` does; secrets
/// are redacted.
///
/// ```
/// use prefect_sdk::settings::{Origin, Sources};
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
    pub(crate) api_url: Option<String>,
    pub(crate) api_key: Option<String>,
    pub(crate) auth_string: Option<String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) skip_verify: Option<bool>,
    pub(crate) http2: Option<bool>,
    pub(crate) cloud_api_url: Option<String>,
    pub(crate) max_retries: Option<u32>,
    pub(crate) jitter: Option<f64>,
    pub(crate) extra_codes: BTreeSet<reqwest::StatusCode>,
    pub(crate) csrf: Option<bool>,
    pub(crate) version_check: Option<bool>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) participant: ParticipantSettings,
    pub(crate) attribution: Vec<(&'static str, String)>,
    pub(super) profile: Option<String>,
    pub(super) profiles_path: Option<PathBuf>,
    pub(super) warnings: Vec<String>,
    /// Explanations that are added to the error when there is no URL.
    pub(crate) notes: Vec<String>,
    pub(super) shown: BTreeMap<&'static str, Shown>,
}

/// A setting as it is printed.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) value: String,
    pub(super) origin: Origin,
}

/// The kind of server that the API URL belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerType {
    /// Prefect Cloud: at or below `PREFECT_CLOUD_API_URL`.
    Cloud,
    /// A self-hosted server.
    Server,
    /// There is no API URL.
    Unconfigured,
}

impl Settings {
    /// The API URL (`PREFECT_API_URL`), if it is set.
    pub fn api_url(&self) -> Option<&str> {
        self.api_url.as_deref()
    }

    /// The kind of server that the API URL belongs to.
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

    /// The path of the profiles file, whether it exists or not.
    pub fn profiles_path(&self) -> Option<&Path> {
        self.profiles_path.as_deref()
    }

    /// The source of a variable's value, if any source sets it.
    pub fn origin(&self, variable: &str) -> Option<&Origin> {
        self.shown.get(variable).map(|shown| &shown.origin)
    }

    /// The setting that names the file of certificates, and its source.
    pub(crate) fn ca_file_setting(&self) -> Option<String> {
        const VARIABLE: &str = "PREFECT_API_SSL_CERT_FILE";
        self.origin(VARIABLE).map(|origin| match origin {
            Origin::SslCertFile => origin.to_string(),
            _ => format!("{VARIABLE} in {origin}"),
        })
    }

    /// Problems that did not prevent loading, one line each; they are also logged.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
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

/// Like `Display`, with secrets redacted.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.shown.iter().map(|(name, Shown { value, origin })| {
            let text = format!("{value} (from {origin})");
            (name, text)
        });
        f.debug_map().entries(shown).finish()
    }
}
