//! The HTTP client: certificates, proxies, redirects, the pool.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::{Action, Attempt, Policy};

use crate::config::{Config, Proxy};
use crate::error::{Error, Result};

/// The API version of Prefect 3. The server refuses what is below 0.8.0 and accepts all above.
const API_VERSION: &str = "0.8.4";

const API_VERSION_HEADER: HeaderName = HeaderName::from_static("x-prefect-api-version");

/// Leases of a deployment's concurrency slots are kept by the server only for its own client's
/// `prefect/…` agents; this one does not pretend to be it.
const USER_AGENT: &str = concat!("prefect-sdk-rust/", env!("CARGO_PKG_VERSION"));

/// A server closes idle connections after 5 s: a pooled one must not be used when that is near.
const POOL_IDLE: Duration = Duration::from_secs(4);

const MOST_REDIRECTS: usize = 10;

/// What a client of this configuration is built with.
pub(super) fn builder(config: &Config) -> Result<reqwest::ClientBuilder> {
    #[cfg(feature = "rustls")]
    provide_cryptography();
    let mut http = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .default_headers(headers(config))
        .connect_timeout(config.timeout)
        .pool_idle_timeout(POOL_IDLE)
        .redirect(Policy::custom(within_origin));
    if !config.http2 {
        http = http.http1_only();
    }
    #[cfg(feature = "rustls")]
    {
        if let Some(certificates) = &config.certificates {
            http = http.tls_certs_only(certificates.iter().cloned());
        }
        http = http.tls_danger_accept_invalid_certs(config.skip_verify);
    }
    Ok(match &config.proxy {
        Proxy::System => http,
        Proxy::None => http.no_proxy(),
        Proxy::Url(proxy) => http.no_proxy().proxy((**proxy).clone()),
    })
}

pub(super) fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client> {
    builder.build().map_err(|error| {
        Error::configuration("the HTTP client cannot be set up").caused_by(error.without_url())
    })
}

/// The user's own win over what is sent by default, credentials included.
fn headers(config: &Config) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(API_VERSION_HEADER, HeaderValue::from_static(API_VERSION));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(authorization) = &config.authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    headers.extend(config.headers.clone());
    headers
}

/// Chooses ring for this process, unless the program has chosen a provider already.
///
/// reqwest's own choice, aws-lc, is a third of the CPU time of a cold build.
#[cfg(feature = "rustls")]
fn provide_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // It fails if another thread was faster, and then there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// Follows 307 and 308 within the origin. Elsewhere neither credentials nor what is sent may go, and
/// the other redirects turn a POST into a GET, whose reply would be taken for that of the POST.
fn within_origin(attempt: Attempt<'_>) -> Action {
    let (to, from) = (attempt.url(), attempt.previous().last());
    if from.is_none_or(|from| from.origin() != to.origin()) {
        let elsewhere = to.origin().ascii_serialization();
        return attempt.error(format!(
            "it leads to {elsewhere}; is that the API URL to use?"
        ));
    }
    if !matches!(attempt.status().as_u16(), 307 | 308) {
        let status = attempt.status();
        return attempt.error(format!("{status} does not keep the method"));
    }
    if attempt.previous().len() > MOST_REDIRECTS {
        return attempt.error("there are too many");
    }
    attempt.follow()
}
