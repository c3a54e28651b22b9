//! What a builder was told, checked.

use reqwest::header::HeaderMap;

use super::ClientBuilder;
use crate::api_url;
use crate::config::{self, Config, Proxy};
use crate::error::{Error, Result};

impl ClientBuilder {
    /// The configuration, if it can be one.
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
        for (name, value) in &self.headers {
            let (name, value) = config::custom_header(name, value)?;
            headers.insert(name, value);
        }
        if self.timeout.is_zero() {
            return Err(Error::configuration(
                "a timeout of 0 s lets nothing succeed",
            ));
        }
        if self.http2 && cfg!(not(feature = "http2")) {
            return Err(Error::configuration(
                "HTTP/2 is asked for, and the feature `http2` is not compiled in",
            ));
        }
        #[cfg(not(feature = "rustls"))]
        if self.ca_file.is_some() || self.skip_verify {
            return Err(Error::configuration(
                "certificates are configured, and the feature `rustls` is not compiled in",
            ));
        }
        #[cfg(feature = "rustls")]
        let is_https = api_url.scheme() == "https";
        Ok(Config {
            cloud: api_url::is_cloud(&api_url, &cloud),
            api_url,
            authorization: config::authorization(
                self.auth_string.as_deref(),
                self.api_key.as_deref(),
            )?,
            headers,
            timeout: self.timeout,
            retry: self.retry,
            proxy: match &self.proxy_url {
                Some(url) => Proxy::Url(Box::new(proxy(url)?)),
                None => self.proxy,
            },
            // Without TLS nobody needs them, and a variable of the system's may name what is not there.
            #[cfg(feature = "rustls")]
            certificates: self
                .ca_file
                .as_deref()
                .filter(|_| is_https && !self.skip_verify)
                .map(config::certificates)
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

fn proxy(url: &str) -> Result<reqwest::Proxy> {
    reqwest::Proxy::all(url).map_err(|error| {
        let shown = api_url::without_credentials(url);
        Error::configuration(format!("{shown:?} is not the URL of a proxy"))
            .caused_by(error.without_url())
    })
}
