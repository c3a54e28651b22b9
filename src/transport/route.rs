//! `Route`: how requests reach the server, as far as errors speak of it.

use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

/// How requests reach the server.
pub(crate) struct Route {
    pub proxy: Proxy,
    /// What to add to the error when no API answers at the URL.
    pub api_url_advice: Option<Arc<str>>,
}

/// Which proxy a client goes through.
#[derive(Clone, Default)]
pub(crate) enum Proxy {
    /// The proxies of the environment (`HTTP_PROXY` and similar variables).
    #[default]
    System,
    /// No proxy.
    None,
    /// This proxy, and its URL.
    Url {
        proxy: Box<reqwest::Proxy>,
        url: Url,
    },
}

impl Proxy {
    /// The host and the port of the proxy through which this URL is reached, if there is one.
    pub(super) fn of(&self, url: &Url) -> Option<String> {
        match self {
            Self::System => {
                let target = url.as_str().parse().ok()?;
                let proxy = Matcher::from_system().intercept(&target)?;
                proxy.uri().authority().map(|authority| {
                    let shown = authority.as_str();
                    shown.rsplit('@').next().unwrap_or(shown).to_owned()
                })
            }
            Self::None => None,
            Self::Url { url, .. } => Some(host_and_port(url)),
        }
    }
}

/// The host and the port of a URL.
pub(super) fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
