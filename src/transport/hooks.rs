//! The user's hooks, which run before and after each attempt.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use reqwest::{Method, Request, StatusCode, Url};

use super::call::Call;
use crate::error::ErrorKind;

/// Changes requests before they are sent: see [`ClientBuilder::interceptor`].
///
/// An interceptor is called before each attempt, so that it can replace a token that has expired; it is also
/// called for the requests that the SDK sends on behalf of a call, such as for a CSRF token. A header that it
/// sets overrides the client's own, except the headers of CSRF tokens, which are added afterwards. A closure
/// `Fn(&mut Request) -> Result<(), …>` is an interceptor; implement the trait for an asynchronous one.
///
/// [`ClientBuilder::interceptor`]: crate::ClientBuilder::interceptor
///
/// ```
/// use std::{error::Error, future::Future, pin::Pin};
/// use prefect_sdk::{Client, client::Interceptor, reqwest};
///
/// struct Iap;
///
/// impl Interceptor for Iap {
///     fn intercept<'a>(
///         &'a self,
///         request: &'a mut reqwest::Request,
///     ) -> Pin<Box<dyn Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send + 'a>> {
///         Box::pin(async move {
///             let token = fetch_token().await?;
///             request.headers_mut().insert("proxy-authorization", token.parse()?);
///             Ok(())
///         })
///     }
/// }
/// # async fn fetch_token() -> Result<String, Box<dyn Error + Send + Sync>> { Ok("t".into()) }
///
/// let client = Client::builder()
///     .api_url("https://prefect.example.com/api")
///     .interceptor(Iap)
///     .build()?;
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
pub trait Interceptor: Send + Sync + 'static {
    /// Changes the request. An error fails the call with [`ErrorKind::InvalidRequest`], and becomes the
    /// source of that error.
    fn intercept<'a>(
        &'a self,
        request: &'a mut Request,
    ) -> BoxFuture<'a, Result<(), Box<dyn StdError + Send + Sync>>>;
}

impl<F, E> Interceptor for F
where
    F: Fn(&mut Request) -> Result<(), E> + Send + Sync + 'static,
    E: Into<Box<dyn StdError + Send + Sync>> + Send + 'static,
{
    fn intercept<'a>(
        &'a self,
        request: &'a mut Request,
    ) -> BoxFuture<'a, Result<(), Box<dyn StdError + Send + Sync>>> {
        let result = self(request).map_err(Into::into);
        Box::pin(std::future::ready(result))
    }
}

/// One attempt of a call, which is passed to [`ClientBuilder::observer`].
///
/// [`ClientBuilder::observer`]: crate::ClientBuilder::observer
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    pub(super) call: &'a Call,
    pub(super) duration: Duration,
    pub(super) status: Option<StatusCode>,
    pub(super) error: Option<ErrorKind>,
    pub(super) retry_in: Option<Duration>,
}

impl Attempt<'_> {
    /// The operation, by its name in [`crate::raw`].
    pub fn operation(&self) -> &'static str {
        self.call.operation().name()
    }

    /// The path below the API's URL with its placeholders: `/flows/{id}`.
    pub fn path_template(&self) -> &'static str {
        self.call.operation().template()
    }

    /// The HTTP method.
    pub fn method(&self) -> &Method {
        self.call.method()
    }

    /// The URL, without credentials.
    pub fn url(&self) -> &Url {
        self.call.url()
    }

    /// The number of the attempt within its call, from 1.
    pub fn number(&self) -> u32 {
        self.call.attempts
    }

    /// The time from sending the request to the end of the reply; for a stream, to its beginning.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// The status of the reply, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The kind of failure, if the attempt failed.
    pub fn error(&self) -> Option<ErrorKind> {
        self.error
    }

    /// The time until the next attempt, if one is planned. It is not made if the SDK finds out in the
    /// meantime that the call was executed.
    pub fn retry_in(&self) -> Option<Duration> {
        self.retry_in
    }
}

/// The function that [`ClientBuilder::observer`](crate::ClientBuilder::observer) takes.
pub(crate) type Observer = Arc<dyn Fn(&Attempt<'_>) + Send + Sync>;
