//! Finds out whether a server that closes plain HTTP connections speaks TLS on that port.

use std::time::Duration;

use url::Url;

use super::tls;

/// How long the probe waits.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether the server of this `http://` URL speaks TLS: sends `HEAD /` over `https://`, without credentials.
/// No proxy is used, whatever is configured: it would speak TLS itself.
pub(super) async fn speaks_tls(url: &Url) -> bool {
    let Some(probed) = https_root(url) else {
        return false;
    };
    let Ok(tls) = tls::unverified(&["http/1.1"]) else {
        return false;
    };
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PROBE_TIMEOUT)
        .build();
    let Ok(http) = http else {
        return false;
    };
    match http.head(probed).send().await {
        Ok(_) => true,
        // The handshake is a part of connecting.
        Err(error) => !error.is_connect() && !error.is_timeout(),
    }
}

/// The root of the same host and port over `https://`; `None` for a URL that is `https://` already.
fn https_root(url: &Url) -> Option<Url> {
    if url.scheme() != "http" {
        return None;
    }
    let port = url.port_or_known_default();
    let mut root = url.join("/").ok()?;
    root.set_scheme("https").ok()?;
    root.set_port(port).ok()?;
    Some(root)
}
