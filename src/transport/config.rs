//! `Config`: the checked configuration of a transport.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::hooks::{Interceptor, Observer};
use super::route::Route;
use crate::error::{Error, Result};
use crate::retry::RetryPolicy;
use crate::runtime::Clock;

/// A checked configuration.
pub(crate) struct Config {
    pub api_url: Url,
    pub route: Arc<Route>,
    pub cloud: bool,
    pub authorization: Option<HeaderValue>,
    /// Whether the auth string is in ASCII.
    pub has_ascii_auth: bool,
    pub headers: HeaderMap,
    pub timeout: Duration,
    pub retry: RetryPolicy,
    #[cfg(feature = "rustls")]
    pub certificates: Option<Vec<rustls::pki_types::CertificateDer<'static>>>,
    #[cfg(feature = "rustls")]
    pub skip_verify: bool,
    pub http2: bool,
    pub csrf: bool,
    pub version_check: bool,
    pub clock: Arc<dyn Clock>,
    pub interceptors: Vec<Arc<dyn Interceptor>>,
    pub observers: Vec<Observer>,
}

#[cfg(feature = "websocket")]
impl Config {
    /// The credentials for a WebSocket: the auth string or the API key, in plain text; taken from this
    /// header, if there is one.
    pub(crate) fn token(&self, header: Option<&HeaderValue>) -> Option<String> {
        use reqwest::header::AUTHORIZATION;

        let header = header
            .or(self.headers.get(AUTHORIZATION))
            .or(self.authorization.as_ref());
        let (scheme, token) = header?.to_str().ok()?.split_once(' ')?;
        match scheme.eq_ignore_ascii_case("basic") {
            true => {
                let decoded = base64::engine::general_purpose::STANDARD.decode(token.trim());
                String::from_utf8(decoded.ok()?).ok()
            }
            false => Some(token.trim().to_owned()),
        }
    }
}

/// Builds the `Authorization` header. The scheme is `Basic` with a capital: the server is case-sensitive.
pub(crate) fn authorization(
    auth_string: Option<&str>,
    api_key: Option<&str>,
) -> Result<Option<HeaderValue>> {
    let (name, value) = match (auth_string, api_key) {
        (Some(auth), _) => {
            let encoded = base64::engine::general_purpose::STANDARD.encode(auth.trim());
            ("auth string", format!("Basic {encoded}"))
        }
        (None, Some(key)) => ("API key", format!("Bearer {}", without_scheme(key))),
        (None, None) => return Ok(None),
    };
    secret(&format!("the {name}"), &value).map(Some)
}

/// The key alone: some copy it together with the `Bearer` of a header.
fn without_scheme(key: &str) -> &str {
    let key = key.trim();
    match key.split_once(char::is_whitespace) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        _ => key,
    }
}

/// Headers that the SDK sets itself.
const PROTECTED: [&str; 3] = ["user-agent", "prefect-csrf-token", "prefect-csrf-client"];

pub(crate) fn is_protected(header: &str) -> bool {
    PROTECTED.contains(&header.to_ascii_lowercase().as_str())
}

/// Checks a custom header, whose value is treated as a secret: it may be a credential.
pub(crate) fn custom_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue)> {
    if is_protected(name) {
        return Err(Error::configuration(format!(
            "the header {name} is set by the SDK, and cannot be overridden"
        )));
    }
    let parsed = HeaderName::try_from(name)
        .map_err(|_| Error::configuration(format!("{name:?} is not the name of a header")))?;
    Ok((parsed, secret(&format!("the value of {name}"), value)?))
}

fn secret(what: &str, value: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(value).map_err(|_| {
        Error::configuration(format!("{what} has characters that headers do not allow"))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_auth_string_wins_over_a_key_and_is_sensitive() {
        let header = authorization(Some("u:PASS1"), Some("KEY1"))
            .expect("can be sent")
            .expect("is there");
        assert_eq!(header.to_str().expect("ASCII"), "Basic dTpQQVNTMQ==");
        assert!(header.is_sensitive());
    }

    #[test]
    fn what_is_around_a_credential_is_not_sent() {
        let sent = |auth, key| {
            let header = authorization(auth, key).expect("can be sent");
            let header = header.expect("is there");
            header.to_str().expect("ASCII").to_owned()
        };
        for key in ["pnu_1", " pnu_1\n", "Bearer pnu_1", "bearer  pnu_1 "] {
            assert_eq!(sent(None, Some(key)), "Bearer pnu_1");
        }
        assert_eq!(sent(Some(" u:p\n"), None), sent(Some("u:p"), None));
    }

    #[test]
    fn a_key_that_no_header_can_carry_is_refused_without_being_shown() {
        let error = authorization(None, Some("se\ncret")).expect_err("a newline");
        let said = error.to_string();
        assert!(said.contains("API key") && !said.contains("cret"), "{said}");
    }

    #[test]
    fn headers_of_the_sdk_are_protected_in_any_case() {
        for name in ["User-Agent", "PREFECT-CSRF-TOKEN", "prefect-csrf-client"] {
            let error = custom_header(name, "x").expect_err("protected");
            assert!(error.is_configuration() && error.to_string().contains(name));
        }
        let (_, value) = custom_header("X-Mine", "hunter2").expect("free");
        assert!(value.is_sensitive());
    }
}
