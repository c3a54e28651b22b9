//! The choke point: every request is sent, and every reply is read, here.

use std::time::Duration;

use progenitor_client::{ByteStream, ResponseValue};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Request, RequestBuilder, Response};
use serde::de::DeserializeOwned;

use crate::config::{Config, Proxy};
use crate::error::{Call, Error, ErrorKind, Result};
use crate::retry;

/// The API version of Prefect 3. The server refuses what is below 0.8.0 and accepts all above.
const API_VERSION: &str = "0.8.4";

const API_VERSION_HEADER: HeaderName = HeaderName::from_static("x-prefect-api-version");

/// A server closes idle connections after 5 s: a pooled one must not be used when that is near.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// After a 500 or 503 the server closes the connection without having said so. Once the closing has
/// arrived, the pool does not use that connection again: the next request would be lost on it, and
/// a create may not be repeated.
const CLOSING: Duration = Duration::from_millis(20);

/// What Prefect's own client waits for a reply. For a stream, between two parts of it.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Sends requests.
#[derive(Clone)]
pub(crate) struct Transport {
    http: reqwest::Client,
    api_url: String,
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport")
            .field("api_url", &self.api_url)
            .finish_non_exhaustive()
    }
}

impl Transport {
    pub fn new(config: &Config) -> Result<Self> {
        let mut headers = HeaderMap::new();
        headers.insert(API_VERSION_HEADER, HeaderValue::from_static(API_VERSION));
        if let Some(authorization) = config.authorization()? {
            headers.insert(AUTHORIZATION, authorization);
        }
        #[cfg(feature = "rustls")]
        provide_cryptography();
        let http = reqwest::Client::builder()
            // Leases of a deployment's concurrency slots are kept by the server only for its own
            // client's `prefect/…` agents; this one does not pretend to be it.
            .user_agent(concat!("prefect-sdk-rust/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connect_timeout(TIMEOUT)
            .read_timeout(TIMEOUT)
            .pool_idle_timeout(POOL_IDLE)
            .redirect(Policy::custom(within_origin));
        let http = match config.proxy {
            Proxy::System => http,
            Proxy::None => http.no_proxy(),
        };
        let http = http.build().map_err(|error| {
            Error::configuration("the HTTP client cannot be set up").caused_by(error)
        })?;
        Ok(Self {
            http,
            api_url: config.api_url().as_str().trim_end_matches('/').to_owned(),
        })
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    pub fn api_url(&self) -> &str {
        &self.api_url
    }

    /// Sends a request whose reply is JSON.
    pub async fn json<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        operation: &'static str,
    ) -> Result<ResponseValue<T>> {
        let request = request.header(ACCEPT, "application/json").timeout(TIMEOUT);
        let (call, response) = self.send(request, operation).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(|error| call.failed(error))?;
        match serde_json::from_slice(&body) {
            Ok(value) => Ok(ResponseValue::new(value, status, headers)),
            Err(error) if content_type(&headers).starts_with("application/json") => {
                // Only now is it worth knowing where.
                let mut json = serde_json::Deserializer::from_slice(&body);
                let located = serde_path_to_error::deserialize::<_, T>(&mut json);
                let at = located
                    .err()
                    .map_or_else(String::new, |error| error.path().to_string());
                let message = format!("the reply does not fit at `{at}`: {error}");
                Err(call
                    .error(ErrorKind::Decode, message)
                    .replied(status, headers, body))
            }
            Err(_) => Err(call
                .error(ErrorKind::UnexpectedBody, PAGE)
                .replied(status, headers, body)),
        }
    }

    /// Sends a request whose reply has no body worth reading.
    pub async fn empty(
        &self,
        request: RequestBuilder,
        operation: &'static str,
    ) -> Result<ResponseValue<()>> {
        let (call, response) = self.send(request.timeout(TIMEOUT), operation).await?;
        refuse_page(&call, &response)?;
        Ok(ResponseValue::empty(response))
    }

    /// Sends a request whose reply is a stream of bytes.
    pub async fn stream(
        &self,
        request: RequestBuilder,
        operation: &'static str,
    ) -> Result<ResponseValue<ByteStream>> {
        let (call, response) = self.send(request, operation).await?;
        refuse_page(&call, &response)?;
        Ok(ResponseValue::stream(response))
    }

    /// Sends a request, again if the server refused to work on it; any status but 2xx is an error.
    async fn send(
        &self,
        request: RequestBuilder,
        operation: &'static str,
    ) -> Result<(Call, Response)> {
        let request = request.build().map_err(|error| {
            let call = Call::before(operation);
            call.error(ErrorKind::InvalidRequest, "the request cannot be built")
                .caused_by(error)
        })?;
        let call = Call::of(&request, operation);
        let mut attempt = 1;
        loop {
            // The bodies of all operations are in memory, and can be sent again.
            let Some(repeatable) = request.try_clone() else {
                return self
                    .attempt(request, &call)
                    .await
                    .map(|response| (call, response));
            };
            let failure = match self.attempt(repeatable, &call).await {
                Ok(response) => return Ok((call, response)),
                Err(failure) => failure,
            };
            let Some(delay) = retry::delay_after(attempt, &failure) else {
                return Err(failure);
            };
            tracing::debug!(
                operation,
                attempt,
                ?delay,
                "repeating what the server refused"
            );
            tokio::time::sleep(delay).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, request: Request, call: &Call) -> Result<Response> {
        let response = self
            .http
            .execute(request)
            .await
            .map_err(|error| call.failed(error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let headers = response.headers().clone();
        let body = response.bytes().await.map_err(|error| call.failed(error))?;
        if status.is_server_error() {
            tokio::time::sleep(CLOSING).await;
        }
        Err(call.refused(status, headers, body))
    }
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

/// A login page may arrive as a success, and no server of Prefect's sends HTML.
fn refuse_page(call: &Call, response: &Response) -> Result<()> {
    match content_type(response.headers()).starts_with("text/html") {
        true => Err(call.error(ErrorKind::UnexpectedBody, PAGE).replied(
            response.status(),
            response.headers().clone(),
            [],
        )),
        false => Ok(()),
    }
}

const PAGE: &str = "the reply is not a Prefect server's: a proxy or a login page may have answered";

fn content_type(headers: &HeaderMap) -> &str {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
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

const MOST_REDIRECTS: usize = 10;

/// One path segment, percent-encoded; the generated code calls it for every path parameter.
///
/// `.` and `..` cannot be sent: every URL parser resolves them, encoded or not, so that the request
/// would reach another endpoint. An empty segment would, too.
pub(crate) fn segment(value: &str) -> Result<String> {
    match value {
        "" => Err(Error::invalid_request("a path parameter may not be empty")),
        "." | ".." => Err(Error::invalid_request(format!(
            "the path parameter {value:?} cannot be sent: URLs resolve `.` and `..`"
        ))),
        // `\` is a slash to URL parsers; progenitor's own encoder leaves it alone.
        value => Ok(percent_encoding::utf8_percent_encode(value, SEGMENT).to_string()),
    }
}

/// All that RFC 3986 does not call unreserved.
const SEGMENT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[cfg(test)]
mod tests {
    use super::segment;

    #[test]
    fn what_would_end_or_change_a_path_is_encoded() {
        let encoded = segment(r"a/b?c#d%e\f é").expect("can be sent");
        assert_eq!(encoded, "a%2Fb%3Fc%23d%25e%5Cf%20%C3%A9");
    }

    #[test]
    fn dot_segments_are_refused() {
        for value in ["", ".", ".."] {
            assert!(
                segment(value)
                    .expect_err("resolves elsewhere")
                    .is_invalid_request(),
                "{value:?}"
            );
        }
        assert_eq!(segment("...").expect("an ordinary name"), "...");
    }
}
