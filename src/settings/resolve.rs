//! Turns the sources into settings: the first layer that has a value wins.

use std::collections::BTreeMap;
use std::time::Duration;

use super::api_url::without_credentials;
use super::layer::Layer;
use super::layers::{AUTH_STRING, HEADERS, KEY, Layers};
use super::origin::Origin;
use super::participant::ParticipantSettings;
use super::settings::{Settings, Shown};
use super::sources::Sources;
use super::value::{Parsed, Raw};
use crate::error::{Error, Result};
use crate::transport::config::is_protected;

const REDACTED: &str = "[redacted]";

impl Settings {
    /// Reads the settings of this process: see [`Sources::system`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when a value or a file is
    /// malformed, a file cannot be read, or `PREFECT_PROFILE` names a profile that does not exist.
    /// If no profile is requested by name, a problem with the profiles file is only a
    /// [warning](Self::warnings).
    pub fn load() -> Result<Self> {
        Sources::system()?.load()
    }

    /// Reads the settings of this process with this profile, whose values override all other sources. If it
    /// has an API URL, credentials and custom headers from other sources are not used: they belong to
    /// another server.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) as in [`load`](Self::load), and when
    /// there is no such profile.
    pub fn load_profile(name: &str) -> Result<Self> {
        Sources::system()?.load_profile(name)
    }
}

impl Sources {
    /// Reads the settings of these sources.
    ///
    /// # Errors
    ///
    /// See [`Settings::load`].
    pub fn load(&self) -> Result<Settings> {
        Layers::read(self, None)?.resolve(self)
    }

    /// Reads the settings of these sources with this profile; see [`Settings::load_profile`].
    ///
    /// # Errors
    ///
    /// See [`Settings::load_profile`].
    pub fn load_profile(&self, name: &str) -> Result<Settings> {
        Layers::read(self, Some(name))?.resolve(self)
    }
}

impl Layers {
    /// Turns the layers into settings; relative paths are resolved against the sources' directory.
    pub(super) fn resolve(self, sources: &Sources) -> Result<Settings> {
        let mut warnings = self.warnings;
        let mut notes = warnings.clone();
        let mut find = Resolver {
            layers: &self.layers,
            shown: BTreeMap::new(),
        };
        let secret = |_: &String| REDACTED.to_owned();
        let url = |url: &String| without_credentials(url);
        let settings = Settings {
            api_url: find.first("PREFECT_API_URL", Raw::text, url)?,
            api_key: find.first(KEY, Raw::text, secret)?,
            auth_string: find.first(AUTH_STRING, Raw::text, secret)?,
            timeout: find.first("PREFECT_API_REQUEST_TIMEOUT", Raw::timeout, |timeout| {
                timeout.as_secs_f64().to_string()
            })?,
            ca_file: find
                .first("PREFECT_API_SSL_CERT_FILE", Raw::text, String::clone)?
                .map(|path| sources.resolve(&path).unwrap_or_else(|| path.into())),
            skip_verify: find.flag("PREFECT_API_TLS_INSECURE_SKIP_VERIFY")?,
            http2: http2(find.flag("PREFECT_API_ENABLE_HTTP2")?, &mut warnings),
            cloud_api_url: find.first("PREFECT_CLOUD_API_URL", Raw::text, url)?,
            max_retries: find.first("PREFECT_CLIENT_MAX_RETRIES", Raw::count, u32::to_string)?,
            // A factor above 1 counts as 1: a wait cannot vary by more than its whole length.
            jitter: find.first(
                "PREFECT_CLIENT_RETRY_JITTER_FACTOR",
                |raw| raw.number().map(|factor| factor.min(1.0)),
                f64::to_string,
            )?,
            extra_codes: find
                .first("PREFECT_CLIENT_RETRY_EXTRA_CODES", Raw::codes, |codes| {
                    let codes: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
                    codes.join(",")
                })?
                .unwrap_or_default(),
            csrf: find.flag("PREFECT_CLIENT_CSRF_SUPPORT_ENABLED")?,
            version_check: find.flag("PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED")?,
            headers: find.headers(&mut warnings)?,
            participant: find.participant()?,
            notes: {
                notes.extend(find.blank("PREFECT_API_URL"));
                notes
            },
            shown: find.shown,
            attribution: self.attribution,
            profile: self.profile,
            profiles_path: self.profiles_path,
            warnings,
        };
        for warning in &settings.warnings {
            tracing::warn!("{warning}");
        }
        Ok(settings)
    }
}

/// Finds values, and records each with its origin for display.
struct Resolver<'a> {
    layers: &'a [Layer],
    shown: BTreeMap<&'static str, Shown>,
}

impl Resolver<'_> {
    /// Returns the value of the first layer that has one.
    fn first<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&Raw) -> Parsed<T>,
        show: impl Fn(&T) -> String,
    ) -> Result<Option<T>> {
        let mut layers = self.layers.iter();
        let found = layers.find_map(|layer| Some((&layer.origin, layer.values.get(name)?)));
        let Some((origin, raw)) = found else {
            return Ok(None);
        };
        if raw.is_blank() {
            self.show(name, String::new(), origin);
            return Ok(None);
        }
        let value = parse(raw).map_err(|wrong| invalid_value(name, origin, wrong))?;
        self.show(name, show(&value), origin);
        Ok(Some(value))
    }

    /// Returns a note if the setting is set but empty.
    fn blank(&self, name: &str) -> Option<String> {
        let Shown { value, origin } = self.shown.get(name)?;
        value
            .is_empty()
            .then(|| format!("{name} is set to nothing in {origin}"))
    }

    fn flag(&mut self, name: &'static str) -> Result<Option<bool>> {
        self.first(name, Raw::boolean, bool::to_string)
    }

    /// What concerns programs whose work is itself a flow run.
    fn participant(&mut self) -> Result<ParticipantSettings> {
        let seconds = |time: &Duration| time.as_secs_f64().to_string();
        let mut heartbeat = None;
        for name in [
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY",
            "PREFECT_RUNNER_HEARTBEAT_FREQUENCY",
        ] {
            let found = self.first(name, Raw::timeout, seconds)?;
            heartbeat = heartbeat.or(found);
        }
        let bytes = u32::to_string;
        Ok(ParticipantSettings {
            heartbeat,
            logs_enabled: self.flag("PREFECT_LOGGING_TO_API_ENABLED")?,
            log_level: self.first("PREFECT_LOGGING_LEVEL", Raw::word, String::clone)?,
            log_interval: self.first(
                "PREFECT_LOGGING_TO_API_BATCH_INTERVAL",
                Raw::timeout,
                seconds,
            )?,
            log_batch_bytes: self.first("PREFECT_LOGGING_TO_API_BATCH_SIZE", Raw::count, bytes)?,
            log_line_bytes: self.first("PREFECT_LOGGING_TO_API_MAX_LOG_SIZE", Raw::count, bytes)?,
            cloud_log_line_bytes: self.first("PREFECT_CLOUD_MAX_LOG_SIZE", Raw::count, bytes)?,
            missing_flow: self.first(
                "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW",
                Raw::text,
                String::clone,
            )?,
        })
    }

    /// Merges the headers of all layers; if several have the same name, the first wins. Headers that the
    /// SDK sets itself are left out, with a warning.
    fn headers(&mut self, warnings: &mut Vec<String>) -> Result<BTreeMap<String, String>> {
        let mut headers = BTreeMap::<String, String>::new();
        for Layer { origin, values } in self.layers {
            let Some(raw) = values.get(HEADERS) else {
                continue;
            };
            if raw.is_blank() {
                break;
            }
            let found = raw
                .headers()
                .map_err(|wrong| invalid_value(HEADERS, origin, wrong))?;
            for (name, value) in found {
                if is_protected(&name) {
                    warnings.push(format!(
                        "the header {name} of {HEADERS} in {origin} is ignored: the SDK sets it itself"
                    ));
                } else if !headers
                    .keys()
                    .any(|other| other.eq_ignore_ascii_case(&name))
                {
                    headers.insert(name, value);
                }
            }
            if !self.shown.contains_key(HEADERS) {
                self.show(HEADERS, String::new(), origin);
            }
        }
        if let Some(shown) = self.shown.get_mut(HEADERS) {
            let names: Vec<_> = headers
                .keys()
                .map(|name| format!("{name}: {REDACTED}"))
                .collect();
            shown.value = names.join(", ");
        }
        Ok(headers)
    }

    fn show(&mut self, name: &'static str, value: String, origin: &Origin) {
        let origin = origin.clone();
        self.shown.insert(name, Shown { value, origin });
    }
}

/// HTTP/2 is optional: as with a server that does not offer it, a client without the feature does not use it.
fn http2(wanted: Option<bool>, warnings: &mut Vec<String>) -> Option<bool> {
    if wanted == Some(true) && cfg!(not(feature = "http2")) {
        warnings.push(
            "HTTP/2 is requested, but the feature `http2` is not compiled in: it is not used"
                .to_owned(),
        );
        return None;
    }
    wanted
}

fn invalid_value(name: &str, origin: &Origin, wrong: &str) -> Error {
    Error::configuration(format!("{name} in {origin} {wrong}"))
}
