//! Checks the options of a `ClientBuilder`.

use std::sync::Arc;

use reqwest::header::HeaderMap;
#[cfg(feature = "rustls")]
use rustls::pki_types::CertificateDer;
use url::Url;

use super::builder::ClientBuilder;
#[cfg(feature = "rustls")]
use super::pem;
use crate::error::{Error, Result};
use crate::settings::api_url;
#[cfg(feature = "rustls")]
use crate::settings::file;
use crate::transport::config::{self, Config};
use crate::transport::route::{Proxy, Route};

impl ClientBuilder {
    /// Checks the options, and returns them as a configuration.
    pub(super) fn check(self) -> Result<Config> {
        let Some(url) = &self.api_url else {
            let mut message = "no API URL is given: set PREFECT_API_URL, for example to http://127.0.0.1:4200/api".to_owned();
            for note in &self.notes {
                message.push_str("; ");
                message.push_str(note);
            }
            return Err(Error::configuration(message));
        };
        let api_url = api_url::parse(url)?;
        let cloud = api_url::parse(self.cloud_api_url.as_deref().unwrap_or(api_url::CLOUD))?;
        let mut headers = HeaderMap::new();
        for (name, value) in self.inherited_headers.iter().chain(&self.headers) {
            let (name, value) = config::custom_header(name, value)?;
            headers.insert(name, value);
        }
        if self.timeout.is_zero() {
            return Err(Error::configuration(
                "with a timeout of 0 s no request can succeed",
            ));
        }
        if self.http2 && cfg!(not(feature = "http2")) {
            return Err(Error::configuration(
                "HTTP/2 is requested, but the feature `http2` is not compiled in",
            ));
        }
        #[cfg(not(feature = "rustls"))]
        if self.ca_file.is_some() || self.skip_verify {
            return Err(Error::configuration(
                "certificates are configured, but the feature `rustls` is not compiled in",
            ));
        }
        #[cfg(feature = "rustls")]
        let is_https = api_url.scheme() == "https";
        let route = Route {
            proxy: match &self.proxy_url {
                Some(url) => proxy(url)?,
                None => self.proxy,
            },
            api_url_advice: api_url::advice(&api_url).map(Into::into),
        };
        Ok(Config {
            route: Arc::new(route),
            cloud: api_url::is_cloud(&api_url, &cloud),
            api_url,
            authorization: config::authorization(
                self.auth_string.as_deref(),
                self.api_key.as_deref(),
            )?,
            has_ascii_auth: self.auth_string.as_deref().is_none_or(str::is_ascii),
            headers,
            timeout: self.timeout,
            retry: self.retry,
            // They are not needed without TLS, and SSL_CERT_FILE may name a file that does not exist.
            #[cfg(feature = "rustls")]
            certificates: self
                .ca_file
                .as_deref()
                .filter(|_| is_https && !self.skip_verify)
                .map(|path| certificates(path, self.ca_file_setting.as_deref()))
                .transpose()?,
            #[cfg(feature = "rustls")]
            skip_verify: self.skip_verify,
            http2: self.http2,
            csrf: self.csrf,
            version_check: self.version_check,
            clock: self.clock,
            interceptors: self.interceptors,
            observers: self.observers,
        })
    }
}

fn proxy(url: &str) -> Result<Proxy> {
    let wrong = || {
        let shown = api_url::without_credentials(url);
        Error::configuration(format!("{shown:?} is not the URL of a proxy"))
    };
    let proxy = reqwest::Proxy::all(url);
    let proxy = proxy.map_err(|error| wrong().with_source(error.without_url()))?;
    // reqwest also takes a host and a port, which are those of an HTTP proxy.
    let complete = Url::parse(url).ok().filter(Url::has_host);
    let url = complete.map_or_else(|| Url::parse(&format!("http://{url}")), Ok);
    Ok(Proxy::Url {
        proxy: Box::new(proxy),
        url: url.map_err(|error| wrong().with_source(error))?,
    })
}

/// Reads the certificates of a file, which are trusted instead of the system's. The setting is the one that names it.
#[cfg(feature = "rustls")]
fn certificates(
    path: &std::path::Path,
    setting: Option<&str>,
) -> Result<Vec<CertificateDer<'static>>> {
    let named = setting.map_or_else(String::new, |setting| format!("{setting}: "));
    let wrong = |what: String| {
        Error::configuration(format!(
            "{named}the certificates cannot be read from {}: {what}",
            path.display()
        ))
    };
    let pem = file::read_bytes(path).map_err(|error| wrong(error.to_string()))?;
    let pem = pem.ok_or_else(|| wrong("there is no such file".to_owned()))?;
    let certificates = pem::certificates(&pem).map_err(|error| wrong(error.to_string()))?;
    match certificates.is_empty() {
        true => Err(wrong("it contains none in PEM form".to_owned())),
        false => Ok(certificates),
    }
}
