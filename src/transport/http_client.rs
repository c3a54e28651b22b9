//! The HTTP client: proxies, redirects, the pool.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::{Action, Attempt, Policy};

use super::config::Config;
use super::route::Proxy;
use crate::error::{Error, Result};

/// The API version of Prefect 3. The server refuses versions below 0.8.0 and accepts all later ones.
const API_VERSION: &str = "0.8.4";

const API_VERSION_HEADER: HeaderName = HeaderName::from_static("x-prefect-api-version");

/// The server keeps leases of a deployment's concurrency slots only for the `prefect/…` user agents of
/// Prefect's own client; this SDK does not pretend to be one.
const USER_AGENT: &str = concat!("prefect-sdk-rust/", env!("CARGO_PKG_VERSION"));

/// How long a pooled connection may be idle: less than the 5 s after which a server closes it.
pub(super) const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// The maximum number of redirects that one request follows.
const MAX_REDIRECTS: usize = 10;

/// The protocols that are offered to a server (ALPN), best first.
#[cfg(feature = "rustls")]
const HTTP_2_OR_1: &[&str] = &["h2", "http/1.1"];
#[cfg(feature = "rustls")]
const HTTP_1: &[&str] = &["http/1.1"];

/// Returns a builder of HTTP clients with this configuration. Without `http2`, only HTTP/1.1 is spoken.
pub(super) fn builder(config: &Config, http2: bool) -> Result<reqwest::ClientBuilder> {
    let mut http = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(config.timeout)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .redirect(Policy::custom(within_origin));
    if !http2 {
        http = http.http1_only();
    }
    #[cfg(feature = "rustls")]
    {
        let protocols = if http2 { HTTP_2_OR_1 } else { HTTP_1 };
        http = http.tls_backend_preconfigured(super::tls::config(config, protocols)?);
    }
    Ok(match &config.route.proxy {
        Proxy::System => http,
        Proxy::None => http.no_proxy(),
        Proxy::Url { proxy, .. } => http.no_proxy().proxy((**proxy).clone()),
    })
}

pub(super) fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client> {
    builder.build().map_err(|error| {
        Error::configuration("the HTTP client cannot be set up").with_source(error.without_url())
    })
}

/// Room for the headers of a request, of which the SDK and reqwest set up to ten: a map that grows is built anew.
const HEADERS: usize = 12;

/// The headers of every request beside the `User-Agent`. The user's own override the defaults, credentials included.
pub(super) fn headers(config: &Config) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(HEADERS);
    headers.insert(API_VERSION_HEADER, HeaderValue::from_static(API_VERSION));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(authorization) = &config.authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    headers.extend(config.headers.clone());
    headers
}

/// Follows 307 and 308 within the origin. Credentials and bodies must not go to another origin, and the
/// other redirects turn a POST into a GET, whose reply would be taken for that of the POST.
fn within_origin(attempt: Attempt<'_>) -> Action {
    let (to, from) = (attempt.url(), attempt.previous().last());
    let leaves = from.is_none_or(|from| from.origin() != to.origin());
    if leaves || !matches!(attempt.status().as_u16(), 307 | 308) {
        // The reply is the redirect itself, which is an error with a status.
        return attempt.stop();
    }
    if attempt.previous().len() > MAX_REDIRECTS {
        return attempt.error("there are too many redirects");
    }
    attempt.follow()
}
