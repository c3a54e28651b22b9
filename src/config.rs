//! Configuration: where the server is, and who asks.

use std::fmt;

use base64::Engine as _;
use reqwest::header::HeaderValue;
use url::Url;

use crate::client::Client;
use crate::error::{Error, Result};

/// Builds a [`Client`].
///
/// ```
/// use prefect_sdk::Client;
///
/// let client = Client::builder().api_url("http://127.0.0.1:4200/api").build()?;
/// assert_eq!(client.api_url(), "http://127.0.0.1:4200/api");
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct ClientBuilder {
    api_url: Option<String>,
    api_key: Option<String>,
    auth_string: Option<String>,
    proxy: Proxy,
}

/// Which proxy a client goes through.
#[derive(Clone, Copy, Default)]
pub(crate) enum Proxy {
    /// What the environment says (`HTTP_PROXY` and its like).
    #[default]
    System,
    /// None: the server is on this machine.
    #[cfg_attr(not(feature = "local-server"), allow(dead_code))]
    None,
}

impl ClientBuilder {
    /// The URL of the API, with its `/api`: `http://127.0.0.1:4200/api` or
    /// `https://api.prefect.cloud/api/accounts/…/workspaces/…`.
    pub fn api_url(mut self, url: impl Into<String>) -> Self {
        self.api_url = Some(url.into());
        self
    }

    /// An API key (Prefect Cloud), sent as `Authorization: Bearer`.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// `user:password` of a server with basic authentication; it wins over an API key.
    pub fn auth_string(mut self, auth: impl Into<String>) -> Self {
        self.auth_string = Some(auth.into());
        self
    }

    #[cfg(feature = "local-server")]
    pub(crate) fn url(&self) -> Option<&str> {
        self.api_url.as_deref()
    }

    #[cfg(feature = "local-server")]
    pub(crate) fn no_proxy(mut self) -> Self {
        self.proxy = Proxy::None;
        self
    }

    /// What the environment says; variables that are absent or empty set nothing.
    pub(crate) fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        Self {
            api_url: set("PREFECT_API_URL"),
            api_key: set("PREFECT_API_KEY"),
            auth_string: set("PREFECT_API_AUTH_STRING"),
            ..Self::default()
        }
    }

    /// The client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the URL is missing,
    /// malformed or without `/api`, or a credential cannot be sent in a header.
    pub fn build(self) -> Result<Client> {
        let url = self.api_url.as_deref().ok_or_else(|| {
            Error::configuration(
                "no API URL is given: set PREFECT_API_URL, for example to http://127.0.0.1:4200/api",
            )
        })?;
        let api_url = parse_api_url(url)?;
        Client::with_config(&Config {
            api_url,
            api_key: self.api_key,
            auth_string: self.auth_string,
            proxy: self.proxy,
        })
    }
}

/// Credentials are not shown.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |secret: &Option<String>| secret.as_ref().map(|_| "[redacted]");
        f.debug_struct("ClientBuilder")
            .field("api_url", &self.api_url.as_deref().map(without_credentials))
            .field("api_key", &shown(&self.api_key))
            .field("auth_string", &shown(&self.auth_string))
            .finish()
    }
}

/// A checked configuration.
pub(crate) struct Config {
    api_url: Url,
    api_key: Option<String>,
    auth_string: Option<String>,
    pub(crate) proxy: Proxy,
}

impl Config {
    pub fn api_url(&self) -> &Url {
        &self.api_url
    }

    /// The `Authorization` header. The scheme is `Basic` with a capital: the server compares case.
    pub fn authorization(&self) -> Result<Option<HeaderValue>> {
        let (name, value) = match (&self.auth_string, &self.api_key) {
            (Some(auth), _) => {
                let encoded = base64::engine::general_purpose::STANDARD.encode(auth);
                ("auth string", format!("Basic {encoded}"))
            }
            (None, Some(key)) => ("API key", format!("Bearer {}", key.trim())),
            (None, None) => return Ok(None),
        };
        let mut header = HeaderValue::try_from(value).map_err(|_| {
            Error::configuration(format!(
                "the {name} has characters that no header can carry"
            ))
        })?;
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

fn parse_api_url(text: &str) -> Result<Url> {
    let shown = without_credentials(text);
    let wrong = |what: &str| {
        Err(Error::configuration(format!(
            "the API URL {shown:?} {what}"
        )))
    };
    let url = match Url::parse(text.trim()) {
        Ok(url) => url,
        Err(error) => return wrong(&format!("is not a URL: {error}")),
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return wrong("is neither http:// nor https:// followed by a host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("holds credentials: give them as an API key or auth string");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("has a query or a fragment, which an API URL has not");
    }
    if !url
        .path_segments()
        .is_some_and(|mut segments| segments.any(|segment| segment == "api"))
    {
        let guess = text.trim().trim_end_matches('/');
        return wrong(&format!(
            "has no /api in its path; {guess}/api may be meant"
        ));
    }
    Ok(url)
}

/// A URL as it may be shown, even one that does not parse: without what may be a credential.
fn without_credentials(text: &str) -> String {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    match text[..end].rfind('@') {
        Some(at) => format!("[redacted]{}", &text[at..end]),
        None => text[..end].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        let error = Client::builder()
            .api_url(url)
            .build()
            .expect_err("must be refused");
        assert!(error.is_configuration(), "{error}");
        error.to_string()
    }

    #[test]
    fn a_url_without_api_is_a_configuration_error_that_names_the_remedy() {
        assert!(
            refusal("http://127.0.0.1:4200").contains("http://127.0.0.1:4200/api may be meant")
        );
        assert!(refusal("https://api.prefect.cloud/").contains("/api"));
    }

    #[test]
    fn malformed_urls_are_configuration_errors() {
        for url in [
            "",
            "127.0.0.1:4200/api",
            "ftp://host/api",
            "http://",
            "http://h/api?x=1",
            "http://[::1/api",
        ] {
            refusal(url);
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_repeated() {
        for url in [
            "https://joe:hunter2@host/api",
            "joe:hunter2@host/api",
            "https:/joe:hunter2@host/api",
            "https://host/api?token=hunter2",
            "https://host/api#hunter2",
        ] {
            let said = refusal(url);
            assert!(!said.contains("hunter2") && !said.contains("joe"), "{said}");
            let shown = format!("{:?}", Client::builder().api_url(url));
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn without_a_url_the_error_names_the_variable() {
        let error = ClientBuilder::from_variables(|_| None)
            .build()
            .expect_err("no URL");
        assert!(error.is_configuration() && error.to_string().contains("PREFECT_API_URL"));
    }

    #[test]
    fn empty_variables_set_nothing() {
        let variables = |name: &str| match name {
            "PREFECT_API_URL" => Some("http://h/api/".to_owned()),
            "PREFECT_API_KEY" => Some(" ".to_owned()),
            _ => None,
        };
        let client = ClientBuilder::from_variables(variables)
            .build()
            .expect("a good URL");
        assert_eq!(client.api_url(), "http://h/api");
    }

    #[test]
    fn an_auth_string_wins_over_a_key_and_neither_is_shown() {
        let builder = Client::builder()
            .api_url("http://h/api")
            .api_key("KEY1")
            .auth_string("u:PASS1");
        let shown = format!("{builder:?}");
        assert!(
            !shown.contains("KEY1") && !shown.contains("PASS1"),
            "{shown}"
        );
        let config = Config {
            api_url: Url::parse("http://h/api").expect("a URL"),
            api_key: Some("KEY1".into()),
            auth_string: Some("u:PASS1".into()),
            proxy: Proxy::System,
        };
        let header = config
            .authorization()
            .expect("can be sent")
            .expect("is there");
        assert_eq!(header.to_str().expect("ASCII"), "Basic dTpQQVNTMQ==");
        assert!(header.is_sensitive());
    }

    #[test]
    fn a_key_that_no_header_can_carry_is_refused_without_being_shown() {
        let error = Client::builder()
            .api_url("http://h/api")
            .api_key("se\ncret")
            .build();
        let said = error.expect_err("a newline").to_string();
        assert!(said.contains("API key") && !said.contains("cret"), "{said}");
    }
}
