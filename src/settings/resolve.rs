//! From layers of values to settings.

use std::collections::BTreeMap;

use super::layer::{AUTH_STRING, HEADERS, KEY, Layer, Layers};
use super::value::{Parsed, Raw};
use super::{Origin, Settings, Shown, Sources};
use crate::api_url::without_credentials;
use crate::config::is_protected;
use crate::error::{Error, Result};

const REDACTED: &str = "[redacted]";

impl Layers {
    /// The settings that they make; paths are meant in the sources' directory.
    pub fn resolve(self, sources: &Sources) -> Result<Settings> {
        let mut warnings = self.warnings;
        let mut notes = warnings.clone();
        let mut find = Find {
            layers: &self.layers,
            shown: BTreeMap::new(),
        };
        let secret = |_: &String| REDACTED.to_owned();
        let url = |url: &String| without_credentials(url);
        let settings = Settings {
            api_url: find.first("PREFECT_API_URL", Raw::text, url)?,
            api_key: find.first(KEY, Raw::text, secret)?,
            auth_string: find.first(AUTH_STRING, Raw::text, secret)?,
            timeout: find.first("PREFECT_API_REQUEST_TIMEOUT", Raw::seconds, |timeout| {
                timeout.as_secs_f64().to_string()
            })?,
            ca_file: find
                .first("PREFECT_API_SSL_CERT_FILE", Raw::text, String::clone)?
                .map(|path| sources.resolve(&path).unwrap_or_else(|| path.into())),
            skip_verify: find.flag("PREFECT_API_TLS_INSECURE_SKIP_VERIFY")?,
            http2: http2(find.flag("PREFECT_API_ENABLE_HTTP2")?, &mut warnings),
            cloud_api_url: find.first("PREFECT_CLOUD_API_URL", Raw::text, url)?,
            max_retries: find.first("PREFECT_CLIENT_MAX_RETRIES", Raw::count, u32::to_string)?,
            // More than the whole of a wait is no variation of it.
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

/// Looks for values, and notes down what is found.
struct Find<'a> {
    layers: &'a [Layer],
    shown: BTreeMap<&'static str, Shown>,
}

impl Find<'_> {
    /// The value in the first layer that has one.
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
        let value = parse(raw).map_err(|wrong| unfit(name, origin, wrong))?;
        self.show(name, show(&value), origin);
        Ok(Some(value))
    }

    /// What there is to say of a setting that is set to nothing.
    fn blank(&self, name: &str) -> Option<String> {
        let Shown { value, origin } = self.shown.get(name)?;
        value
            .is_empty()
            .then(|| format!("{name} is set to nothing in {origin}"))
    }

    fn flag(&mut self, name: &'static str) -> Result<Option<bool>> {
        self.first(name, Raw::boolean, bool::to_string)
    }

    /// The headers of all layers; of those with the same name, the first. Those that the SDK
    /// sets itself are left out, with a warning.
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
                .map_err(|wrong| unfit(HEADERS, origin, wrong))?;
            for (name, value) in found {
                if is_protected(&name) {
                    warnings.push(format!(
                        "the header {name} of {HEADERS} in {origin} is ignored: it is the SDK's own"
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

/// A server that has no HTTP/2 is spoken to without it, and so it is by a client that has none.
fn http2(wanted: Option<bool>, warnings: &mut Vec<String>) -> Option<bool> {
    if wanted == Some(true) && cfg!(not(feature = "http2")) {
        warnings.push(
            "HTTP/2 is asked for, and the feature `http2` is not compiled in: it is not used"
                .to_owned(),
        );
        return None;
    }
    wanted
}

fn unfit(name: &str, origin: &Origin, wrong: &str) -> Error {
    Error::configuration(format!("{name} in {origin} {wrong}"))
}
